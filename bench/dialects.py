"""``python -m bench.dialects``: what do translation, fallback and open streams cost?

One Tollway, one worker, one provider that speaks chat completions. Told:

- throughput of callers of ``/v1/messages``, translated, as a share of that of callers of the provider's own dialect, in
  alternating rounds; and the same of streams, in events;
- how long one stream of 10,000 events takes in either dialect;
- what a request takes longer whose first deployment refuses the connection;
- the worker's memory with 2,000 streams open at once.
"""

import asyncio
import json
import resource
import statistics
import sys
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import psutil

from bench.ask import Shape, ask
from bench.load import Load, closed_loop
from bench.machine import describe
from bench.processes import cpu_s
from bench.prompt import QUESTION, SYSTEM
from bench.scene import Scene, scene
from bench.target import UPSTREAM_MODEL, free_port
from bench.targets.tollway import PROVIDER, Tollway

ROUNDS = 5
ROUND_S = 4
CONNECTIONS = 64
STREAM_CONNECTIONS = 16
LONG_EVENTS = 10_000
FALLBACKS = 20
OPEN_STREAMS = 2_000
PACE_MS = 1_000.0
SETTLE_S = 8.0
OPENING_TIMEOUT_S = 30.0
_KIB = 1_024


@dataclass(frozen=True)
class MessagesShape(Shape):
    """The same request in the dialect of messages."""

    def body(self, *, stream: bool) -> bytes:
        """The JSON body."""
        said = [{"role": "user", "content": QUESTION}]
        body: dict[str, object] = {"model": self.model, "system": SYSTEM, "messages": said, "max_tokens": 256}
        body["temperature"] = 0.2
        return json.dumps(body | ({"stream": True} if stream else {}), separators=(",", ":")).encode()


class ManyPlaces(Tollway):
    """With a place for each stream."""

    settings: ClassVar[dict[str, str]] = {"TOLLWAY_MAX_CONCURRENT_REQUESTS": str(2 * OPEN_STREAMS)}


def main() -> int:
    """Measure and print."""
    print(describe().sentence, end="\n\n")
    with scene(Tollway()) as on:
        both = (on.shape, _messages(on.shape))
        print("| requests | own dialect /s | translated /s | CPU µs a request, own / translated | share |")
        print("|---|---|---|---|---|")
        for stream in (False, True):
            print(_throughput(on, both, stream=stream), flush=True)
        print(f"\n{_fallback(on)}", flush=True)
    with scene(Tollway(), events=LONG_EVENTS) as on:
        print(_long_stream((on.shape, _messages(on.shape))), flush=True)
    with scene(ManyPlaces(), pace_ms=PACE_MS) as on:
        print(asyncio.run(_open_streams(on)))
    return 0


def _messages(shape: Shape) -> Shape:
    url = shape.url.replace("/chat/completions", "/messages")
    return MessagesShape(url, shape.headers, shape.model)


def _throughput(on: Scene[Tollway], shapes: Sequence[Shape], *, stream: bool) -> str:
    rounds: list[list[tuple[Load, float]]] = [[], []]
    for _ in range(ROUNDS + 1):
        for index, shape in enumerate(shapes):
            rounds[index].append(_round(on, shape, stream=stream))
    own, translated = (each[1:] for each in rounds)  # the first of each was for warming up
    speeds = [statistics.median(load.per_s for load, _ in each) for each in (own, translated)]
    costs = [statistics.median(cpu for _, cpu in each) for each in (own, translated)]
    failed = sum(load.errors for load, _ in own + translated)
    name = "streams of 200 events" if stream else "plain"
    shown = f"| {name} | {speeds[0]:,.0f} | {speeds[1]:,.0f} | {costs[0]:.0f} / {costs[1]:.0f}"
    return f"{shown} | {speeds[1] / speeds[0]:.2f}{f' ({failed} failed)' if failed else ''} |"


