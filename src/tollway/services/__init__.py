"""Use cases, a verb or small noun a file: the only layer that opens transactions."""
