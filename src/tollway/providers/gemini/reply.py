"""A whole reply of generateContent."""

from tollway.chat.collect import collect
from tollway.chat.reply import ChatReply
from tollway.json_object import MALFORMED
from tollway.providers.gemini.schema import ABSENT, Response, decode_response
from tollway.providers.gemini.stream import ResponseReader


def parse_reply(body: bytes) -> ChatReply | None:
    """The reply; ``None`` if it is none. Never raises."""
    try:
        response = decode_response(body)
    except MALFORMED:
        return None
    if response.error is not None or not _says_something(response):
        return None
    return collect(ResponseReader().take(response))


def _says_something(response: Response) -> bool:
    return bool(response.candidates) or response.prompt_feedback is not None or response.usage_metadata != ABSENT
