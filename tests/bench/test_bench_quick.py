"""The benchmark itself: its upstream counts, its load is exact, and a run ends in a table and a JSON file."""

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVENTS = 7


@pytest.fixture
def upstream_port() -> Iterator[int]:
    command = [sys.executable, "-P", str(ROOT / "bench" / "upstream.py"), f"--events={EVENTS}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        yield int(upstream.stdout.readline())
        upstream.kill()


def ask(port: int, method: str, path: str, body: str = "") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    reply = connection.getresponse().read()
    connection.close()
    return reply


def counts(port: int) -> dict[str, int]:
    told: dict[str, int] = json.loads(ask(port, "GET", "/count"))
    return told


def test_the_upstream_counts_what_it_served(upstream_port: int) -> None:
    for _ in range(3):
        reply = json.loads(ask(upstream_port, "POST", "/v1/chat/completions", '{"model":"m"}'))
        assert reply["usage"]["total_tokens"] == 254
    for _ in range(2):
        ask(upstream_port, "POST", "/v1/chat/completions", '{"model":"m","stream": true}')

    assert counts(upstream_port) == {"requests": 5, "streams": 2, "streams_ended": 2}


def test_a_stream_has_all_its_events_and_usage_only_on_demand(upstream_port: int) -> None:
    plain = ask(upstream_port, "POST", "/v1/chat/completions", '{"stream":true}')
    with_usage = ask(
        upstream_port, "POST", "/v1/chat/completions", '{"stream":true,"stream_options":{"include_usage":true}}'
    )

    assert plain.count(b'"content":') == EVENTS
    assert plain.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in plain
    assert with_usage.count(b'"usage"') == 1


def test_the_open_loop_sends_exactly_what_it_was_told(upstream_port: int) -> None:
    script = str(ROOT / "bench" / "openloop.py")
    options = ["--rate=1000", "--total=300", "--header=content-type: application/json"]
    told = subprocess.run(
        [sys.executable, "-P", script, "127.0.0.1", str(upstream_port), "/v1/chat/completions", *options],
        input=b'{"model":"m"}',
        capture_output=True,
        check=True,
    )

    figures = json.loads(told.stdout)
    assert figures["requests"] == 300
    assert figures["errors"] == 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert counts(upstream_port)["requests"] == 300


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk (Debian: apt install wrk)")
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_smoke_run_ends_in_a_table_and_a_json_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--smoke", "--targets", "direct", "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(table) == 3
    assert len({line.count("|") for line in table}) == 1
    assert table[2].startswith("| direct |")
    (file,) = tmp_path.glob("*.json")
    (direct,) = json.loads(file.read_text())["targets"]
    assert direct["per_s"] > 0
    assert direct["served"] > sum(load["requests"] for load in direct["throughput"])
    assert direct["events_per_s"] > 0
