"""Lists of models in Anthropic's form. Source: https://platform.claude.com/docs/en/api/models-list. Pure."""

from collections.abc import Sequence

import msgspec

_encode = msgspec.json.Encoder().encode
_UNKNOWN = "1970-01-01T00:00:00Z"
"""What the API says of a release date that is not known."""


class _Model(msgspec.Struct):
    id: str
    display_name: str
    created_at: str = _UNKNOWN
    type: str = "model"


class _List(msgspec.Struct):
    data: list[_Model]
    first_id: str | None
    last_id: str | None
    has_more: bool = False


def model_list(names: Sequence[str]) -> bytes:
    """All models, on one page."""
    ends = (names[0], names[-1]) if names else (None, None)
    return _encode(_List([_Model(name, name) for name in names], *ends))


def one_model(name: str) -> bytes:
    """One model."""
    return _encode(_Model(name, name))
