"""Which provider answers. Pure."""
