"""Pass a whole reply on as it comes: sound, which is long, and of which the count is known before it has come."""

from collections.abc import Awaitable, Callable

from tollway.errors import JournalUnavailableError, StreamCutError, UpstreamError
from tollway.ledger.entry import UsageSource
from tollway.ledger.money import usd_text
from tollway.ledger.rating import rate
from tollway.providers.adapter import Answer
from tollway.services.inference.ask import Reply
from tollway.services.inference.ending import settle_stream
from tollway.services.inference.exchange import Caller, Exchange
from tollway.services.inference.record import Recorder
from tollway.services.inference.reply_headers import reply_headers


async def flow(
    exchange: Exchange,
    reply: Reply,
    answer: Answer,
    caller: Caller,
    *,
    recorder: Recorder,
    durable: Callable[[], Awaitable[None]] | None,
    source: UsageSource,
) -> None:
    """Pass it on; its last byte waits until its entry is written. One that breaks off has no end for the caller.

    Args:
        exchange: the request.
        reply: the provider's, of which the beginning is there.
        answer: what is counted.
        caller: who gets it.
        recorder: enters it.
        durable: see `Relay`.
        source: who counted.
    """
    upstream, held, cut = reply.upstream, b"", False
    chunk: bytes | None = reply.body
    try:
        headers = reply_headers(exchange, upstream, cost=_cost(exchange, answer), length=_length(reply))
        await caller.start(upstream.status, headers)
        while chunk is not None:
            exchange.passed(len(chunk))
            await caller.write(held + chunk[:-1])
            held = chunk[-1:]
            chunk = await upstream.read()
    except UpstreamError:
        cut = True
    finally:
        upstream.close()
    try:
        settle_stream(recorder, exchange, answer, source, StreamCutError.code if cut else "")
        if durable is not None:
            await durable()
    except JournalUnavailableError:  # it is kept, and tried again; a sound has no room for the words
        cut = True
    if cut:
        await caller.write(held)
    await caller.finish(b"" if cut else held, whole=not cut)


def _cost(exchange: Exchange, answer: Answer) -> str:
    """What the entry will say: the model is the one that was asked, and its count is there."""
    sheet, usage = exchange.target.sheet, answer.usage
    before = 0 if exchange.spent is None else exchange.spent.charge
    return usd_text(before + (0 if sheet is None or usage is None else rate(usage, sheet).total))


def _length(reply: Reply) -> int | None:
    """The size of the body, if the provider told it."""
    told = dict(reply.upstream.headers).get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else None