def _round(on: Scene[Tollway], shape: Shape, *, stream: bool) -> tuple[Load, float]:
    """One round, and the worker's CPU microseconds a request."""
    before_s = cpu_s(on.target.worker_pids())
    connections = STREAM_CONNECTIONS if stream else CONNECTIONS
    load = closed_loop(shape, on.scratch, connections=connections, seconds=ROUND_S, stream=stream)
    used_s = cpu_s(on.target.worker_pids()) - before_s
    return load, used_s * 1e6 / max(load.requests, 1)


def _fallback(on: Scene[Tollway]) -> str:
    """Aliases of a deployment that is not there, each asked once: no breaker knows it yet."""
    dead = f"http://127.0.0.1:{free_port()}/v1"
    on.target.run_command("providers", "add", "dead", "--dialect", "openai", "--base-url", dead)
    on.target.run_command("prices", "set", "dead/*", "--input", "1", "--output", "1")
    live = f"{PROVIDER}/{UPSTREAM_MODEL}"
    times_ms: dict[str, list[float]] = {"fallback": [], "live": []}
    for number in range(FALLBACKS):
        on.target.run_command("aliases", "set", f"fallback-{number}", f"dead/model-{number}", live)
        on.target.run_command("aliases", "set", f"live-{number}", live)
    for number in range(FALLBACKS):
        for name, times in times_ms.items():
            shape = replace(on.shape, model=f"{name}-{number}")
            started = time.perf_counter()
            answer = ask(shape)
            times.append((time.perf_counter() - started) * 1_000)
            if answer.text() == "":
                return f"A fallback failed: {answer.status} {answer.body[:300]!r}"
    added_ms = statistics.median(times_ms["fallback"]) - statistics.median(times_ms["live"])
    return f"A fallback after a refused connection adds {added_ms:.2f} ms (median of {FALLBACKS}; goal: 5)."


def _long_stream(shapes: Sequence[Shape]) -> str:
    times_s: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for index, shape in enumerate(shapes):
            started = time.perf_counter()
            answer = ask(shape, stream=True)
            times_s[index].append(time.perf_counter() - started)
            whole = answer.body.count(b"text_delta") if index else answer.events()
            if whole < LONG_EVENTS:
                return f"A long stream was cut: {whole} of {LONG_EVENTS} events, {answer.body[-300:]!r}"
    own, translated = (statistics.median(each) for each in times_s)
    return f"A stream of {LONG_EVENTS:,} events takes {own:.2f} s in its own dialect, {translated:.2f} s translated."


async def _open_streams(on: Scene[Tollway]) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    worker = psutil.Process(on.target.worker_pids()[0])
    before = worker.memory_info().rss
    target = urllib.parse.urlsplit(on.shape.url)
    head = "".join(f"{name}: {value}\r\n" for name, value in on.shape.headers.items())
    body = on.shape.body(stream=True)
    request = f"POST {target.path} HTTP/1.1\r\nhost: bench\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    gate = asyncio.Semaphore(OPEN_STREAMS)  # the head of an answer comes with its first event

    opened: list[tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open_one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection(target.hostname, target.port)
            writer.write(request)
            opened.append((await reader.readuntil(b"\r\n"), reader, writer))

    try:
        async with asyncio.timeout(OPENING_TIMEOUT_S):
            await asyncio.gather(*(open_one() for _ in range(OPEN_STREAMS)))
    except TimeoutError:
        return f"Only {len(opened):,} of {OPEN_STREAMS:,} streams could be opened within {OPENING_TIMEOUT_S:g} s."
    await asyncio.sleep(SETTLE_S)
    during = worker.memory_info().rss
    served = sum(b" 200 " in line for line, _, _ in opened)
    for _, _, writer in opened:
        writer.close()
    each_kib = (during - before) / OPEN_STREAMS / _KIB
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        f"{served:,} of {OPEN_STREAMS:,} streams open at once on one worker: {before / _KIB**2:.0f} MB before, "
        f"{during / _KIB**2:.0f} MB meanwhile, {each_kib:.0f} KiB a stream."
    )


if __name__ == "__main__":
    sys.exit(main())
