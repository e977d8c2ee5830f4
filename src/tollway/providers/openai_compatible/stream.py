"""A stream of the OpenAI dialect, read while it passes.

Events go on as soon as they are whole; nothing else is held back but the end mark, so that the ledger entry can be
written before the caller has the last byte. Source for the framing: WHATWG HTML, "Server-sent events", section 9.2.6.
"""

import re
from collections.abc import Iterator

import msgspec

from tollway.constants import SSE_EVENT_MAX_BYTES
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.adapter import DELIVERED_KEPT_MAX
from tollway.providers.openai_compatible.reply import choice_texts

# An event ends with an empty line; a line ends with CRLF, LF or CR. The groups are atomic so that CRLF counts once.
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_CUT_END_MARK = re.compile(rb"[^\r\n]*\r\n\r\Z")
"""Nobody waits for the last byte of it."""
_SPLIT_END_MAX_BYTES = 3
"""As much of an event's end may have come with the bytes before."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NULL_USAGE = (b'"usage":null', b'"usage": null')


class _Choice(msgspec.Struct):
    delta: msgspec.Raw = msgspec.Raw(b"null")
    text: str | None = None
    finish_reason: msgspec.Raw = msgspec.Raw(b"null")


class _Chunk(msgspec.Struct):
    object: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    x_groq: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    choices: msgspec.Raw = msgspec.Raw(b"[]")


class _GroqPart(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


_decode_chunk = tolerant(msgspec.json.Decoder(_Chunk).decode)
_decode_groq = msgspec.json.Decoder(_GroqPart | None).decode
_decode_choices = tolerant(msgspec.json.Decoder(list[_Choice]).decode)


def event_data(event: bytes) -> bytes:
    """The payload of one event: its ``data`` lines, joined with line feeds."""
    lines = []
    for line in _LINE_END.split(event):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)


def split_events(block: bytes) -> Iterator[bytes]:
    """The events of a block, each with its end, in order; their concatenation is the block."""
    start = 0
    for match in _EVENT_END.finditer(block):
        yield block[start : match.end()]
        start = match.end()
    if start < len(block):
        yield block[start:]


class StreamParser:
    """Reads one stream.

    Attributes:
        model: the model that answers, empty until said.
        service_tier: the tier that serves the request, empty until said.
        usage: the raw usage object, ``None`` until it came.
        counted: whether it is of the whole answer: some providers send one with every chunk.
        done: whether the end mark ``[DONE]`` came.
        failed: whether the provider reported an error inside the stream.
    """

    __slots__ = (
        "_end",
        "_kept",
        "_kept_bytes",
        "_last",
        "_oversized",
        "_remove_usage",
        "_several",
        "_tail",
        "counted",
        "done",
        "failed",
        "model",
        "service_tier",
        "usage",
    )

    def __init__(self, *, remove_usage: bool, several: bool = False) -> None:
        """Begin.

        Args:
            remove_usage: whether the chunk that carries nothing but usage is kept from the caller.
            several: whether there may be several answers.
        """
        self._remove_usage = remove_usage
        self._several = several
        self._tail = b""
        self._end = b""
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._oversized = False
        self._last = b""
        self.model = ""
        self.service_tier = ""
        self.usage: msgspec.Raw | None = None
        self.counted = False
        self.done = False
        self.failed = False

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes as they came; return the bytes to pass on now. Once `done`, the end waits in `take_end`."""
        if self.done:
            self._end += chunk
            return b""
        if self._oversized:
            return self._skip(chunk)
        data = self._tail + chunk if self._tail else chunk
        end = len(data) if data.endswith(b"\n\n") else _last_event_end(data, len(self._tail))
        self._tail = b""
        if end == len(data):
            return self._read(data)
        passed = self._read(data[:end]) if end else b""
        if self._end:  # the end mark was among them
            self._end += data[end:]
            return passed
        self._tail = data[end:]
        if len(self._tail) > SSE_EVENT_MAX_BYTES:
            self._oversized = True
            self._last = self._tail[-_SPLIT_END_MAX_BYTES:]
            passed += self._tail
            self._tail = b""
        return passed

    def _skip(self, chunk: bytes) -> bytes:
        """Pass an event on that is too long to be searched, up to its end."""
        data = self._last + chunk
        found = _EVENT_END.search(data)
        if found is None:
            self._last = data[-_SPLIT_END_MAX_BYTES:]
            return chunk
        end = found.end() - len(self._last)
        self._oversized = False
        return chunk[:end] + self.feed(chunk[end:])

    def finish(self) -> None:
        """The stream ended. An end mark counts as one also where its empty line was left out."""
        if event_data(self._tail).strip() == b"[DONE]":
            self.done = True

    @property
    def torn(self) -> bool:
        """Whether the last event is there in part only. One that lacks nothing but its empty line is whole."""
        data = event_data(self._tail)
        return not self.done and (self._oversized or (bool(data) and not self._is_whole(data)))

    def _is_whole(self, data: bytes) -> bool:
        return _chunk(data) is not None

    def take_break(self) -> bytes:
        """What separates an event of ours from what came of an event that was cut: a reader drops half an event."""
        self._tail = b""
        return b"\n\n" if self._oversized else b""

    def take_end(self) -> bytes:
        """What is left to pass on when the stream has ended: the end mark, or an unfinished event."""
        rest = self._end + self._tail
        self._end = self._tail = b""
        return rest + b"\n" if self.done and _CUT_END_MARK.match(rest) else rest

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed, for an estimate."""
        texts: list[str] = []
        for block in self._kept:
            for event in split_events(block):
                chunk = _chunk(event_data(event))
                if chunk is not None:
                    texts.extend(_chunk_texts(chunk))
        if self._kept_bytes > DELIVERED_KEPT_MAX:
            texts.append(" " * (self._kept_bytes - DELIVERED_KEPT_MAX))
        return texts

    def _keep(self, block: bytes) -> None:
        if self._kept_bytes <= DELIVERED_KEPT_MAX:
            self._kept.append(block)
        self._kept_bytes += len(block)

    def _read(self, block: bytes) -> bytes:
        """Look into whole events; return those to pass on."""
        if self.model and self._is_plain(block):
            self._keep(block)
            return block
        passed: list[bytes] = []
        rest = block
        for event in split_events(block):
            if self._read_event(event):
                passed.append(event)
            if self.done:
                self._end = rest
                break
            rest = rest[len(event) :]
        out = b"".join(passed)
        self._keep(out)
        return out

    def _is_plain(self, block: bytes) -> bool:
        """Whether none of the events tells more than the answer itself."""
        return b"[DONE]" not in block and b'"error"' not in block and not _may_hold_usage(block)

    def _read_event(self, event: bytes) -> bool:
        """Take in one event; return whether it goes on to the caller now."""
        data = event_data(event)
        if data.strip() == b"[DONE]":
            self.done = True
            return False
        chunk = _chunk(data)
        if chunk is None:
            return True
        if chunk.model and not self.model:
            self.model = chunk.model
        if chunk.service_tier:
            self.service_tier = chunk.service_tier
        if bytes(chunk.error) != b"null" or chunk.object == "error":
            self.failed = True
        usage = _usage(chunk)
        if usage is None:
            return True
        self.usage = usage
        alone = bytes(chunk.choices) in {b"[]", b"null"}
        self.counted = alone or (not self._several and _is_last(chunk))
        return not (self._remove_usage and alone)


def _last_event_end(data: bytes, searched: int) -> int:
    """The offset behind the last whole event, 0 if none is whole; `searched` bytes before hold no end of one."""
    start = max(0, searched - _SPLIT_END_MAX_BYTES)
    if data.find(b"\r", start) < 0:
        position = data.rfind(b"\n\n", start)
        return position + 2 if position >= 0 else 0
    end = 0
    for match in _EVENT_END.finditer(data, start):
        end = match.end()
    return end


def _may_hold_usage(block: bytes) -> bool:
    found = block.count(b'"usage"')
    return found > 0 and found != sum(block.count(null) for null in _NULL_USAGE)


def _chunk(data: bytes) -> _Chunk | None:
    try:
        return _decode_chunk(data) if data else None
    except MALFORMED:
        return None


def _usage(chunk: _Chunk) -> msgspec.Raw | None:
    if bytes(chunk.usage) != b"null":
        return chunk.usage
    try:
        part = _decode_groq(chunk.x_groq)
    except MALFORMED:
        return None
    return part.usage if part is not None and bytes(part.usage) != b"null" else None


def _is_last(chunk: _Chunk) -> bool:
    """Whether it says why the answer ends."""
    try:
        return any(bytes(choice.finish_reason) != b"null" for choice in _decode_choices(chunk.choices))
    except MALFORMED:
        return False


def _chunk_texts(chunk: _Chunk) -> list[str]:
    try:
        choices = _decode_choices(chunk.choices)
    except MALFORMED:
        return []
    return [text for choice in choices for text in choice_texts(choice.text, choice.delta)]
