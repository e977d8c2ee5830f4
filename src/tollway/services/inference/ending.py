"""How a request that did not end well is entered in the ledger."""

from tollway.errors import (
    StreamCutError,
    TollwayError,
    UpstreamMalformedError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from tollway.ledger.entry import LedgerEntry, Outcome, UsageSource
from tollway.ledger.money import usd_text
from tollway.providers.adapter import Answer
from tollway.services.inference.exchange import Caller, Exchange
from tollway.services.inference.record import Recorder

CLIENT_LEFT_STATUS = 499
"""nginx's status for a caller that closed the connection; only ever logged."""

_OUTCOMES: tuple[tuple[type[TollwayError], Outcome], ...] = (
    (UpstreamUnreachableError, Outcome.UPSTREAM_UNREACHABLE),
    (UpstreamTimeoutError, Outcome.UPSTREAM_TIMEOUT),
    (StreamCutError, Outcome.STREAM_CUT),
)
_MAYBE_BILLED = (UpstreamTimeoutError, UpstreamMalformedError)
"""Faults after which the provider may have worked for us all the same: as after any once it began to answer."""
_SUCCESS = range(200, 300)
_STREAMED_STATUS = 200
"""What a caller got whose stream has begun."""


def may_be_billed(exchange: Exchange, error: TollwayError | None) -> bool:
    """Whether the provider may charge for the present attempt, which failed, by this error or by its own words."""
    return isinstance(error, _MAYBE_BILLED) or exchange.status in _SUCCESS


def estimate(exchange: Exchange, delivered: list[str], *, model: str = "") -> Answer:
    """Our own count of what went in and what came out."""
    adapter = exchange.target.adapter
    return Answer(model, adapter.estimate(exchange.call, delivered))


def settle_failed(recorder: Recorder, exchange: Exchange, error: TollwayError) -> None:
    """Enter a request that failed before the caller had a status. Does nothing more if it is entered already."""
    error.in_ledger = True
    if exchange.settled:
        return
    outcome = next((found for kind, found in _OUTCOMES if isinstance(error, kind)), None)
    if outcome is None:
        outcome = Outcome.INTERNAL_ERROR if error.code == TollwayError.code else Outcome.UPSTREAM_ERROR
    billed = exchange.attempting and may_be_billed(exchange, error)
    exchange.end_attempt(exchange.status, error.code)
    entry = recorder.settle(
        exchange,
        outcome=outcome,
        status=error.status if exchange.first_byte_us is None else _STREAMED_STATUS,
        error=error.code,
        answer=estimate(exchange, []) if billed else None,
        source=UsageSource.ESTIMATED if billed else UsageSource.NONE,
    )
    target = exchange.target
    error.headers = (
        *error.headers,
        ("x-tollway-cost", usd_text(entry.charge)),
        ("x-tollway-provider", target.deployment.name.encode("latin-1", "replace").decode("latin-1")),
        ("x-tollway-model", target.model.encode("latin-1", "replace").decode("latin-1")),
        ("x-tollway-attempts", str(exchange.tried)),
    )


def settle_left(
    recorder: Recorder, exchange: Exchange, caller: Caller, answer: Answer | None, source: UsageSource
) -> None:
    """Enter a request whose caller left, or that the stopping worker cut, and that is not entered yet.

    Args:
        recorder: enters it.
        exchange: the request.
        caller: who may have left.
        answer: what is known of the answer, ``None`` if none was under way.
        source: who counted.
    """
    outcome = Outcome.CLIENT_LEFT if caller.left else Outcome.INTERRUPTED
    exchange.end_attempt(exchange.status, outcome.value)
    recorder.settle(
        exchange,
        outcome=outcome,
        status=CLIENT_LEFT_STATUS if caller.left else exchange.status,
        error=outcome.value,
        answer=answer,
        source=source,
    )


def settle_stream(
    recorder: Recorder, exchange: Exchange, answer: Answer, source: UsageSource, error: str
) -> LedgerEntry:
    """Enter a stream that ended, whole (no error) or cut."""
    exchange.end_attempt(exchange.status, error)
    return recorder.settle(
        exchange,
        outcome=Outcome.STREAM_CUT if error else Outcome.OK,
        status=exchange.status,
        error=error,
        answer=answer,
        source=source,
    )
