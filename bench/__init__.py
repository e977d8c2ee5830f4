"""The benchmark: Tollway and its rivals, on the same machine, in the same run."""
