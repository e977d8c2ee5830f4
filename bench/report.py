"""The figures as Markdown: a table of targets, a table of goals."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figures, LedgerCheck
from bench.machine import Machine

RATIO_GOALS = {"envoy": 0.45, "ferro": 1.3, "portkey": 7.0, "litellm": 80.0}
"""Requests/s of Tollway over those of the target, at the least."""
ADDED_P50_GOAL_MS = 0.7
MEMORY_GOAL_MB = 150.0
GROWTH_GOAL_MB = 5.0
"""Flat: between the first tenth of the long run and its end, the worker grows by no more than this."""
HEADINGS = (
    "target",
    "version",
    "requests/s, 64 connections",
    "Tollway is",
    "CPU µs a request",
    "added p50 / p99 ms, 1 connection",
    "added p50 / p99 ms at a fixed rate",
    "streamed events/s",
    "memory MB, before → after",
    "failed",
    "with",
)


@dataclass(frozen=True)
class Goal:
    """One line of the second table."""

    name: str
    wanted: str
    measured: str
    met: bool | None

    @property
    def mark(self) -> str:
        """Yes, no, or not measured."""
        return {True: "yes", False: "**no**", None: "not measured"}[self.met]


def markdown(machine: Machine, note: str, targets: list[Figures]) -> str:
    """The whole report."""
    by_name = {figures.name: figures for figures in targets if not figures.absent}
    rows = [_row(figures, by_name) for figures in targets]
    lines = [machine.sentence, "", note, "", *_table(HEADINGS, rows)]
    ours = by_name.get("tollway")
    if ours:
        goal_rows = [(goal.name, goal.wanted, goal.measured, goal.mark) for goal in goals(ours, by_name)]
        lines += ["", *_table(("goal", "wanted", "measured", "met"), goal_rows)]
    if ours and ours.ledger:
        lines += ["", _ledger_sentence(ours.ledger)]
    return "\n".join(lines) + "\n"


def goals(ours: Figures, by_name: dict[str, Figures]) -> list[Goal]:
    """What Tollway promises, and what was measured."""
    found = [_ratio_goal(ours, by_name.get(name), name, least) for name, least in RATIO_GOALS.items()]
    direct = by_name["direct"]
    added = ours.single_p50_ms - direct.single_p50_ms
    found.append(
        Goal(
            "added p50, one connection", f"≤ {ADDED_P50_GOAL_MS} ms", f"{added:.2f} ms", met=added <= ADDED_P50_GOAL_MS
        )
    )
    if ours.memory_after_mb is not None:
        memory = ours.memory_after_mb
        fits = memory <= MEMORY_GOAL_MB
        found.append(Goal("memory of a worker", f"≤ {MEMORY_GOAL_MB:.0f} MB", f"{memory:.0f} MB", met=fits))
    found.append(_growth_goal(ours))
    if ours.ledger:
        told = f"{ours.ledger.counted_entries:,} = {ours.ledger.counted_requests:,}"
        told = told if ours.ledger.exact else told.replace("=", "≠ or tokens differ from")
        found.append(Goal("ledger entries = requests, tokens equal", "exact", told, met=ours.ledger.exact))
    return found


def _ratio_goal(ours: Figures, rival: Figures | None, name: str, least: float) -> Goal:
    if rival is None or not rival.per_s:
        return Goal(f"requests/s over {name}", f"≥ {least:g} x", "-", met=None)
    ratio = ours.per_s / rival.per_s
    return Goal(f"requests/s over {name}", f"≥ {least:g} x", f"{ratio:.2f} x", met=ratio >= least)


def _growth_goal(ours: Figures) -> Goal:
    name, wanted = "memory is flat over the long run", f"grows ≤ {GROWTH_GOAL_MB:g} MB after its first tenth"
    if not ours.memory_by_requests:
        return Goal(name, wanted, "-", met=None)
    points = sorted(ours.memory_by_requests.items())
    growth = points[-1][1] - points[0][1]
    path = ", ".join(f"{memory:.0f}" for _, memory in points)
    return Goal(name, wanted, f"{growth:+.1f} MB in {points[-1][0]:,} requests ({path})", met=growth <= GROWTH_GOAL_MB)


def _row(figures: Figures, by_name: dict[str, Figures]) -> tuple[str, ...]:
    if figures.absent:
        return (
            figures.name,
            figures.version,
            f"not measured: {figures.absent}",
            *[""] * (len(HEADINGS) - 4),
            figures.what,
        )
    ours, direct = by_name.get("tollway"), by_name["direct"]
    ratio = f"{ours.per_s / figures.per_s:.2f} x" if ours and figures.per_s else "-"
    is_direct = figures is direct
    single = _pair(figures.single_p50_ms, figures.single_p99_ms, direct.single_p50_ms, direct.single_p99_ms)
    return (
        figures.name,
        figures.version,
        f"{figures.per_s:,.0f}",
        ratio,
        "-" if is_direct else f"{figures.cpu_us:.0f}",
        f"({figures.single_p50_ms:.3f} / {figures.single_p99_ms:.3f})" if is_direct else single,
        _fixed(figures),
        figures.streams_absent or f"{figures.events_per_s:,.0f}",
        _memory(figures),
        f"{figures.errors:,}",
        figures.what,
    )


def _pair(p50: float, p99: float, base_p50: float, base_p99: float) -> str:
    return f"{p50 - base_p50:.2f} / {p99 - base_p99:.2f}"


def _fixed(figures: Figures) -> str:
    fixed, base = figures.fixed, figures.fixed_direct
    if fixed is None or base is None:
        return "-"
    return f"{_pair(fixed.p50_ms, fixed.p99_ms, base.p50_ms, base.p99_ms)} at {fixed.per_s:,.0f}/s"


def _memory(figures: Figures) -> str:
    if figures.memory_before_mb is None or figures.memory_after_mb is None:
        return "-"
    return f"{figures.memory_before_mb:.0f} → {figures.memory_after_mb:.0f}"


def _ledger_sentence(check: LedgerCheck) -> str:
    return (
        f"Ledger: of {check.counted_requests:,} requests whose callers waited for the answer came "
        f"{check.counted_entries:,} entries with {check.counted_input_tokens:,} + {check.counted_output_tokens:,} "
        f"tokens; the upstream told {check.expected_input_tokens:,} + {check.expected_output_tokens:,}. Over the whole "
        f"run the upstream read {check.served:,} requests, and {check.entries:,} entries came "
        f"({check.entries - check.served:+,}; wrk hangs up on its last requests, and a caller may leave before its "
        f"request went upstream). The last entry arrived {check.drain_wait_s:.1f} s after the last request."
    )


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return lines + ["| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in rows]
