"""Whatever is lost, late, killed or forgotten: no more is spent than a window allows, and nothing of it leaks."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.lease_world import HISTORY, LeaseWorker, WindowDatabase, a_quota
from tollway.ledger.lease import Ask
from tollway.ledger.quota import Unit

WORKERS_MAX = 5
S = 1_000_000
amounts = st.integers(0, 60)
places = st.integers(0, 20)


class LeaseMachine(RuleBasedStateMachine):
    """A rate limit of requests: what is used is told in the exchange."""

    unit = Unit.REQUESTS

    def __init__(self) -> None:
        super().__init__()
        self.quota = a_quota(self.unit)
        self.database = WindowDatabase()
        self.workers: list[LeaseWorker] = []
        self.on_the_way: list[tuple[LeaseWorker, Ask]] = []
        self.now_us = 0
        self.amount: int | None = 0
        self.recovering = False
        self.ceiling = 0
        self.overdraft = 0

    @property
    def live(self) -> list[LeaseWorker]:
        return [worker for worker in self.workers if worker.alive]

    def one(self, place: int) -> LeaseWorker:
        return self.live[place % len(self.live)]

    @initialize(amount=st.integers(0, 200))
    def begin_window(self, amount: int) -> None:
        self.amount = amount
        self.start_worker()

    @precondition(lambda self: len(self.live) < WORKERS_MAX)
    @rule()
    def start_worker(self) -> None:
        self.workers.append(LeaseWorker(len(self.workers), self.quota))

    @rule(place=places, amount=amounts)
    def begin_request(self, place: int, amount: int) -> None:
        self.one(place).begin(amount)

    @rule(place=places, which=places, percent=st.sampled_from([0, 1, 50, 100]))
    def end_request(self, place: int, which: int, percent: int) -> None:
        worker = self.one(place)
        if worker.running:
            which %= len(worker.running)
            worker.end(which, worker.running[which] * percent // 100)

    @rule(place=places, which=places, more=amounts)
    def end_request_that_used_more_than_it_held(self, place: int, which: int, more: int) -> None:
        worker = self.one(place)
        if worker.running:
            which %= len(worker.running)
            self.overdraft += more
            worker.end(which, worker.running[which] + more)

    @rule(place=places)
    def leave_line(self, place: int) -> None:
        self.one(place).leave_line()

    @rule(place=places, giving_back=st.booleans())
    def ask(self, place: int, giving_back: bool) -> None:  # noqa: FBT001 - a strategy fills it in by name
        worker = self.one(place)
        self.on_the_way.append((worker, worker.ask(self.now_us, giving_back=giving_back)))

    @precondition(lambda self: self.on_the_way)
    @rule(place=places, again=st.booleans())
    def deliver(self, place: int, again: bool) -> None:  # noqa: FBT001
        """In any order, and perhaps again later."""
        place %= len(self.on_the_way)
        worker, ask = self.on_the_way[place] if again else self.on_the_way.pop(place)
        self.exchange(worker, ask)

    @precondition(lambda self: self.on_the_way)
    @rule(place=places)
    def lose(self, place: int) -> None:
        self.on_the_way.pop(place % len(self.on_the_way))

    @rule(place=places)
    def answer(self, place: int) -> None:
        self.one(place).take_answer(self.now_us)

    @rule(place=places)
    def exchange_at_once(self, place: int) -> None:
        worker = self.one(place)
        self.exchange(worker, worker.ask(self.now_us))
        worker.take_answer(self.now_us)

    @rule(place=places)
    def recall(self, place: int) -> None:
        self.one(place).upkeep.recall(self.now_us)

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def wait(self, seconds: int) -> None:
        self.now_us += seconds * S

    @rule(place=places)
    def forget_lease(self, place: int) -> None:
        worker = self.one(place)
        worker.upkeep.look(self.now_us)
        if worker.upkeep.forgettable(self.now_us):
            worker.begin_lease(self.now_us)

    @rule(amount=st.none() | st.integers(0, 200))
    def change_amount(self, amount: int | None) -> None:
        self.amount = amount

    @invariant()
    def a_lease_adds_up(self) -> None:
        for worker in self.live:
            lease = worker.lease
            assert lease.free == lease.granted - lease.held - lease.spent
            assert lease.held == sum(worker.running)

    @invariant()
    def the_window_is_the_sum_of_its_leases(self) -> None:
        leases = self.database.leases.values()
        assert self.database.window.granted == sum(lease.granted - lease.spent for lease in leases)
        assert all(lease.spent <= lease.granted for lease in leases)

    @invariant()
    def no_more_is_spent_or_spendable_than_the_window_ever_allowed(self) -> None:
        assert sum(worker.exposure for worker in self.workers) <= self.ceiling + self.overdraft

    def exchange(self, worker: LeaseWorker, ask: Ask) -> None:
        grant = self.database.exchange(
            worker.number, ask, amount=self.amount, workers=len(self.live), recovering=self.recovering
        )
        if grant.granted > ask.have:
            window = self.database.window
            self.ceiling = max(self.ceiling, window.granted + window.settled if self.amount is None else self.amount)
        if ask is worker.asked:
            worker.answer = grant
            worker.told = True

    def come_to_rest(self) -> None:
        self.on_the_way.clear()
        for worker in self.live:
            worker.leave_line()
            while worker.running:
                worker.end(0, worker.running[0])
            worker.upkeep.ended = True
            for _ in range(2):  # what a limit's lease spent before its first answer is told after it
                self.exchange_at_once(self.live.index(worker))

    def teardown(self) -> None:
        if not self.workers:
            return
        self.come_to_rest()
        charges = 0 if self.unit is Unit.PARALLEL else sum(sum(worker.journal) for worker in self.workers)
        assert self.database.window.granted == 0
        assert self.database.window.settled == charges
        self.all_that_is_left_can_be_had(charges)

    def all_that_is_left_can_be_had(self, charges: int) -> None:
        left = (self.amount or 0) - charges
        if left > 0:
            self.start_worker()
            newcomer = len(self.live) - 1
            self.one(newcomer).begin(left)
            self.exchange_at_once(newcomer)
            assert self.one(newcomer).running == [left]


class ParallelMachine(LeaseMachine):
    """A limit of requests at a time: nothing is ever used up."""

    unit = Unit.PARALLEL


class BudgetMachine(LeaseMachine):
    """A budget: what is used is settled by the drain; and workers die, and databases forget."""

    unit = Unit.USD

    @rule(place=places, entries=st.integers(1, 3))
    def drain(self, place: int, entries: int) -> None:
        worker = self.workers[place % len(self.workers)]
        end = min(worker.drained + entries, len(worker.journal))
        for number in range(worker.drained, end):
            self.database.store(worker.number, number, worker.journal[number], settles=True)
        worker.drained = end

    @precondition(lambda self: len(self.live) > 1)
    @rule(place=places)
    def kill(self, place: int) -> None:
        worker = self.one(place)
        worker.die()
        self.on_the_way = [each for each in self.on_the_way if each[0] is not worker]

    @rule()
    def release_the_dead(self) -> None:
        for worker in self.workers:
            if not worker.alive and worker.drained == len(worker.journal):
                self.database.release(worker.number)

    @rule(commits=st.integers(1, HISTORY))
    def fail_over(self, commits: int) -> None:
        """The last commits are forgotten, connections break, and the drain sends all it has kept again."""
        self.database.forget(commits)
        self.recovering = True
        self.on_the_way.clear()
        for worker in self.workers:
            worker.told = False
            worker.drained = 0

    @precondition(lambda self: self.recovering)
    @rule()
    def end_recovery(self) -> None:
        """Ten seconds have passed: live workers have exchanged, and what was drained before is drained again."""
        for worker in self.workers:
            self.drain_all(worker)
            if worker.alive and not worker.told:
                self.exchange(worker, worker.ask(self.now_us))
        self.recovering = False

    def drain_all(self, worker: LeaseWorker) -> None:
        for number, charge in enumerate(worker.journal):
            self.database.store(worker.number, number, charge, settles=True)
        worker.drained = len(worker.journal)

    def come_to_rest(self) -> None:
        if self.recovering:
            self.end_recovery()
        super().come_to_rest()
        for worker in self.workers:
            self.drain_all(worker)
        self.release_the_dead()


FEW = settings(max_examples=60, stateful_step_count=40, deadline=None)
MANY = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestLimit = LeaseMachine.TestCase
TestLimit.settings = FEW
TestParallel = ParallelMachine.TestCase
TestParallel.settings = FEW
TestBudget = BudgetMachine.TestCase
TestBudget.settings = MANY


def test_what_a_forgotten_lease_had_spent_is_not_spent_again_after_a_failover_that_forgot_it_too() -> None:
    machine = BudgetMachine()
    machine.begin_window(100)
    machine.begin_request(0, 50)
    machine.exchange_at_once(0)
    machine.end_request(0, 0, 100)
    machine.drain(0, 1)
    for _ in range(2):
        machine.wait(100)
        machine.exchange_at_once(0)
    before = machine.one(0).lease
    machine.forget_lease(0)
    assert machine.one(0).lease is not before
    machine.fail_over(3)  # two exchanges and what the drain stored
    machine.exchange_at_once(0)
    machine.end_recovery()
    machine.begin_request(0, 30)
    machine.exchange_at_once(0)
    machine.no_more_is_spent_or_spendable_than_the_window_ever_allowed()
    assert machine.one(0).exposure <= 100
    machine.teardown()


def test_a_request_that_held_nothing_and_used_something_counts_once_on_a_lease_without_an_answer() -> None:
    for machine in (BudgetMachine(), LeaseMachine()):
        machine.begin_window(100)
        machine.begin_request(0, 0)
        machine.end_request_that_used_more_than_it_held(0, 0, 7)
        if isinstance(machine, BudgetMachine):
            machine.drain(0, 1)
        machine.exchange_at_once(0)
        assert machine.one(0).lease.spent == 7
        machine.teardown()


def test_an_exchange_that_arrives_late_takes_nothing_from_what_was_granted_since() -> None:
    machine = BudgetMachine()
    machine.begin_window(100)
    machine.ask(0, giving_back=True)
    machine.begin_request(0, 100)
    machine.exchange_at_once(0)
    machine.deliver(0, again=False)
    machine.start_worker()
    machine.begin_request(1, 100)
    machine.exchange_at_once(1)
    assert [worker.running for worker in machine.workers] == [[100], []]
    machine.teardown()


def test_what_a_failover_forgot_is_granted_to_nobody_else_before_its_holder_has_told_of_it() -> None:
    machine = BudgetMachine()
    machine.begin_window(100)
    machine.begin_request(0, 100)
    machine.exchange_at_once(0)
    machine.fail_over(1)
    machine.start_worker()
    machine.begin_request(1, 100)
    machine.exchange_at_once(1)
    machine.end_recovery()
    machine.exchange_at_once(1)
    assert [worker.running for worker in machine.workers] == [[100], []]
    machine.teardown()
