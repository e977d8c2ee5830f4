"""Metrics in Prometheus' form, counted for all workers together.

On the hot path a metric is an addition to a plain integer. Once a second a worker writes its sums to a file of its own;
whichever worker is asked for ``/metrics`` adds up the files. Who is started in the place of a worker that died goes on
from its sums, so that no counter goes backwards before Tollway is started anew.
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from tollway.ledger.entry import LedgerEntry, UsageSource
from tollway.ledger.money import usd_from_pico

_BOUNDS_US = (
    *(5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    *(1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000),
)
_DIRECTORY = "metrics"
_SUFFIX = ".metrics"
_SERIES_MAX = 10_000
"""Providers are few, outcomes and statuses bounded: reached only by mistake, and then new ones go uncounted."""
_NOBODY, _BY_US = UsageSource.NONE, UsageSource.ESTIMATED  # naming a member of an enum takes 0.2 µs

METRICS: dict[str, str] = {
    "tollway_requests_total": "Admitted requests that ended, by surface, provider, outcome and status.",
    "tollway_refusals_total": "Requests refused before admission, by surface and error code.",
    "tollway_replays_total": "Requests with an idempotency key that got the answer of an earlier one, by surface.",
    "tollway_tokens_total": "Tokens metered, by provider and direction.",
    "tollway_charge_usd_total": "Charges in USD, by provider. A float: the ledger has the exact sum.",
    "tollway_unpriced_requests_total": "Requests of which a part had no price, by provider.",
    "tollway_estimated_requests_total": "Requests whose usage Tollway estimated, by provider.",
    "tollway_request_duration_seconds": "From admission to the end, by surface.",
    "tollway_first_byte_seconds": "From admission to the first byte of a stream, by surface.",
}
"""Name → what it counts."""


class _Times(msgspec.Struct, array_like=True):
    """A histogram: counts by bucket (the last is above all bounds) and the sum in microseconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(_BOUNDS_US) + 1))
    sum_us: int = 0

    def add(self, duration_us: int) -> None:
        self.counts[bisect_left(_BOUNDS_US, duration_us)] += 1
        self.sum_us += duration_us

    def merge(self, other: "_Times") -> None:
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_us += other.sum_us


class _Series(msgspec.Struct, array_like=True):
    """The sums of one combination of surface, provider, outcome and status."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    charge_pico: int = 0
    unpriced: int = 0
    estimated: int = 0
    duration: _Times = msgspec.field(default_factory=_Times)
    first_byte: _Times = msgspec.field(default_factory=_Times)

    def merge(self, other: "_Series") -> None:
        self.requests += other.requests
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.charge_pico += other.charge_pico
        self.unpriced += other.unpriced
        self.estimated += other.estimated
        self.duration.merge(other.duration)
        self.first_byte.merge(other.first_byte)


class _Sums(msgspec.Struct):
    """All sums of one worker, as they are written to its file."""

    series: dict[tuple[str, str, str, int], _Series] = {}
    refusals: dict[tuple[str, str], int] = {}
    replays: dict[str, int] = {}

    def merge(self, other: "_Sums") -> None:
        for key, found in other.series.items():
            self.series.setdefault(key, _Series()).merge(found)
        for reason, count in other.refusals.items():
            self.refusals[reason] = self.refusals.get(reason, 0) + count
        for surface, count in other.replays.items():
            self.replays[surface] = self.replays.get(surface, 0) + count


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Sums).decode


class Metrics:
    """The sums of this worker, and the pages for all.

    Args:
        data_dir: the data directory, which all workers share.
        number: of the worker; no two that run have the same.
    """

    def __init__(self, data_dir: Path, number: int) -> None:
        self._directory = data_dir / _DIRECTORY
        self._prefix = _supervisor()
        self._path = self._directory / f"{self._prefix}{number}{_SUFFIX}"
        self._saving = Lock()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._directory.iterdir():
            if not path.name.startswith(self._prefix):
                path.unlink(missing_ok=True)
        sums = _Sums()
        with suppress(OSError, msgspec.MsgspecError):  # there was none before, or one of another version
            sums = _decode(self._path.read_bytes())
        self._series, self._refusals, self._replays = sums.series, sums.refusals, sums.replays

    def ended(self, entry: LedgerEntry) -> None:
        """Count one entry."""
        key = (entry.surface, entry.provider, entry.outcome, entry.status)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= _SERIES_MAX:
                return
            series = self._series[key] = _Series()
        series.requests += 1
        series.duration.add(entry.duration_us)
        if entry.stream and entry.first_byte_us is not None:
            series.first_byte.add(entry.first_byte_us)
        if entry.usage_source is not _NOBODY:
            series.tokens_in += entry.usage.input_total
            series.tokens_out += entry.usage.output_total
            series.charge_pico += entry.charge
            series.unpriced += not entry.priced
            series.estimated += entry.usage_source is _BY_US

    def refused(self, surface: str, code: str) -> None:
        """Count a request that was refused before admission."""
        key = (surface, code)
        self._refusals[key] = self._refusals.get(key, 0) + 1

    def replayed(self, surface: str) -> None:
        """Count a request that got the answer of an earlier one."""
        self._replays[surface] = self._replays.get(surface, 0) + 1

    def save(self) -> None:
        """Write this worker's sums where the others find them."""
        partial = self._path.with_suffix(".partial")
        # Pages are made in other threads. Of a full disk: they are sums, so that nothing is missing from the next ones.
        with self._saving, suppress(OSError):
            partial.write_bytes(_encode(_Sums(self._series, self._refusals, self._replays)))
            partial.replace(self._path)

    def render(self) -> bytes:
        """All metrics of all workers, in Prometheus' text format. Reads a file for each worker."""
        self.save()
        sums = _Sums()
        for path in self._directory.glob(f"{self._prefix}*{_SUFFIX}"):
            sums.merge(_decode(path.read_bytes()))
        registry = CollectorRegistry()
        registry.register(_Page(sums))
        return generate_latest(registry)


