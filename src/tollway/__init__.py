"""Tollway: the AI backend a team runs itself."""

__version__ = "0.1.0"
