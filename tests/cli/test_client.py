"""The client against servers that are not what they should be."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.command import Command
from tollway.cli.client import ApiClient, probe
from tollway.cli.endpoint import Endpoint
from tollway.cli.failure import CommandError, ExitCode

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a server that answers everything in one way; its address."""
    running: list[http.server.ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        running.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def says(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def breaks_off(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.mark.parametrize(
    "answer",
    [
        says(200, b'{"status": "ok"}'),
        says(200, b"<html>"),
        says(200, b"[1]"),
        says(404, b"not found"),
        says(302, b"", location="http://127.0.0.1:1/"),
    ],
)
def test_what_is_not_tollway_is_told_as_such(serve: Callable[[Answer], str], answer: Answer) -> None:
    with ApiClient(Endpoint(serve(answer), "tw-x")) as api, pytest.raises(CommandError, match="is not Tollway"):
        list(api.pages("/api/v1/projects"))


def test_a_refusal_without_words_has_its_status(serve: Callable[[Answer], str]) -> None:
    with ApiClient(Endpoint(serve(says(503, b"busy")), "tw-x")) as api, pytest.raises(CommandError, match="503"):
        api.get("/api/v1/projects")


def test_an_answer_that_breaks_off_is_told(serve: Callable[[Answer], str]) -> None:
    with ApiClient(Endpoint(serve(breaks_off), "tw-x")) as api, pytest.raises(CommandError, match="broke off"):
        api.get("/api/v1/projects")


def test_a_connection_is_kept_for_the_next_request(serve: Callable[[Answer], str]) -> None:
    callers: list[Any] = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        callers.append(handler.client_address)
        says(200, b"{}")(handler)

    with ApiClient(Endpoint(serve(answer), "tw-x")) as api:
        assert [api.get("/a"), api.get("/b")] == [{}, {}]
    assert len(set(callers)) == 1


def test_a_kept_connection_that_the_server_closed_is_made_again(serve: Callable[[Answer], str]) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        says(200, b"{}")(handler)
        handler.close_connection = True

    with ApiClient(Endpoint(serve(answer), "tw-x")) as api:
        assert [api.get("/a"), api.get("/b"), api.get("/c")] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://no-such-host.invalid", "host name is not known"),
        ("http://xn--a.invalid..", "not an address|host name is not known"),
    ],
)
def test_why_no_connection_can_be_made_is_told(url: str, cause: str) -> None:
    with ApiClient(Endpoint(url, "tw-x")) as api, pytest.raises(CommandError, match=cause) as raised:
        api.get("/healthz")
    assert raised.value.exit_code is ExitCode.NO_SERVER


def test_plain_http_where_tls_is_spoken_to_is_told(serve: Callable[[Answer], str]) -> None:
    url = serve(says(200, b"{}")).replace("http:", "https:")
    with ApiClient(Endpoint(url, "tw-x")) as api, pytest.raises(CommandError, match="TLS failed"):
        api.get("/healthz")


def test_a_probe_takes_any_answer_and_sends_no_key(serve: Callable[[Answer], str]) -> None:
    seen: list[Any] = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["authorization"])
        says(401, b"")(handler)

    assert probe(f"{serve(answer)}/models") == 401
    assert seen == [None]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1/models", "http://127.0.0.1:99999/v1/models"])
def test_a_probe_that_gets_nowhere_says_why(url: str) -> None:
    with pytest.raises(CommandError, match=r"refused|not an address"):
        probe(url)


@pytest.mark.parametrize(
    "environment",
    [
        {"TOLLWAY_API_KEY": "tw-a\nb"},
        {"TOLLWAY_API_KEY": "tw-ä"},
        {"TOLLWAY_URL": "http://127.0.0.1:99999"},
        {"TOLLWAY_URL": "http://a b/"},
        {"TOLLWAY_URL": "http://me:hunter2@127.0.0.1:1"},
    ],
)
def test_what_no_header_and_no_socket_takes_is_wrong_usage(alone: Command, environment: dict[str, str]) -> None:
    done = alone("keys", "list", **environment)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert "hunter2" not in done.err


def test_something_else_on_the_port_fails_the_doctor(alone: Command, serve: Callable[[Answer], str]) -> None:
    done = alone("doctor", "--json", TOLLWAY_URL=serve(says(200, b'{"status": "ok"}')))
    found = {check["name"]: check for check in done.json["checks"]}
    assert done.code == 1
    assert "is not Tollway" in found["answers"]["found"]
