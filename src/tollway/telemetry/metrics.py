"""Metrics, in Prometheus' form. With ``PROMETHEUS_MULTIPROC_DIR`` set (the supervisor does), all workers are one."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tollway.ledger.entry import LedgerEntry
from tollway.ledger.money import PICO_PER_USD

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "tollway_requests",
    "Admitted requests that ended.",
    ("surface", "provider", "outcome", "status"),
    registry=REGISTRY,
)
REFUSALS = Counter("tollway_refusals", "Requests refused before admission.", ("surface", "code"), registry=REGISTRY)
TOKENS = Counter("tollway_tokens", "Tokens metered.", ("provider", "direction"), registry=REGISTRY)
CHARGE = Counter(
    "tollway_charge_usd", "Charges in USD; the ledger is exact, this is a float.", ("provider",), registry=REGISTRY
)
UNPRICED = Counter("tollway_unpriced_requests", "Requests without a full price.", ("provider",), registry=REGISTRY)
ESTIMATED = Counter(
    "tollway_estimated_requests", "Requests whose usage we estimated.", ("provider",), registry=REGISTRY
)
DURATION = Histogram(
    "tollway_request_duration_seconds", "From admission to the end.", ("surface",), buckets=_SECONDS, registry=REGISTRY
)
FIRST_BYTE = Histogram(
    "tollway_first_byte_seconds",
    "From admission to the first byte of a stream.",
    ("surface",),
    buckets=_SECONDS,
    registry=REGISTRY,
)

METRICS = (REQUESTS, REFUSALS, TOKENS, CHARGE, UNPRICED, ESTIMATED, DURATION, FIRST_BYTE)


class _Children:
    """The metrics of one combination of labels, looked up once."""

    __slots__ = ("charge", "duration", "estimated", "first_byte", "requests", "tokens_in", "tokens_out", "unpriced")

    def __init__(self, entry: LedgerEntry) -> None:
        self.requests = REQUESTS.labels(entry.surface, entry.provider, entry.outcome, str(entry.status))
        self.tokens_in = TOKENS.labels(entry.provider, "input")
        self.tokens_out = TOKENS.labels(entry.provider, "output")
        self.charge = CHARGE.labels(entry.provider)
        self.unpriced = UNPRICED.labels(entry.provider)
        self.estimated = ESTIMATED.labels(entry.provider)
        self.duration = DURATION.labels(entry.surface)
        self.first_byte = FIRST_BYTE.labels(entry.surface)


_children: dict[tuple[str, str, str, int], _Children] = {}
_CHILDREN_MAX = 10_000
"""Combinations that are kept; providers are few and statuses bounded, so this is never reached in earnest."""


def count(entry: LedgerEntry) -> None:
    """Count one entry."""
    key = (entry.surface, entry.provider, entry.outcome, entry.status)
    found = _children.get(key)
    if found is None:
        if len(_children) >= _CHILDREN_MAX:
            return
        found = _children[key] = _Children(entry)
    found.requests.inc()
    found.duration.observe(entry.duration_us / 1e6)
    if entry.stream and entry.first_byte_us is not None:
        found.first_byte.observe(entry.first_byte_us / 1e6)
    usage = entry.usage
    if usage.requests:
        found.tokens_in.inc(usage.input_total)
        found.tokens_out.inc(usage.output_total)
        found.charge.inc(entry.charge / PICO_PER_USD)
        if not entry.priced:
            found.unpriced.inc()
        if entry.usage_source == "estimated":
            found.estimated.inc()


def refused(surface: str, code: str) -> None:
    """Count a request that was refused before admission."""
    REFUSALS.labels(surface, code).inc()


def render() -> bytes:
    """All metrics in Prometheus' text format, of every worker where there are several."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]  # the library has no types here
    return generate_latest(registry)
