"""The rules of the house that no ready-made linter knows: one rule a function, standard library only."""
