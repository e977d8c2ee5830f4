"""Callers: each sends one request after the other, as well-behaved ones do, or leaves in the middle."""

import asyncio
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.cast import CALLERS, Caller, Cast, Request
from support import raw

TASKS_A_CALLER = 5
THINKS_S = 0.06
_PATIENCE_S = 90.0
"""Longer than any fault: whoever has no answer by then never gets one."""
_RETRIES_AFTER_S = 0.25
_TRIES_MAX = 8
_FINAL = frozenset({200, 400, 402, 403, 404, 422})
REPLAYED = "x-tollway-replayed"


@dataclass(frozen=True)
class Heard:
    """What a caller got for one try; `done`: a stream that came to its end mark, or no stream."""

    status: int
    whole: bool
    done: bool
    left: bool
    replayed: bool
    digest: bytes
    error: str
    began_s: float
    took_s: float

    @property
    def served(self) -> bool:
        """Whether the caller had all of an answer."""
        return self.status == 200 and self.whole and self.done


@dataclass
class Load:
    """All callers, until told to stop.

    Attributes:
        url: where they send to.
        keys: by the callers' names.
        sent: every request by its mark.
        heard: what came back, by mark, in the order of the tries.
    """

    url: str
    keys: Mapping[str, str]
    cast: Cast
    rng: random.Random
    sent: dict[str, Request] = field(default_factory=dict)
    heard: dict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    stopped: bool = False

    async def run(self) -> None:
        """Send until stopped, then wait for the last answers."""
        await asyncio.gather(*(self._calls(caller) for caller in CALLERS for _ in range(TASKS_A_CALLER)))

    async def _calls(self, caller: Caller) -> None:
        rng = random.Random(self.rng.random())
        while not self.stopped:
            request = self.cast.request(caller, rng)
            self.sent[request.mark] = request
            heard = await self._until_final(request) if request.idempotency_key else await self._try(request)
            await asyncio.sleep(_pause_s(heard, rng))

    async def _until_final(self, request: Request) -> Heard:
        """Try again until the outcome is known, and then once more: it must be the same."""
        heard = await self._try(request)
        request.leave_after_s = None
        for _ in range(_TRIES_MAX):
            if self.stopped or (heard.whole and heard.status in _FINAL):
                break
            await asyncio.sleep(_RETRIES_AFTER_S)
            heard = await self._try(request)
        return await self._try(request) if heard.served else heard

    async def _try(self, request: Request) -> Heard:
        headers = [f"idempotency-key: {request.idempotency_key}"] if request.idempotency_key else []
        body = json.dumps(request.body).encode()
        sent = raw.request("/v1/chat/completions", body, key=self.keys[request.caller.name], headers=headers)
        began_s = time.monotonic()
        request.began_s = request.began_s or began_s
        answer = await raw.exchange_async(self.url, sent, leave_after_s=request.leave_after_s or _PATIENCE_S)
        heard = Heard(
            status=answer.status,
            whole=answer.whole,
            done=not request.stream or answer.body.rstrip().endswith(b"data: [DONE]"),
            left=request.leave_after_s is not None,
            replayed=answer.headers.get(REPLAYED) == "true",
            digest=hashlib.sha256(answer.body).digest(),
            error=_error(answer),
            began_s=began_s,
            took_s=time.monotonic() - began_s,
        )
        self.heard[request.mark].append(heard)
        return heard

    def served(self, caller: Caller, since_s: float) -> int:
        """Whole answers that this caller got to what was sent since then (monotonic clock)."""
        return sum(
            each.served and each.began_s > since_s
            for mark, tries in self.heard.items()
            for each in tries
            if self.sent[mark].caller is caller
        )

    @property
    def hung(self) -> list[str]:
        """Requests whose caller waited in vain."""
        return [mark for mark, tries in self.heard.items() if any(each.took_s >= _PATIENCE_S for each in tries)]


def _pause_s(heard: Heard, rng: random.Random) -> float:
    """As long as a caller thinks; longer if there is nothing to be had."""
    thinks_s = rng.uniform(0.0, THINKS_S)
    return thinks_s if heard.served or heard.left else thinks_s + _RETRIES_AFTER_S


def _error(answer: raw.Answer) -> str:
    if answer.status in {0, 200}:
        return ""
    try:
        return str(answer.error["code"])
    except (ValueError, KeyError, TypeError):
        return answer.body[:200].decode(errors="replace")
