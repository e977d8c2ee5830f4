"""Pass a whole reply on as it comes: sound, which is long, and of which the count is known before it has come."""

from collections.abc import Awaitable, Callable

from tollway.errors import JournalUnavailableError, StreamCutError, UpstreamError, UpstreamTooLargeError
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
) -> UpstreamError | None:
    """Pass it on; its last byte waits until its entry is written. One that breaks off has no end for the caller.

    Args:
        exchange: the request.
        reply: the provider's, of which the beginning is there.
        answer: what is counted.
        caller: who gets it.
        recorder: enters it.
        durable: see `Relay`.
        source: who counted.

    Returns:
        What it was cut by; ``None`` if the provider gave all of it.
    """
    upstream, held = reply.upstream, b""
    cut: UpstreamError | None = None
    chunk: bytes | None = reply.body
    try:
        headers = reply_headers(exchange, upstream, cost=_cost(exchange, answer), length=upstream.length)
        await caller.start(upstream.status, headers)
        while chunk is not None:
            upstream.check_size(exchange.response_bytes + len(chunk), reply.flows_bytes)
            exchange.passed(len(chunk))
            await caller.write(held + chunk[:-1])
            held = chunk[-1:]
            chunk = await upstream.read()
    except UpstreamError as error:
        cut = error
    finally:
        upstream.close()
    whole = cut is None
    try:
        settle_stream(recorder, exchange, answer, source, _code(cut))
        if durable is not None:
            await durable()
    except JournalUnavailableError:  # it is kept, and tried again; a sound has no room for the words
        whole = False
    if not whole:
        await caller.write(held)
    await caller.finish(held if whole else b"", whole=whole)
    return cut


def _code(cut: UpstreamError | None) -> str:
    """What the entry says of a sound that was cut, by the provider or because it has no end."""
    if cut is None:
        return ""
    return cut.code if isinstance(cut, UpstreamTooLargeError) else StreamCutError.code


def _cost(exchange: Exchange, answer: Answer) -> str:
    """What the entry will say: the model is the one that was asked, and its count is there."""
    sheet, usage = exchange.target.sheet, answer.usage
    before = 0 if exchange.spent is None else exchange.spent.charge
    return usd_text(before + (0 if sheet is None or usage is None else rate(usage, sheet).total))
