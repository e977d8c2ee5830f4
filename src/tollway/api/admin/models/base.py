"""What all models of the control plane share: the base classes and the kinds of text."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from tollway.ids import NAME_PATTERN, is_uuid

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}", re.ASCII)


class Given(BaseModel):
    """Base of what callers send: an unknown field is an error, so that a typing error never passes silently."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """Base of what callers get: read from a row."""

    model_config = ConfigDict(from_attributes=True)


def _no_id(name: str) -> str:
    if is_uuid(name):
        message = "A name must not have the form of an id."
        raise ValueError(message)
    return name


def _as_text(instant: object) -> object:
    """Numbers, and text of numbers, would be read as seconds since 1970: the document promises RFC 3339 only."""
    if not (isinstance(instant, str) and _RFC_3339.match(instant)):
        message = "Give a time as in RFC 3339, for instance 2027-01-01T00:00:00Z."
        raise ValueError(message)
    return instant


def _storable(instant: datetime) -> datetime:
    if not _EARLIEST <= instant < _LATEST:
        message = "Give a time between the years 1970 and 9000."
        raise ValueError(message)
    return instant


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=1, max_length=63), AfterValidator(_no_id)]
"""A name that stands in URLs."""
KeyName = Annotated[
    str,
    StringConstraints(pattern="^[A-Za-z0-9]([A-Za-z0-9 ._:@+-]{0,126}[A-Za-z0-9])?$", min_length=1, max_length=128),
    AfterValidator(_no_id),
]
"""The name of a key."""
Reference = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9._-]{0,63}$", max_length=64)]
"""An id or a name of an organization, project, provider or webhook."""
KeyReference = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9 ._:@+-]{0,127}$", max_length=128)]
"""An id or a name of a key."""
AliasName = Annotated[
    str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$", min_length=1, max_length=128)
]
"""A project's own name for a model: no slash, so that it is never taken for ``provider/model``."""
MODEL_PATTERN = "^[A-Za-z0-9@][A-Za-z0-9._:@/+~-]{0,255}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_PATTERN, min_length=1, max_length=256)]
"""The provider's name of a model; slashes, colons and so on as the provider has them."""
ModelPattern = Annotated[
    str, StringConstraints(pattern="^[A-Za-z0-9@*][A-Za-z0-9._:@/+~*-]{0,319}$", min_length=1, max_length=320)
]
"""``provider/model``, ``provider/*`` or an alias."""
Target = Annotated[
    str,
    StringConstraints(
        pattern="^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?/[A-Za-z0-9@][A-Za-z0-9._:@/+~-]{0,255}$", max_length=320
    ),
]
"""``provider/model``."""
FreeText = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=500)]
"""One line of text."""
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_as_text),
    AfterValidator(_storable),
    Field(description="RFC 3339, with a time zone.", examples=["2027-01-01T00:00:00Z"]),
]
"""A point in time."""
