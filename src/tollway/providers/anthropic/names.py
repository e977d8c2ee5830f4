"""Names of the wire format that several of its parts need."""

from tollway.providers.wire_names import ANTHROPIC

SOURCE = ANTHROPIC
API_VERSION = "2023-06-01"
"""Of the API that requests are written for, where the caller names none."""
PASSED_HEADERS = ("anthropic-version", "anthropic-beta")
"""Headers of a caller's that a provider of the same format gets."""
STREAM_TYPE = "text/event-stream"
