"""What cannot be recorded is not served: a full disk is a 503 that names it, and what runs already is still entered."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chaos.small_disk import can_mount, empty, fill, small_disk
from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn
from support.waiting import wait_until

CHAT = "/v1/chat/completions"
DISK_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True)
class Cramped:
    """A Tollway whose data directory and log lie on a small disk."""

    gateway: Gateway
    disk: Path

    def refusal(self) -> tuple[httpx.Response, list[str]]:
        """The first refusal on the full disk, and the marks of those that found a last corner of it."""
        marks = [new_mark()]
        while (answer := self.gateway.chat(user=marks[-1])).is_success:
            marks.append(new_mark())
        return answer, marks

    @property
    def readiness(self) -> httpx.Response:
        return self.gateway.client.get("/readyz")


@pytest.fixture(scope="module")
def cramped(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cramped]:
    if not can_mount():
        pytest.skip("this process may not mount a small disk")
    with small_disk(tmp_path_factory.mktemp("cramped"), size_bytes=DISK_BYTES) as disk:
        settings = {"TOLLWAY_DRAIN_INTERVAL_MS": "20"}
        with running(disk / "data", postgres_server.create(), standin, **settings) as gateway:
            yield Cramped(gateway, disk)


def test_a_full_disk_refuses_new_requests_in_words_and_lets_running_ones_be_entered(
    cramped: Cramped, standin: StandIn
) -> None:
    gateway, mark = cramped.gateway, new_mark()
    standin.hold()
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gateway.post, CHAT, chat_body("held", stream=True, user=mark))
        wait_until(lambda: standin.marked(mark), what="the stream at the provider")
        fill(cramped.disk)
        refused, marks = cramped.refusal()
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (503, "journal_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-should-retry"] == "true"
        assert "disk" in error["message"] or "space" in error["message"]
        assert not standin.marked(marks.pop()), "it was served though it could not be recorded"
        assert cramped.readiness.status_code == 503
        assert "disk" in cramped.readiness.json()["checks"]["journal"]
        standin.release()
        assert stream.result().text.endswith("data: [DONE]\n\n")
    empty(cramped.disk)
    wait_until(lambda: cramped.readiness.status_code == 200, what="the worker to find the space")
    assert gateway.chat().is_success
    assert [gateway.entry(each)["outcome"] for each in [mark, *marks]] == ["ok"] * (1 + len(marks))


def test_no_process_dies_of_a_full_disk_and_a_log_that_cannot_be_written(cramped: Cramped) -> None:
    names = ("tollway.worker", "tollway.jobs.drain")
    before = [child.pid for name in names for child in cramped.gateway.children(name)]
    fill(cramped.disk)
    assert [cramped.gateway.chat().status_code for _ in range(200)][-1] == 503
    assert cramped.gateway.client.get("/metrics").is_success
    empty(cramped.disk)
    wait_until(lambda: cramped.gateway.chat().is_success)
    assert [child.pid for name in names for child in cramped.gateway.children(name)] == before
    mark = new_mark()
    cramped.gateway.chat(user=mark)
    assert cramped.gateway.entry(mark)["outcome"] == "ok"
