"""Vertex AI: Google Cloud's own addresses for models of several makers, each in its maker's format. Pure: no I/O."""
