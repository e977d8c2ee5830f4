"""The plan of a run follows from its seed alone."""

from itertools import pairwise

import pytest

from chaos.schedule import KINDS, Database, Event, Fault, plan

SEEDS = range(60)


@pytest.mark.parametrize("seed", [1, 7, 4_711])
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    first, second = (plan(seed, faults_s=18, small_disk=True) for _ in range(2))
    assert first == second
    assert first.rng("load").random() == second.rng("load").random()


def test_a_journal_without_a_small_disk_changes_nothing_but_that() -> None:
    for seed in SEEDS:
        on_disk = [
            event for event in plan(seed, faults_s=18, small_disk=True).events if event.fault is not Fault.FILL_JOURNAL
        ]
        assert list(plan(seed, faults_s=18, small_disk=False).events) == on_disk


def test_some_seeds_have_every_fault_and_both_databases() -> None:
    plans = [plan(seed, faults_s=18, small_disk=True) for seed in SEEDS]
    assert {event.fault for each in plans for event in each.events} == set(Fault)
    assert {each.database for each in plans} == set(Database)


def test_no_two_faults_of_a_group_happen_at_a_time() -> None:
    for seed in SEEDS:
        groups: dict[str, list[Event]] = {}
        for event in plan(seed, faults_s=30, small_disk=True).events:
            groups.setdefault(KINDS[event.fault].group, []).append(event)
        for events in groups.values():
            assert all(first.at_s + first.lasts_s <= second.at_s for first, second in pairwise(events))
