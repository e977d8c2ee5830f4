"""Builds every service, in parts: a process loads the code of those that it needs."""
