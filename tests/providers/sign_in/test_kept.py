import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.waiting import eventually
from tollway.providers.sign_in import kept as module
from tollway.providers.sign_in.grant import Grant, SignInRefused
from tollway.providers.sign_in.kept import KeptGrant

HOUR_S = 3_600.0


class Cloud:
    """Gives a new token each time; `lives_s` each, or fails."""

    def __init__(self, *, lives_s: float = HOUR_S) -> None:
        self.lives_s = lives_s
        self.asked = 0
        self.fails: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> Grant:
        self.asked += 1
        assert self.open.wait(100)
        if self.fails is not None:
            raise self.fails
        return Grant(time.time() + self.lives_s, token=str(self.asked))


@pytest.fixture
def keep() -> Iterator[Callable[[Callable[[], Grant]], KeptGrant]]:
    executor = ThreadPoolExecutor(2)
    made: list[KeptGrant] = []

    def make(fetch: Callable[[], Grant]) -> KeptGrant:
        made.append(KeptGrant(fetch, executor, name="test"))
        return made[-1]

    yield make
    executor.shutdown(cancel_futures=True)


Keep = Callable[[Callable[[], Grant]], KeptGrant]


async def test_all_who_wait_share_one_question_and_one_who_leaves_does_not_spoil_it(keep: Keep) -> None:
    cloud = Cloud()
    cloud.open.clear()
    kept = keep(cloud)
    waiting = [asyncio.create_task(kept.get()) for _ in range(20)]
    await eventually(lambda: cloud.asked == 1)
    waiting[0].cancel()
    cloud.open.set()
    grants = await asyncio.gather(*waiting[1:])
    assert {grant.token for grant in grants} == {"1"}
    assert cloud.asked == 1
    assert kept.ready() is grants[0]
    kept.close()


async def test_a_grant_that_is_used_is_fetched_again_before_it_expires_and_nobody_waits(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < module._wait_s(Grant(time.time() + HOUR_S)) < HOUR_S - module.SPARE_S
    waits_s = iter([0.01])
    monkeypatch.setattr(module, "_wait_s", lambda _: next(waits_s, HOUR_S))
    cloud = Cloud()
    kept = keep(cloud)
    await kept.get()
    await eventually(lambda: getattr(kept.ready(), "token", "") == "2")
    kept.close()


async def test_a_grant_that_nobody_uses_is_left_to_expire(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_wait_s", lambda _: 0.01)
    cloud = Cloud()
    kept = keep(cloud)
    await kept.get()
    await eventually(lambda: kept._timer is None and kept._task is None)
    assert cloud.asked == 2  # it was used since the first time, and not since the second
    kept.close()


async def test_a_grant_still_holds_while_the_cloud_refuses_to_renew_it(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_INTERVAL_MIN_S", 0.01)
    monkeypatch.setattr(module, "_wait_s", lambda _: 0.01)
    cloud = Cloud()
    kept = keep(cloud)
    first = await kept.get()
    cloud.fails = SignInRefused("no")
    await eventually(lambda: cloud.asked >= 2)
    assert await kept.get() is first
    kept.close()


@pytest.mark.parametrize(("told_s", "asked"), [(HOUR_S, 1), (0.0, 5)])
async def test_a_refusal_is_told_again_for_a_while_and_then_the_cloud_is_asked_again(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, told_s: float, asked: int
) -> None:
    monkeypatch.setattr(module, "_REFUSED_S", told_s)
    cloud = Cloud()
    cloud.fails = SignInRefused("no such account")
    kept = keep(cloud)
    for _ in range(5):
        with pytest.raises(SignInRefused, match="no such account"):
            await kept.get()
    assert cloud.asked == asked
    kept.close()


@pytest.mark.parametrize("fault", [RuntimeError("a secret perhaps"), KeyError("x")])
async def test_a_defect_of_a_library_is_a_refusal_that_does_not_quote_it(keep: Keep, fault: Exception) -> None:
    cloud = Cloud()
    cloud.fails = fault
    kept = keep(cloud)
    with pytest.raises(SignInRefused) as refusal:
        await kept.get()
    assert "secret" not in refusal.value.reason
    kept.close()


async def test_a_cloud_that_does_not_answer_is_given_up(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_TIMEOUT_S", 0.01)
    cloud = Cloud()
    cloud.open.clear()
    kept = keep(cloud)
    with pytest.raises(SignInRefused, match="in time"):
        await kept.get()
    cloud.open.set()
    kept.close()


async def test_what_has_expired_already_is_no_grant(keep: Keep) -> None:
    kept = keep(Cloud(lives_s=-1))
    with pytest.raises(SignInRefused, match="clock"):
        await kept.get()
    kept.close()


@pytest.mark.parametrize(("new_s", "asked"), [(0.0, 2), (HOUR_S, 1)])
async def test_a_grant_that_a_provider_refused_is_fetched_anew_unless_it_is_new(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, new_s: float, asked: int
) -> None:
    monkeypatch.setattr(module, "_NEW_S", new_s)
    cloud = Cloud()
    kept = keep(cloud)
    await kept.get()
    await eventually(lambda: time.monotonic() > kept._fetched_s)
    kept.distrust()
    await kept.get()
    assert cloud.asked == asked
    kept.close()


async def test_what_is_retired_is_fetched_no_more_and_who_waits_for_it_gets_it(keep: Keep) -> None:
    cloud = Cloud()
    cloud.open.clear()
    kept = keep(cloud)
    waiting = asyncio.create_task(kept.get())
    await eventually(lambda: cloud.asked == 1)
    kept.retire()
    cloud.open.set()
    assert {(await waiting).token} == {"1"}
    assert kept._timer is None
