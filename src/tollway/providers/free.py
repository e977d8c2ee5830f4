"""What costs nothing: requests that are metered as such."""

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import RequestBound

NO_USAGE = Usage(requests=0)
NOTHING = RequestBound(
    0,
    answers=0,
    searches=0,
    text_bytes=0,
    text_only=True,
    output_tokens=0,
    heeded=True,
    longest=None,
    service_tier="",
)
"""The bound."""
