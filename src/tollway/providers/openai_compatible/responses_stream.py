"""A stream of the Responses API, read while it passes.

Source: https://platform.openai.com/docs/api-reference/responses-streaming. It has no end mark: the last event tells the
state of the whole response with its usage, and is held back until the ledger entry is written.
"""

from collections.abc import Mapping

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.responses_reply import read_response, response_texts, retold
from tollway.providers.openai_compatible.stream import StreamParser, event_data, split_events

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_FAILED = frozenset({"response.failed", "error"})
_ABSENT = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class _Whole(msgspec.Struct):
    type: str = ""
    delta: str | None = None


_decode_event = tolerant(msgspec.json.Decoder(_Event).decode)
_decode_delta = tolerant(msgspec.json.Decoder(_Whole).decode)
_decode_members = tolerant(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_encode = msgspec.json.Encoder().encode


class ResponsesStreamParser(StreamParser):
    """Reads one stream, and tells of Tollway's own state in the events that hold the whole response."""

    __slots__ = ("_told", "_whole")

    def __init__(self, told: Mapping[str, msgspec.Raw]) -> None:
        """Args: told: members of the response that are told in place of the provider's."""
        super().__init__(remove_usage=False)
        self._told = told
        self._whole: msgspec.Raw | None = None

    def finish(self) -> None:
        """The stream ended. The last event counts as whole also where its empty line was left out."""
        tail, self._tail = self._tail, b""
        if tail and _event(event_data(tail)) is not None:
            self._end = self._read_one(tail)
        else:
            self._tail = tail

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed, for an estimate."""
        if self._whole is not None:
            return response_texts(self._whole)
        texts = []
        for block in self._kept:
            for event in split_events(block):
                try:
                    found = _decode_delta(event_data(event))
                except MALFORMED:
                    continue
                if found.delta and found.type.endswith(".delta"):
                    texts.append(found.delta)
        return texts

    def _read(self, block: bytes) -> bytes:
        """Look into whole events; return those to pass on."""
        if b'"response"' not in block and b'"error"' not in block:
            self._keep(block)
            return block
        passed: list[bytes] = []
        rest = block
        for part in split_events(block):
            rest = rest[len(part) :]
            made = self._read_one(part)
            if self.done:
                self._end = made + rest
                break
            passed.append(made)
        out = b"".join(passed)
        self._keep(out)
        return out

    def _read_one(self, part: bytes) -> bytes:
        event = _event(event_data(part))
        if event is None:
            return part
        self.failed = self.failed or event.type in _FAILED
        return self._read_whole(part, event) if bytes(event.response) != b"null" else part

    def _read_whole(self, part: bytes, event: _Event) -> bytes:
        """Take in an event that holds the response as it is now; return it as the caller gets it."""
        found = read_response(event.response)
        if found is not None:
            self.model = found.model or self.model
            self.service_tier = found.service_tier or self.service_tier
            self.usage = found.usage or self.usage
        if event.type in _ENDS:
            self.done = True
            self.counted = self.usage is not None
            self._whole = event.response
        if not self._told:
            return part
        members = _decode_members(event_data(part))
        members["response"] = msgspec.Raw(retold(event.response, self._told))
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), _encode(members))


def _event(data: bytes) -> _Event | None:
    try:
        return _decode_event(data) if data else None
    except MALFORMED:
        return None
