"""Keys, principals and secrets. Pure."""
