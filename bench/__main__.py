"""``make bench``: Tollway and its rivals on this machine, in one run. See README.md beside this file."""

import argparse
import dataclasses
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from bench.figures import Figures
from bench.install import default_cache
from bench.machine import CORES_NEEDED, Machine, describe
from bench.plan import FULL, QUICK, SMOKE, Plan
from bench.processes import Children
from bench.report import goals, markdown
from bench.session import Session, say
from bench.targets import ALL

RESULTS = Path(__file__).with_name("results")
GATEWAY_CORE = 1
MILLION = 1_000_000
NEEDED_PROGRAMS = {"wrk": "wrk", "taskset": "util-linux", "setpriv": "util-linux"}
EXIT_MISSING = 2


def main() -> int:
    """Run, print the report, write the JSON."""
    given = _arguments()
    machine = describe()
    missing = [f"{name} (Debian: apt install {of})" for name, of in NEEDED_PROGRAMS.items() if not shutil.which(name)]
    if missing or machine.cores < CORES_NEEDED:
        say(f"The benchmark needs {CORES_NEEDED} cores and: {', '.join(missing) or 'nothing else'}.")
        return EXIT_MISSING
    if not machine.quiet:
        say(f"The machine is not quiet (load {machine.load_at_start:.2f}): the figures will be too low, and noisy.")
    plan = dataclasses.replace(given.plan, memory_requests=MILLION if given.million else 0)
    kinds = [kind for kind in ALL if kind.name == "direct" or kind.name in given.targets]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="tollway-bench-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o711)  # PostgreSQL, started by root, runs as somebody else and must reach its directory
        with Children(scratch) as children:
            session = Session(plan, children, given.cache, core=GATEWAY_CORE, postgres_core=given.postgres_core)
            targets = session.run(kinds)
    print(markdown(machine, _note(plan, given.postgres_core), targets))
    say(f"Written to {_write(given.results, machine, plan, given.postgres_core, targets)}")
    return 0


def _arguments() -> argparse.Namespace:
    names = [kind.name for kind in ALL]
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--quick", dest="plan", action="store_const", const=QUICK, default=FULL, help="a first look in two minutes"
    )
    length.add_argument(
        "--smoke", dest="plan", action="store_const", const=SMOKE, help="only to see that everything works"
    )
    parser.add_argument(
        "--million", action="store_true", help="also a million requests through Tollway, for its memory"
    )
    parser.add_argument("--targets", default=names, type=_names, help=f"some of: {','.join(names)}; direct always runs")
    parser.add_argument(
        "--postgres-core",
        type=int,
        default=0,
        help="core of Tollway's PostgreSQL, drain and supervisor: 0 beside the load (default), 1 beside the worker",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the rivals are installed")
    return parser.parse_args()


def _names(given: str) -> list[str]:
    known = {kind.name for kind in ALL}
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := set(names) - known:
        raise argparse.ArgumentTypeError(f"unknown target {', '.join(sorted(unknown))}")
    return names


def _note(plan: Plan, postgres_core: int) -> str:
    beside = "the load's core" if postgres_core == 0 else "the gateway's core"
    return (
        f"Upstream and load on core 0, each gateway alone on core {GATEWAY_CORE}; Tollway's PostgreSQL, drain and "
        f"supervisor on {beside}. Requests/s and events/s: median of {plan.throughput_rounds} and {plan.stream_rounds} "
        f"rounds, going round the targets; streams of {plan.stream_events} events. Added = minus the upstream asked "
        f"directly. The fixed rate is half of the target's own maximum, open loop: latency counts from when a request "
        f"was due."
    )


def _write(folder: Path, machine: Machine, plan: Plan, postgres_core: int, targets: list[Figures]) -> Path:
    """The JSON of a run."""
    by_name = {figures.name: figures for figures in targets if not figures.absent}
    ours = by_name.get("tollway")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{machine.at.replace(':', '').replace('+0000', 'Z')}.json"
    told = {
        "machine": dataclasses.asdict(machine),
        "plan": dataclasses.asdict(plan) | {"postgres_core": postgres_core},
        "targets": [_plain(figures) for figures in targets],
        "goals": [dataclasses.asdict(goal) for goal in goals(ours, by_name)] if ours else [],
    }
    file.write_text(json.dumps(told, indent=1))
    return file


def _plain(figures: Figures) -> dict[str, object]:
    medians = {"per_s": figures.per_s, "events_per_s": figures.events_per_s, "cpu_us": figures.cpu_us}
    single = {"single_p50_ms": figures.single_p50_ms, "single_p99_ms": figures.single_p99_ms}
    return dataclasses.asdict(figures) | medians | single


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted; everything that was started has ended.")
