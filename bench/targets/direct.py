"""The upstream itself: what every other latency is measured against."""

from pathlib import Path

from bench.ask import Shape
from bench.target import Stage, Target, shape


class Direct(Target):
    """No gateway; the load and the upstream share a core, so its requests/s is the ceiling of the bench."""

    name = "direct"
    what = "no gateway: the ceiling of this bench"

    def install(self, cache: Path) -> str:  # noqa: ARG002 - nothing to install
        """Nothing to install."""
        return "-"

    def start(self, stage: Stage) -> Shape:
        """Nothing to start."""
        return shape(stage.upstream_port)
