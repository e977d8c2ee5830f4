"""How long each part of a run takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Seconds and rounds; rounds go round all targets, so that a noisy minute hits them all.

    Attributes:
        connections: connections of the throughput part.
        warm_up_s: unmeasured load on each target before anything.
        throughput_rounds, throughput_s: most requests a second.
        single_rounds, single_s: latency of one connection.
        fixed_rate_s: seconds at half of a target's own maximum.
        stream_rounds, stream_s: streams.
        stream_connections: streams at the same time.
        stream_events: content events of one stream.
        memory_requests: requests of the long run; 0 leaves it out.
    """

    connections: int = 64
    warm_up_s: int = 3
    throughput_rounds: int = 5
    throughput_s: int = 4
    single_rounds: int = 3
    single_s: int = 3
    fixed_rate_s: int = 8
    stream_rounds: int = 3
    stream_s: int = 4
    stream_connections: int = 16
    stream_events: int = 200
    memory_requests: int = 0


FULL = Plan()
QUICK = Plan(
    warm_up_s=1,
    throughput_rounds=2,
    throughput_s=2,
    single_rounds=1,
    single_s=2,
    fixed_rate_s=2,
    stream_rounds=1,
    stream_s=2,
)
SMOKE = Plan(
    connections=4,
    warm_up_s=1,
    throughput_rounds=1,
    throughput_s=1,
    single_rounds=1,
    single_s=1,
    fixed_rate_s=1,
    stream_rounds=1,
    stream_s=1,
    stream_connections=2,
)
"""Only shows that everything works."""
