"""Pass a stream on: events as they come, the end mark only when the entry is written."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from tollway.chat.dialect import Continuing
from tollway.errors import StreamCutError, TollwayError, UpstreamCutError, UpstreamError
from tollway.ledger.entry import UsageSource
from tollway.ledger.money import usd_text
from tollway.providers.adapter import DELIVERED_KEPT_MAX, Answer, StreamReader
from tollway.providers.auth import without_secrets
from tollway.routing.call import Call
from tollway.services.inference.ask import Reply
from tollway.services.inference.ending import estimate, settle_left, settle_stream
from tollway.services.inference.exchange import Caller, Exchange
from tollway.services.inference.record import Recorder

_LINGER_S = 1.0
"""How long a finished stream's connection may take to end by itself, so that it can be used again."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How a stream ended.

    Attributes:
        cut: whether the provider broke off.
        answer: what it said.
        rest: asks for the rest of the answer; then the stream has no end yet, and no entry. ``None`` if it ended.
    """

    cut: bool
    answer: Answer
    rest: Call | None = None


async def relay_stream(
    exchange: Exchange,
    reply: Reply,
    parser: StreamReader,
    caller: Caller,
    *,
    recorder: Recorder,
    durable: Callable[[], Awaitable[None]] | None,
    resumable: bool = False,
) -> Ended:
    """Relay one stream whose headers the caller has already.

    Args:
        exchange: the request.
        reply: the provider's.
        parser: reads it.
        caller: who gets it.
        recorder: enters it.
        durable: see `Relay`.
        resumable: whether a stream that breaks is left without an end, if another provider can go on with it.

    Raises:
        asyncio.CancelledError: the caller left or the worker stops; the entry is written.
    """
    cut: TollwayError | None = None
    data = b""
    try:
        data = await _pass_events(exchange, reply, parser, caller)
    except asyncio.CancelledError:
        settle_left(recorder, exchange, caller, *_counted(exchange, parser, ended=False))
        raise
    except UpstreamError as error:
        cut = error
    if cut is None and parser.torn:
        cut = UpstreamCutError("it ended in the middle of an event.")
    answer, source = _counted(exchange, parser, ended=cut is None)
    if cut is not None and resumable and (rest := _rest(exchange, parser)) is not None:
        if separator := parser.take_break():
            await caller.write(separator)
        return Ended(cut=True, answer=answer, rest=rest)
    whole = cut is None and not parser.failed and (parser.done or source is UsageSource.PROVIDER)
    entry = settle_stream(recorder, exchange, answer, source, "" if whole else StreamCutError.code)
    if durable is not None:
        await durable()
    cost = b": x-tollway-cost " + usd_text(entry.charge).encode() + b"\n\n"
    if cut is not None:
        told = exchange.inbound.dialect.error_event(cut_error(exchange, cut))
        await caller.finish(parser.take_break() + cost + told, whole=False)
        return Ended(cut=True, answer=answer)
    end = parser.take_end() if parser.done and not parser.failed else without_secrets(parser.take_end(), reply.shown)
    await caller.finish(data + cost + end if parser.done or not end else end, whole=whole)
    with contextlib.suppress(UpstreamError, TimeoutError):  # the caller has all of it; only the connection is at stake
        async with asyncio.timeout(_LINGER_S):
            await reply.upstream.read()
    return Ended(cut=parser.failed, answer=answer)


async def _pass_events(exchange: Exchange, reply: Reply, parser: StreamReader, caller: Caller) -> bytes:
    """Pass events until the end mark or the end of the stream; return those that came with the end mark."""
    data = reply.first
    begins = not data
    if data:
        exchange.passed(len(data))
    while not parser.done:
        if data:
            await caller.write(data)
        chunk = await reply.upstream.read()
        if chunk is None:
            parser.finish()
            return b""
        data = parser.feed(chunk)
        if data:
            if parser.failed:
                data = without_secrets(data, reply.shown)
            if begins:
                reply.waited_us, begins = exchange.attempt_us(), False
            exchange.passed(len(data))
    return data


def _counted(exchange: Exchange, parser: StreamReader, *, ended: bool) -> tuple[Answer, UsageSource]:
    """The provider's count, else ours of what was delivered.

    A count of a part of the answer is an estimate: the provider may have gone on when the caller left. Some tell the
    input at the beginning, and the output at the end only: then the output is ours.
    """
    answer = parser.answer()
    told = answer.usage
    if told is not None and (parser.done or parser.counted or (ended and not parser.failed)):
        return answer, UsageSource.PROVIDER
    ours = estimate(exchange, parser.delivered_texts(), model=answer.model)
    if told is None or ours.usage is None:
        return ours, UsageSource.ESTIMATED
    missing = max(ours.usage.output_total - told.output_total, 0)
    usage = msgspec.structs.replace(told, output=told.output + missing)
    return msgspec.structs.replace(answer, usage=usage), UsageSource.ESTIMATED


def _rest(exchange: Exchange, parser: StreamReader) -> Call | None:
    """What asks for the rest of the answer."""
    dialect = exchange.inbound.dialect
    if parser.failed or not isinstance(dialect, Continuing):
        return None
    told = "".join(parser.delivered_texts())
    return dialect.continued(exchange.call, told) if len(told) < DELIVERED_KEPT_MAX else None


def cut_error(exchange: Exchange, cut: TollwayError) -> StreamCutError:
    """What the caller is told of a stream that broke off."""
    error = StreamCutError(
        f"The stream of provider {exchange.target.deployment.name!r} broke off: {cut.message}",
        next_step="What came so far is metered. Try again.",
    )
    error.request_id = exchange.inbound.request_id
    return error
