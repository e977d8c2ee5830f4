"""Multipart forms of the OpenAI dialect: the request with files in it. Pure.

Read are the short texts that Tollway needs; the bytes stay as they came, and the boundary between the parts with them.
A form that two readers could read in two ways is refused. Source: RFC 7578; OpenAI's API reference for images and
audio (https://platform.openai.com/docs/api-reference/images/createEdit and …/audio/createTranscription).
"""

from collections.abc import Mapping, Sequence

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from tollway.api.dialects.top_level import absent
from tollway.errors import InvalidRequestError, MalformedBodyError
from tollway.routing.call import Form

PARTS_MAX = 256
"""OpenAI takes up to 16 pictures and a score of other fields."""
TEXT_MAX_BYTES = 262_144
"""Of one field that is no file: OpenAI's longest prompt has 32,000 characters."""
_BOUNDARY_MAX_BYTES = 70
"""RFC 2046, section 5.1.1."""
_MULTIPART = b"multipart/form-data"
_PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})
_LIST_MARK = "[]"
_encode = msgspec.json.Encoder().encode


class Part(msgspec.Struct, gc=False):
    """One part of a form. Attributes: start, end: where its value begins and ends; headers: names in lower case."""

    start: int = 0
    end: int = 0
    headers: dict[bytes, bytes] = {}
    name: str = ""
    is_file: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether its value is not encoded, so that all readers find the same in it."""
        return self.headers.get(b"content-transfer-encoding", b"").lower() in _PLAIN_ENCODINGS


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is said to be a multipart form."""
    return headers.get(b"content-type", b"")[: len(_MULTIPART)].lower() == _MULTIPART


def read_form(body: bytes, content_type: bytes, required: Sequence[str]) -> tuple[dict[str, msgspec.Raw], Form]:
    """The fields of a form, each as JSON, and where they are.

    A field that may be there several times has ``[]`` behind its name; the first one counts here.

    Args:
        body: as it came.
        content_type: the header that names the boundary.
        required: fields or files that must be there besides ``model``.

    Raises:
        MalformedBodyError: not a form, or one that can be read in two ways.
        InvalidRequestError: a required field is absent, or a field that Tollway itself needs is of the wrong type.
    """
    parts = split_form(body, content_type)
    fields: dict[str, msgspec.Raw] = {}
    model_at = (0, 0)
    for part in parts:
        if part.is_file:
            continue
        if part.name in fields:
            if part.name.endswith(_LIST_MARK):
                continue
            raise MalformedBodyError(f"The field `{part.name[:64]}` is there twice.", next_step="Send it once.")
        fields[part.name] = _value(body, part)
        if part.name == "model":
            model_at = (part.start, part.end)
    files = tuple((part.name, part.start, part.end) for part in parts if part.is_file)
    there = {*fields, *(name for name, _, _ in files)}
    for name in required:
        if name not in there and name + _LIST_MARK not in there:
            raise absent(name)
    return fields, Form(content_type.decode("latin-1"), model_at, files, sum(end - start for _, start, end in files))


def split_form(body: bytes, content_type: bytes) -> list[Part]:
    """The parts of a form, in their order.

    Raises:
        MalformedBodyError: as it says.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= _BOUNDARY_MAX_BYTES:
        raise MalformedBodyError(
            "The content type names no boundary between the parts of the form.",
            next_step="Send `multipart/form-data; boundary=…`; HTTP clients do so by themselves.",
        )
    collector = _Collector()
    parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]  # some of what it may call
    try:
        parser.write(body)
    except FormParserError as error:
        raise MalformedBodyError(f"The body is not a multipart form: {error}.") from None
    if parser.state != MultipartState.END:
        raise MalformedBodyError("The body is not a whole multipart form: its last boundary is missing.")
    for part in collector.parts:
        _name(part)
    return collector.parts


class _Collector:
    """Takes down the parts as the parser meets them. All offsets are of the body, which is parsed in one go."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._name = self._value = b""

    def callbacks(self) -> dict[str, object]:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_begin": self._header_begin,
            "on_header_field": self._field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= PARTS_MAX:
            raise MalformedBodyError(f"The form has more than {PARTS_MAX} parts.", next_step="Send fewer.")
        self.parts.append(Part(headers={}))

    def _data(self, _: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.start = part.start or start
        part.end = end

    def _header_begin(self) -> None:
        self._name = self._value = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = self._name.lower()
        if name in self.parts[-1].headers:
            raise MalformedBodyError("A part of the form has the same header twice.")
        self.parts[-1].headers[name] = self._value


def _name(part: Part) -> None:
    """Find out what a part is called, and whether it is a file."""
    kind, options = parse_options_header(part.headers.get(b"content-disposition", b""))
    try:
        part.name = options.get(b"name", b"").decode()
    except UnicodeDecodeError:
        raise MalformedBodyError("The name of a part of the form is not UTF-8.") from None
    if kind != b"form-data" or not part.name:
        raise MalformedBodyError("A part of the form has no name.", next_step="Name every part.")
    part.is_file = b"filename" in options


def _value(body: bytes, part: Part) -> msgspec.Raw:
    """A field as JSON: ``true`` and ``false`` as such where only they are meant, anything else as a text."""
    if not part.is_plain:
        raise MalformedBodyError(f"The field `{part.name[:64]}` is encoded.", next_step="Send it as plain UTF-8.")
    if part.end - part.start > TEXT_MAX_BYTES:
        raise InvalidRequestError(
            f"`{part.name[:64]}` has more than {TEXT_MAX_BYTES} bytes.",
            next_step="Send what is a file with a file name.",
            param=part.name[:64],
        )
    try:
        text = body[part.start : part.end].decode()
    except UnicodeDecodeError:
        raise MalformedBodyError(f"The field `{part.name[:64]}` is not valid UTF-8.") from None
    if part.name == "stream" and text.lower() in {"true", "false"}:
        return msgspec.Raw(text.lower().encode())
    return msgspec.Raw(_encode(text))
