"""The one pipeline that every surface of the data plane goes through."""
