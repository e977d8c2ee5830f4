"""The input tokens of a request, counted: for models whose tokenizer is public. Slow: not on the hot path."""

from msgspec.structs import replace

from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.usage.estimate import count_tokens
from tollway.routing.call import Call

_COUNTED_MAX_BYTES = 1 << 20
"""Longer requests are not counted: it could take a second."""
_ENCODINGS = (
    (("gpt-4o", "gpt-4.1", "gpt-5", "gpt-oss", "chatgpt-4o", "o1", "o3", "o4"), "o200k_base"),
    (("gpt-4", "gpt-3.5", "text-embedding-"), "cl100k_base"),
)
"""Beginnings of model names and their encoding, the first that fits. Source: the table of OpenAI's tiktoken."""


def counted(call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:
    """The bound with the tokens of the body in place of its bytes; ``None`` if they cannot be counted, or are no fewer.

    Counted is the JSON as it stands, which has more tokens than the texts in it; the margin for the template stays.

    Args:
        call: the parsed request.
        bound: its bound in bytes.
        model: the name of the model at the provider.
    """
    encoding = _encoding(model)
    if encoding is None or not bound.text_only or len(call.body) > _COUNTED_MAX_BYTES:
        return None
    template_tokens = bound.input_tokens - bound.text_bytes
    tokens = count_tokens([call.body.decode()], encoding)
    return replace(bound, input_tokens=tokens + template_tokens) if tokens < bound.text_bytes else None


def _encoding(model: str) -> str | None:
    """The encoding of a model; ``vendor/model`` is named by what is behind the slash."""
    name = model.rpartition("/")[2]
    return next((encoding for beginnings, encoding in _ENCODINGS if name.startswith(beginnings)), None)
