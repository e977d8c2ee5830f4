"""Background processes: thin functions that call one service."""
