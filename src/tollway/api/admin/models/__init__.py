"""What the control plane takes and gives, one file a noun."""
