"""The control plane: `/api/v1`."""
