import asyncio

from tollway.ledger.lease import Lease
from tollway.ledger.quota import Period, Quota, Unit, WindowRef
from tollway.services.leases.line import LeaseLine, Waiter


def a_lease(free: int = 0) -> Lease:
    lease = Lease(Quota("q", "o", Unit.USD, Period.TOTAL, 1_000), WindowRef("q", 0, "", 0), 1)
    lease.granted = lease.free = free
    return lease


def woken(waiters: list[Waiter]) -> list[int]:
    return [number for number, waiter in enumerate(waiters) if waiter.woken.done()]


async def test_what_is_freed_wakes_as_many_as_it_suffices_for_and_is_promised_once() -> None:
    line, lease = LeaseLine(), a_lease()
    waiters = [line.join([(lease, 10)], "") for _ in range(4)]
    lease.free = 25
    line.wake_fitting(lease)
    line.wake_fitting(lease)
    assert woken(waiters) == [0, 1]
    for waiter in waiters[:2]:
        line.leave(waiter)
        assert lease.hold(10)
    assert lease.waiting == 2
    line.wake_fitting(lease)
    assert woken(waiters) == [0, 1]
    lease.free += 5
    line.wake_fitting(lease)
    assert woken(waiters) == [0, 1, 2]


async def test_nobody_overtakes_one_who_needs_more_of_the_same() -> None:
    line, lease = LeaseLine(), a_lease()
    waiters = [line.join([(lease, amount)], "") for amount in (100, 1)]
    lease.free = 50
    line.wake_fitting(lease)
    assert woken(waiters) == []


async def test_one_who_lacks_something_else_keeps_nobody_waiting() -> None:
    line, lease, other = LeaseLine(), a_lease(), a_lease()
    waiters = [line.join([(lease, 10), (other, 10)], ""), line.join([(lease, 10)], "")]
    lease.free = 10
    line.wake_fitting(lease)
    assert woken(waiters) == [1]
    lease.free = 20
    other.free = 10
    line.wake_fitting(other)
    assert woken(waiters) == [0, 1]


async def test_keys_take_turns_and_one_that_comes_later_does_not_wait_for_all_of_anothers() -> None:
    line, lease = LeaseLine(), a_lease()
    order: list[str] = []
    waiters = [line.join([(lease, 1)], key) for key in ("a", "a", "a", "b", "a", "b", "c")]
    for waiter in waiters:
        waiter.woken.add_done_callback(lambda _, key=waiter.key: order.append(key))
    line.wake_all([lease], until=line.last())
    await asyncio.sleep(0)
    assert order == ["a", "b", "c", "a", "b", "a", "a"]


async def test_an_answer_wakes_only_those_who_had_come_when_it_was_asked_for() -> None:
    line, lease = LeaseLine(), a_lease()
    early = line.join([(lease, 1)], "")
    until = line.last()
    late = line.join([(lease, 1)], "")
    line.wake_all([lease], until=until)
    assert woken([early, late]) == [0]


async def test_whoever_leaves_takes_neither_a_place_nor_a_promise_along() -> None:
    line, lease, other = LeaseLine(), a_lease(), a_lease()
    waiters = [line.join([(lease, 10), (other, 3)], "key") for _ in range(3)]
    assert line.needs(lease) == (10, 30)
    assert (lease.waiting, other.waiting) == (3, 3)
    lease.free = other.free = 10
    line.wake_fitting(lease)
    for waiter in waiters:
        line.leave(waiter)
    assert line.needs(lease) == (0, 0)
    assert (lease.waiting, other.waiting) == (0, 0)
    fresh = line.join([(lease, 10)], "key")
    line.wake_fitting(lease)
    assert fresh.woken.done()
