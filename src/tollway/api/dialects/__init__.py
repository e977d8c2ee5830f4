"""Parse a request, render a reply, a stream and an error: one module a dialect, all pure."""
