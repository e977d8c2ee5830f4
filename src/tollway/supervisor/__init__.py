"""The process tree of `tollway serve`."""
