"""Workers share a response cache by Redis or Valkey; while that is away, requests are asked as if there was none."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from support.gateway import chat_body, free_port, new_mark, running
from support.postgres import DatabaseUrls
from support.replies import plain
from support.standin import StandIn
from support.waiting import wait_until

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="neither valkey-server nor redis-server is installed"),
    pytest.mark.timeout(300),
]


class Server:
    """A Redis that can be stopped."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [str(PROGRAM), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        wait_until(self._answers, what="Redis to answer")

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    started.stop()


def test_workers_share_answers_and_go_on_without_the_server(
    server: Server, standin: StandIn, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    model, seeds = new_mark(), itertools.count(1)
    standin.on(model, plain)

    def asked() -> int:
        return sum(received.model == model for received in list(standin.received))

    settings = {"TOLLWAY_WORKERS": "2", "TOLLWAY_REDIS_URL": f"redis://127.0.0.1:{server.port}"}
    with running(tmp_path / "data", database_urls, standin, **settings) as gateway:
        gateway.admin("POST", "/projects", {"name": "shared", "cache_ttl_s": 60})
        key = gateway.new_key("shared")

        def ask(seed: int) -> str:
            # a connection of its own each time, so that both workers are asked
            answer = gateway.post(
                "/v1/chat/completions", chat_body(model, seed=seed), key=key, headers={"connection": "close"}
            )
            assert answer.status_code == 200, answer.text
            return answer.headers["x-tollway-cache"]

        def shared() -> bool:
            """Whether both workers have an answer that one of them got; a busy Redis is as good as none for a while."""
            seed, before = next(seeds), asked()
            return [ask(seed) for _ in range(21)] == ["miss"] + ["hit"] * 20 and asked() == before + 1

        wait_until(shared, what="an answer that is shared")
        assert 0 < max(map(server.client.ttl, server.client.keys())) <= 60
        server.stop()
        seed, before = next(seeds), asked()
        assert [ask(seed) for _ in range(3)] == ["miss"] * 3
        assert asked() == before + 3
