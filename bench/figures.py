"""What a run found out, target by target: plain data, written as JSON and rendered as a table."""

from dataclasses import dataclass, field
from statistics import median

from bench.load import Load


@dataclass
class LedgerCheck:
    """The ledger against what the upstream served.

    Attributes:
        counted_requests: requests of the part in which every caller waited for its answer.
        counted_entries: ledger entries that this part added.
        counted_input_tokens, counted_output_tokens: tokens that it added.
        expected_input_tokens, expected_output_tokens: tokens that the upstream told for them.
        served: requests that the upstream read in the whole run, those that the load cut off at a round's end included.
        entries: ledger entries of the whole run.
        drain_wait_s: seconds from the last request to the last entry.
    """

    counted_requests: int = 0
    counted_entries: int = 0
    counted_input_tokens: int = 0
    counted_output_tokens: int = 0
    expected_input_tokens: int = 0
    expected_output_tokens: int = 0
    served: int = 0
    entries: int = 0
    drain_wait_s: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether entries = requests, and tokens are equal."""
        return (
            self.counted_requests > 0
            and self.counted_entries == self.counted_requests
            and self.counted_input_tokens == self.expected_input_tokens
            and self.counted_output_tokens == self.expected_output_tokens
        )


@dataclass
class Figures:
    """One target.

    Attributes:
        absent, streams_absent: why it was not measured, empty if it was.
        throughput, single, streams: the rounds.
        cpu_us_per_request: of the throughput rounds: microseconds of a core that the gateway's processes used.
        fixed: at half of its own maximum, and the upstream itself at that same rate.
        served: requests that the upstream read from it.
        memory_before_mb, memory_after_mb: its worker before and after all load; ``None`` without a process.
        memory_by_requests: of the long run: requests so far → megabytes.
    """

    name: str
    what: str
    version: str = ""
    absent: str = ""
    streams_absent: str = ""
    throughput: list[Load] = field(default_factory=list)
    cpu_us_per_request: list[float] = field(default_factory=list)
    single: list[Load] = field(default_factory=list)
    streams: list[Load] = field(default_factory=list)
    stream_events: int = 0
    fixed: Load | None = None
    fixed_direct: Load | None = None
    served: int = 0
    memory_before_mb: float | None = None
    memory_after_mb: float | None = None
    memory_by_requests: dict[int, float] = field(default_factory=dict)
    ledger: LedgerCheck | None = None

    @property
    def per_s(self) -> float:
        """Requests a second: the median of the rounds, 0 if there were none."""
        return median(load.per_s for load in self.throughput) if self.throughput else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of a core for a request: the median of the rounds, 0 if there were none."""
        return median(self.cpu_us_per_request) if self.cpu_us_per_request else 0.0

    @property
    def single_p50_ms(self) -> float:
        """Median latency of one connection, the median of the rounds."""
        return median(load.p50_ms for load in self.single) if self.single else 0.0

    @property
    def single_p99_ms(self) -> float:
        """99th percentile of one connection, the median of the rounds."""
        return median(load.p99_ms for load in self.single) if self.single else 0.0

    @property
    def events_per_s(self) -> float:
        """Streamed content events a second, the median of the rounds."""
        return median(load.per_s for load in self.streams) * self.stream_events if self.streams else 0.0

    @property
    def errors(self) -> int:
        """Failed requests in all parts."""
        loads = [*self.throughput, *self.single, *self.streams, *([self.fixed] if self.fixed else [])]
        return sum(load.errors for load in loads)
