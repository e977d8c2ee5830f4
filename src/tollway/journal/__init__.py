"""The checksummed append-only journal on disk."""
