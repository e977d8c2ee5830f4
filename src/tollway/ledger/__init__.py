"""Money, usage, prices and rating as arithmetic. Pure."""
