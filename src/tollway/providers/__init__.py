"""Providers: spec rows, wire formats, and the one transport."""