def _supervisor() -> str:
    """Begins the names of the files of its workers. In a container each start has the process id of the one before."""
    process_id = os.getppid()
    started = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[19]  # proc_pid_stat(5), field 22
    return f"{process_id}-{started}-"


class _Page:
    """Sums as Prometheus' metric families."""

    def __init__(self, sums: _Sums) -> None:
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        """One family a metric."""
        requests = _counter("tollway_requests_total", "surface", "provider", "outcome", "status")
        for (surface, provider, outcome, status), found in self._sums.series.items():
            requests.add_metric([surface, provider, outcome, str(status)], found.requests)
        yield requests
        refusals = _counter("tollway_refusals_total", "surface", "code")
        for labels, count in self._sums.refusals.items():
            refusals.add_metric(list(labels), count)
        yield refusals
        replays = _counter("tollway_replays_total", "surface")
        for surface, count in self._sums.replays.items():
            replays.add_metric([surface], count)
        yield replays
        yield from self._by_provider()
        yield _histogram("tollway_request_duration_seconds", self._times(lambda found: found.duration))
        yield _histogram("tollway_first_byte_seconds", self._times(lambda found: found.first_byte))

    def _by_provider(self) -> Iterator[Metric]:
        sums: dict[str, _Series] = {}
        for (_, provider, _, _), found in self._sums.series.items():
            sums.setdefault(provider, _Series()).merge(found)
        tokens = _counter("tollway_tokens_total", "provider", "direction")
        charge = _counter("tollway_charge_usd_total", "provider")
        unpriced = _counter("tollway_unpriced_requests_total", "provider")
        estimated = _counter("tollway_estimated_requests_total", "provider")
        for provider, total in sums.items():
            tokens.add_metric([provider, "input"], total.tokens_in)
            tokens.add_metric([provider, "output"], total.tokens_out)
            charge.add_metric([provider], float(usd_from_pico(total.charge_pico)))
            unpriced.add_metric([provider], total.unpriced)
            estimated.add_metric([provider], total.estimated)
        yield from (tokens, charge, unpriced, estimated)

    def _times(self, pick: Callable[[_Series], _Times]) -> dict[str, _Times]:
        sums: dict[str, _Times] = {}
        for (surface, _, _, _), found in self._sums.series.items():
            sums.setdefault(surface, _Times()).merge(pick(found))
        return sums


def _counter(name: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, METRICS[name], labels=labels)


def _histogram(name: str, sums: dict[str, _Times]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, METRICS[name], labels=["surface"])
    for surface, times in sums.items():
        family.add_metric([surface], list(_cumulative(times.counts)), sum_value=times.sum_us / 1e6)
    return family


def _cumulative(counts: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*(str(us / 1e6) for us in _BOUNDS_US), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
