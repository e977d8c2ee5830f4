"""The data plane: thin ASGI endpoints over the one pipeline."""
