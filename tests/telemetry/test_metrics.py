"""Counters of all workers together."""

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.entries import an_entry
from tollway.ledger.entry import LedgerEntry, Outcome, UsageSource
from tollway.ledger.usage import Usage
from tollway.telemetry import metrics as module
from tollway.telemetry.metrics import METRICS, Metrics


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Sample name and label values → value."""
    families = text_string_to_metric_families(page.decode())
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_sums_of_all_workers_are_added_up(tmp_path: Path) -> None:
    workers = [Metrics(tmp_path, number) for number in range(3)]
    entry: LedgerEntry = an_entry()
    for each in workers:
        each.ended(entry)
        each.refused("chat", "invalid_api_key")
        each.save()
    found = samples(workers[0].render())
    assert found["tollway_requests_total", "ok", "openai", "200", "chat"] == 3
    assert found["tollway_refusals_total", "invalid_api_key", "chat"] == 3
    assert found["tollway_tokens_total", "input", "openai"] == 3 * entry.usage.input_total
    assert found["tollway_tokens_total", "output", "openai"] == 3 * entry.usage.output_total
    assert found["tollway_charge_usd_total", "openai"] == pytest.approx(3 * entry.charge / 1e12)
    assert found["tollway_request_duration_seconds_count", "chat"] == 3
    assert found["tollway_request_duration_seconds_sum", "chat"] == pytest.approx(3 * entry.duration_us / 1e6)


def test_rendering_twice_counts_once(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 1)
    metrics.ended(an_entry())
    assert metrics.render() == metrics.render()


def requests(metrics: Metrics) -> float:
    return samples(metrics.render())["tollway_requests_total", "ok", "openai", "200", "chat"]


def test_who_takes_the_place_of_a_dead_worker_goes_on_from_its_counts_in_its_file(tmp_path: Path) -> None:
    dead, other = Metrics(tmp_path, 1), Metrics(tmp_path, 2)
    dead.ended(an_entry())
    dead.refused("chat", "invalid_api_key")
    dead.save()
    assert requests(other) == 1
    for lives in range(2, 5):
        successor = Metrics(tmp_path, 1)
        successor.ended(an_entry())
        assert requests(successor) == requests(other) == lives
    assert samples(other.render())["tollway_refusals_total", "invalid_api_key", "chat"] == 1
    assert len(list((tmp_path / "metrics").iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x01"])
def test_a_file_that_cannot_be_read_keeps_no_worker_from_starting(tmp_path: Path, content: bytes) -> None:
    Metrics(tmp_path, 1).save()
    (file,) = (tmp_path / "metrics").iterdir()
    file.write_bytes(content)
    fresh = Metrics(tmp_path, 1)
    fresh.ended(an_entry())
    assert requests(fresh) == 1


def test_counters_begin_anew_with_tollway(tmp_path: Path) -> None:
    present = Metrics(tmp_path, 1)
    present.ended(an_entry())
    present.save()
    folder, parent = tmp_path / "metrics", os.getppid()
    (file,) = folder.iterdir()
    stale = [folder / f"{name}{file.suffix}" for name in ("0-1-1", f"{parent}-1-1")]  # of supervisors that are gone
    stale.append(folder / "0-1-1.partial")
    for each in stale:
        each.write_bytes(file.read_bytes())
    assert requests(Metrics(tmp_path, 1)) == 1
    assert not [each for each in stale if each.exists()]


def test_each_kind_of_end_is_counted_apart(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 1)
    metrics.ended(an_entry(stream=True))
    metrics.ended(an_entry(outcome=Outcome.UPSTREAM_TIMEOUT, status=504, usage_source=UsageSource.NONE))
    metrics.ended(an_entry(priced=False, usage_source=UsageSource.ESTIMATED, usage=Usage(input=1)))
    found = samples(metrics.render())
    assert found["tollway_requests_total", "upstream_timeout", "openai", "504", "chat"] == 1
    assert found["tollway_unpriced_requests_total", "openai"] == 1
    assert found["tollway_estimated_requests_total", "openai"] == 1
    assert found["tollway_tokens_total", "input", "openai"] == 1_001
    assert found["tollway_first_byte_seconds_count", "chat"] == 1


def test_buckets_are_cumulative_and_hold_every_duration(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 1)
    for duration_us in (0, 5_000, 5_001, 10**12):
        metrics.ended(an_entry(duration_us=duration_us))
    found = samples(metrics.render())
    name = "tollway_request_duration_seconds_bucket"
    assert [found[name, le, "chat"] for le in ("0.005", "0.01", "120.0", "+Inf")] == [2, 3, 3, 4]


def test_series_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SERIES_MAX", 3)
    metrics = Metrics(tmp_path, 1)
    for number in range(10):
        metrics.ended(an_entry(provider=f"p{number}"))
    assert len(metrics._series) == 3


def test_labels_cannot_break_the_page(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 1)
    metrics.ended(an_entry(provider='a"b\\c\nd'))
    assert ("tollway_requests_total", "ok", 'a"b\\c\nd', "200", "chat") in samples(metrics.render())


def test_every_metric_that_is_documented_is_on_the_page(tmp_path: Path) -> None:
    page = Metrics(tmp_path, 1).render().decode()
    assert all(f"# HELP {name}" in page for name in METRICS)
