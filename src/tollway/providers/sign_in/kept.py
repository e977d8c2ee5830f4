"""One identity's grant, kept fresh: fetched once for all who wait, and again before it expires."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from tollway.providers.sign_in.grant import Grant, SignInRefused

FETCH_TIMEOUT_S = 20.0
"""For the cloud's answer. The libraries' own timeouts are shorter; this is for those they forget."""
SPARE_S = 30.0
"""A grant is not used so shortly before it expires: the clocks differ, and the request takes time."""
_AHEAD_S = 300.0
_AHEAD_PART = 0.2
"""It is fetched anew so long before it expires, or with this part of its life left if that is later."""
_INTERVAL_MIN_S = 10.0
"""Between two fetches ahead of time: some clouds give the same token until shortly before it expires."""
_REFUSED_S = 5.0
"""A refusal is told again for so long, instead of asking the cloud for each request."""
_NEW_S = 30.0
"""What was fetched so shortly before is not the reason for a provider's refusal."""

_log = structlog.get_logger(__name__)


class KeptGrant:
    """Keeps one grant. It is fetched ahead of time for as long as it is used."""

    def __init__(self, fetch: Callable[[], Grant], executor: Executor, *, name: str) -> None:
        """Args: fetch: asks the cloud; blocks. executor: where it does. name: for the log."""
        self._fetch = fetch
        self._executor = executor
        self._name = name
        self._grant: Grant | None = None
        self._refused: tuple[float, SignInRefused] | None = None
        self._task: asyncio.Task[Grant] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._used = self._retired = False
        self._fetched_s = 0.0

    def ready(self) -> Grant | None:
        """The grant at hand, if it still holds. On the hot path."""
        grant = self._grant
        if grant is None or time.time() > grant.expires_at_s - SPARE_S:
            return None
        self._used = True
        return grant

    async def get(self) -> Grant:
        """A grant that holds.

        Raises:
            SignInRefused: there is none.
        """
        grant = self.ready()
        if grant is not None:
            return grant
        if self._refused is not None and time.monotonic() < self._refused[0]:
            raise self._refused[1]
        self._used = True
        return await asyncio.shield(self._begin())  # one who leaves does not take it from the others

    def distrust(self) -> None:
        """A provider refused what was granted: fetch it anew for the next request, unless it is new already."""
        if self._grant is not None and time.monotonic() - self._fetched_s > _NEW_S:
            self._grant = None

    def retire(self) -> None:
        """Fetch no more ahead of time: nobody new asks for it. Who waits for it already gets it."""
        self._retired = True
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """Fetch no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> asyncio.Task[Grant]:
        if self._task is None:
            self._task = asyncio.create_task(self._renew())
            self._task.add_done_callback(self._ended)
        return self._task

    async def _renew(self) -> Grant:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                grant = await loop.run_in_executor(self._executor, self._fetch)
        except TimeoutError:
            raise SignInRefused("It did not answer in time.") from None
        except SignInRefused:
            raise
        except Exception as error:  # what a library raises unforeseen must not end as a defect of ours
            raise SignInRefused(f"Its library failed with {type(error).__name__}.") from error
        if grant.expires_at_s - SPARE_S <= time.time():
            raise SignInRefused("What it gave has expired already; is the clock of this machine right?")
        return grant

    def _ended(self, task: asyncio.Task[Grant]) -> None:
        self._task = None
        if task.cancelled():
            return
        try:
            self._grant = task.result()
        except SignInRefused as refused:
            self._refused = (time.monotonic() + _REFUSED_S, refused)
            _log.warning("cloud_sign_in_refused", identity=self._name, reason=refused.reason)
        else:
            self._refused = None
            self._fetched_s = time.monotonic()
            self._schedule(_wait_s(self._grant))
            return
        if self._grant is not None:
            self._schedule(_REFUSED_S)

    def _schedule(self, wait_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._retired:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._renew_ahead)

    def _renew_ahead(self) -> None:
        """Nobody waits for this one. What was not used since the last time is left to expire."""
        self._timer = None
        if self._used:
            self._used = False
            _ = self._begin()


def _wait_s(grant: Grant) -> float:
    left_s = grant.expires_at_s - time.time()
    return max(left_s - min(_AHEAD_S, left_s * _AHEAD_PART) - SPARE_S, _INTERVAL_MIN_S)
