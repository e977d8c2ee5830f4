"""``python -m bench.overspend``: how far does a budget worth 1,000 requests go under 500 callers at once?

Each gateway is asked 2,000 times, 500 at a time, by callers that do not ask again. The judge is the provider's own
count: what it served beyond 1,000 requests was overspent, what it served less was not used.
"""

import asyncio
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.ask import Shape, ask
from bench.budgeted import BUDGET_REQUESTS, GATEWAYS, AnyLLM, BudgetedTollway
from bench.machine import describe
from bench.processes import NotReadyError
from bench.scene import scene
from bench.target import NotInstalledError, Target

CALLERS = 500
REQUESTS = 2_000
DELAY_MS = 100
"""What the provider takes, ± half of it: so that many requests are under way while the budget ends."""
REPLY_TIMEOUT_S = 30.0
SETTLE_S = 2.0
"""Gateways that charge after the reply get time to charge the requests that tried them out."""


@dataclass(frozen=True)
class Row:
    """What became of one gateway's budget."""

    name: str
    what: str
    served: int
    seconds: float
    statuses: Counter[int]

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        over = max(self.served - BUDGET_REQUESTS, 0) / BUDGET_REQUESTS
        used = min(self.served, BUDGET_REQUESTS) / BUDGET_REQUESTS
        told = ", ".join(f"{count:,} x {status or 'broken'}" for status, count in sorted(self.statuses.items()))
        return (self.name, f"{self.served:,}", f"{over:.1%}", f"{used:.1%}", f"{self.seconds:.1f}", told, self.what)


async def burst(shape: Shape) -> Counter[int]:
    """All requests; the statuses that came, 0 for a connection that broke."""
    target = urllib.parse.urlsplit(shape.url)
    body = shape.body(stream=False)
    fields = dict(shape.headers) | {"host": target.netloc, "content-length": str(len(body))}
    head = f"POST {target.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = head.encode() + b"\r\n" + body
    left = iter(range(REQUESTS))
    statuses: Counter[int] = Counter()
    callers = (_caller(target.hostname or "", target.port or 80, request, left, statuses) for _ in range(CALLERS))
    await asyncio.gather(*callers)
    return statuses


async def _caller(host: str, port: int, request: bytes, left: Iterator[int], statuses: Counter[int]) -> None:
    """One caller asks on connections of its own, one after the other, as long as requests are left."""
    for _ in left:
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                statuses[await _ask(host, port, request)] += 1
        except (OSError, asyncio.IncompleteReadError, ValueError):
            statuses[0] += 1


async def _ask(host: str, port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        line = await reader.readline()
        await reader.read()
        return int(line.split()[1]) if line else 0
    finally:
        writer.close()


def _measure(kind: type[Target]) -> Row:
    """Start one gateway before a provider, and let the callers loose."""
    target = kind()
    with scene(target, delay_ms=DELAY_MS) as on:
        ask(on.shape)
        time.sleep(SETTLE_S)
        before = 0  # where the budget is there from the start, what tried it out is spent from it
        if isinstance(target, BudgetedTollway | AnyLLM):
            target.set_budget()
            time.sleep(SETTLE_S)
            before = on.served()
        started = time.monotonic()
        statuses = asyncio.run(burst(on.shape))
        seconds = time.monotonic() - started
        time.sleep(SETTLE_S)
        return Row(target.name, target.what, on.served() - before, seconds, statuses)


def main() -> int:
    """Measure those named on the command line, or all, and print the table."""
    wanted = set(sys.argv[1:])
    print(describe().sentence, end="\n\n")
    print("| gateway | served | overspent | used | seconds | callers were told | with |", "|---" * 7 + "|", sep="\n")
    for kind in GATEWAYS:
        if wanted and kind.name not in wanted:
            continue
        try:
            cells = _measure(kind).cells
        except (NotInstalledError, NotReadyError, OSError) as error:
            cells = (kind.name, "-", "-", "-", "-", f"not measured: {error}", kind.what)
        print("| " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
