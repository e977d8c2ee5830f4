"""The input tokens of a request, counted: for models whose tokenizer is public. Slow: not on the hot path."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.usage.estimate import count_tokens
from tollway.routing.call import Call

_decode = tolerant(msgspec.json.Decoder().decode)

_COUNTED_MAX_BYTES = 1 << 19
"""Longer requests are not counted: it could take a second."""
_ENCODINGS = (
    (("gpt-4o", "gpt-4.1", "gpt-5", "gpt-oss", "chatgpt-4o", "o1", "o3", "o4"), "o200k_base"),
    (("gpt-4", "gpt-3.5", "text-embedding-"), "cl100k_base"),
)
"""Beginnings of model names and their encoding, the first that fits. Source: the table of OpenAI's tiktoken."""


def counted(call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:
    r"""The bound with the tokens of the body for its bytes; ``None`` if they cannot be counted, or are no fewer.

    Counted is the JSON as it stands, and where it has escapes also the texts in it: a tokenizer may have a token for
    ``\forall``, which to JSON is a form feed and a part of a word. The greater count holds; the margin for the template
    stays.

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
    if b"\\" in call.body:
        try:
            tokens = max(tokens, count_tokens(list(_strings(_decode(call.body))), encoding))
        except MALFORMED:
            return None
    return replace(bound, input_tokens=tokens + template_tokens) if tokens < bound.text_bytes else None


def _strings(value: Any) -> Iterator[str]:
    """All texts of a JSON value, with the names of its members."""
    left = [value]
    while left:
        match left.pop():
            case str(text):
                yield text
            case list(items):
                left.extend(items)
            case dict(members):
                yield from members
                left.extend(members.values())


def _encoding(model: str) -> str | None:
    """The encoding of a model; ``vendor/model`` is named by what is behind the slash."""
    name = model.rpartition("/")[2]
    return next((encoding for beginnings, encoding in _ENCODINGS if name.startswith(beginnings)), None)
