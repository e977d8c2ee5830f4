"""What every provider keeps.

Subclass it, say which provider, and run pytest::

    class TestAcme(ProviderConformance):
        spec = ACME
        wire = AcmeWire()
        recordings = tuple(load("acme/*.json"))
"""

import random
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import pytest

from tollway.chat.collect import collect
from tollway.chat.events import Begun, Beside, Broke, Counted, Ended, Event, PartBegun, PartEnded
from tollway.chat.losses import Losses
from tollway.conformance.requests import CASES, Case
from tollway.errors import UnsupportedFieldError
from tollway.providers.registry import ProviderSpec
from tollway.providers.wire import Wire
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure, FailureKind

_OK = range(200, 300)
_FLAWS_PER_BODY = 40


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange with the provider, as it was.

    Attributes:
        name: for the report.
        status, headers, body: of the reply; header names in lower case.
        streamed: whether the reply is a stream.
        counted: whether the reply tells its usage.
    """

    name: str
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    streamed: bool = False
    counted: bool = True


class ProviderConformance:
    """The suite.

    Attributes:
        spec: the provider's row.
        wire: its wire format.
        recordings: real replies of it: whole ones, streams and refusals; more are better.
        model: a model name for requests.
        base_url: an address, where the row has none.
        options: of the provider, where its kind needs some.
    """

    spec: ClassVar[ProviderSpec]
    wire: ClassVar[Wire]
    recordings: ClassVar[Sequence[Recording]] = ()
    model: ClassVar[str] = "model-1"
    base_url: ClassVar[str] = "https://provider.example"
    options: ClassVar[dict[str, str]] = {}

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_a_request_is_carried_or_its_loss_is_named(self, case: Case) -> None:
        """Every mark of the request is in what the provider gets, unless the loss was reported."""
        refusing, dropping = Losses(drop=False, target="it"), Losses(drop=True, target="it")
        body = self._body(case, dropping)
        if dropping.dropped:
            assert not case.essential, f"lost: {dropping.dropped}"
            with pytest.raises(UnsupportedFieldError) as refused:
                self._body(case, refusing)
            assert refused.value.param == dropping.dropped[0]
            return
        for mark in case.marks:
            assert mark.encode() in body, f"{mark!r} is neither carried nor reported as lost"
        self._body(case, refusing)

    def test_the_provider_is_told_which_model(self) -> None:
        """In the address or in the body."""
        request = self.wire.build_request(
            CASES[0].chat, deployment=self._deployment(), spec=self.spec, model=self.model, losses=_losses()
        )
        assert self.model in request.url or self.model.encode() in request.body

    def test_a_reply_is_understood(self) -> None:
        """Whole replies have an answer, a reason for its end, and the provider's own count."""
        for recording in self._of(streamed=False):
            reply = self.wire.parse_reply(recording.body, spec=self.spec)
            assert reply is not None, recording.name
            assert reply.choices, recording.name
            assert all(choice.stop is not None for choice in reply.choices), recording.name
            assert not recording.counted or reply.usage is not None, recording.name

    def test_a_stream_means_the_same_wherever_it_is_cut(self) -> None:
        """Bytes come as the network likes."""
        for recording in self._of(streamed=True):
            whole = self._events([recording.body])
            for seed in range(5):
                assert _meaning(self._events(_cut(recording.body, seed))) == _meaning(whole), recording.name

    def test_a_stream_is_well_formed(self) -> None:
        """Its events come in their order, and it says that it is whole."""
        for recording in self._of(streamed=True):
            parser = self.wire.stream_parser(spec=self.spec)
            events = [*parser.feed(recording.body), *parser.finish()]
            assert parser.done, recording.name
            assert not parser.torn, recording.name
            _check_order(events)
            counted = [event for event in events if isinstance(event, Counted)]
            assert not recording.counted or (counted and counted[-1].whole), recording.name
            assert collect(events).choices, recording.name

    def test_half_a_stream_is_not_taken_for_a_whole_one(self) -> None:
        """A connection that breaks is noticed."""
        for recording in self._of(streamed=True):
            parser = self.wire.stream_parser(spec=self.spec)
            parser.feed(recording.body[: len(recording.body) // 2])
            parser.finish()
            assert not parser.done, recording.name

    def test_a_refusal_is_classified(self) -> None:
        """By its status, and with the provider's words."""
        for recording in self.recordings:
            if recording.status not in _OK:
                failure = self.wire.classify_failure(recording.status, recording.headers, recording.body)
                assert failure.status == recording.status
                assert failure.message, recording.name
        made = {status: self._failure(status) for status in (401, 403, 404, 408, 409, 429, 500, 503, 529)}
        assert made[429].kind in {FailureKind.RATE_LIMITED, FailureKind.EXHAUSTED}
        assert made[500].kind is FailureKind.SERVER
        assert {made[503].kind, made[529].kind} <= {FailureKind.OVERLOADED, FailureKind.SERVER}
        assert made[401].kind is FailureKind.CREDENTIAL

    def test_no_bytes_are_too_strange(self) -> None:
        """Whatever comes, nothing is raised."""
        chance = random.Random(7)  # noqa: S311 -- no secret
        bodies = [recording.body for recording in self.recordings[:20]] or [b"{}"]
        for body in [*bodies, b"", b"null", b"[]", b'"', b"\xff\xfe", b"data: {}\n\n", b"data: [1]\n\n", b"{" * 50_000]:
            for _ in range(_FLAWS_PER_BODY):
                flawed = _flawed(body, chance)
                self.wire.parse_reply(flawed, spec=self.spec)
                self._events([flawed])
                self.wire.classify_failure(400, (), flawed)

    def _body(self, case: Case, losses: Losses) -> bytes:
        request = self.wire.build_request(
            case.chat, deployment=self._deployment(), spec=self.spec, model=self.model, losses=losses
        )
        return " ".join(request.headers.values()).encode() + request.body

    def _deployment(self) -> Deployment:
        return Deployment(
            name="conformance",
            spec=self.spec.name,
            base_url=self.spec.base_url or self.base_url,
            credential="secret",
            price_provider="",
            options=self.options,
        )

    def _failure(self, status: int) -> Failure:
        return self.wire.classify_failure(status, (), b'{"error": {"message": "no", "type": "t"}, "message": "no"}')

    def _of(self, *, streamed: bool) -> list[Recording]:
        return [each for each in self.recordings if each.status in _OK and each.streamed == streamed]

    def _events(self, chunks: Sequence[bytes]) -> list[Event]:
        parser = self.wire.stream_parser(spec=self.spec)
        events = [event for chunk in chunks for event in parser.feed(chunk)]
        return [*events, *parser.finish()]


def _losses() -> Losses:
    return Losses(drop=True, target="it")


def _cut(body: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(min(len(body), 30)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _flawed(body: bytes, chance: random.Random) -> bytes:
    """The body with some bytes changed, or the end gone."""
    if not body:
        return body
    flawed = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        flawed[chance.randrange(len(flawed))] = chance.choice(b'{}[]",:\n\r0a\xff')
    return bytes(flawed[: chance.randrange(len(flawed)) + 1] if chance.random() < 0.3 else flawed)  # noqa: PLR2004


def _meaning(events: Sequence[Event]) -> object:
    """What a stream says, without how it was cut into deltas."""
    broke = [event for event in events if isinstance(event, Broke)]
    return broke or collect(events)


def _check_order(events: Sequence[Event]) -> None:
    """See `tollway.chat.events`."""
    assert isinstance(events[0], Begun)
    open_parts: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()
    ended: set[int] = set()
    for event in events:
        if isinstance(event, Counted | Begun | Beside | Broke):
            continue
        assert event.choice not in ended, event
        if isinstance(event, Ended):
            assert not {part for part in open_parts if part[0] == event.choice}
            ended.add(event.choice)
        elif isinstance(event, PartBegun):
            assert (event.choice, event.index) not in seen
            seen.add((event.choice, event.index))
            open_parts.add((event.choice, event.index))
        elif isinstance(event, PartEnded):
            open_parts.remove((event.choice, event.index))
        elif hasattr(event, "index"):
            assert (event.choice, event.index) in open_parts, event
    assert ended
