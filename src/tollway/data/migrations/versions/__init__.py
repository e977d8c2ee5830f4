"""One file a revision, numbered; a released revision is never changed."""
