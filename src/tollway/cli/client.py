"""A small client of Tollway's API.

It stands on `http.client`, because a command waits for one answer at a time, and because Ctrl-C must end that wait at
once: a client that waits outside the interpreter would notice only when bytes arrive.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tollway import __version__
from tollway.cli.endpoint import Endpoint
from tollway.cli.failure import CommandError, no_server

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 330.0
"""Seconds without a byte; a little longer than the gateway waits for a provider."""
ANSWER_MAX_BYTES = 64 * 1024 * 1024
LINE_MAX_BYTES = 4 * 1024 * 1024
PAGE_ROWS = 200
_CHUNK_BYTES = 64 * 1024

Query = Mapping[str, str | int | list[str] | None]


class ApiClient:
    """Calls one server, on behalf of one organization if it is named. Not thread-safe."""

    def __init__(self, endpoint: Endpoint, *, organization: str | None = None) -> None:
        self.url = endpoint.url
        self._organization = organization
        self._key = endpoint.key
        self._prefix = urlsplit(endpoint.url).path
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def get(self, path: str, query: Query | None = None) -> Any:
        """The decoded answer to GET."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        """The decoded answer to POST."""
        return self.call("POST", path, body=body)

    def put(self, path: str, body: Any) -> Any:
        """The decoded answer to PUT."""
        return self.call("PUT", path, body=body)

    def patch(self, path: str, body: Any) -> Any:
        """The decoded answer to PATCH."""
        return self.call("PATCH", path, body=body)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """The decoded answer to DELETE; ``None`` if it is empty."""
        return self.call("DELETE", path, query=query)

    def call(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> Any:
        """The decoded answer; ``None`` if it is empty.

        Raises:
            CommandError: no server answers, it refuses, or the answer cannot be understood.
        """
        with self.stream(method, path, query=query, body=body) as answer:
            text = answer.read()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise not_tollway(self.url) from error

    def pages(self, path: str, query: Query | None = None, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a list, page after page, `limit` of them at the most."""
        left, cursor = limit, None
        while left is None or left > 0:
            rows = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
            page = self.get(path, {**(query or {}), "limit": rows, "cursor": cursor})
            if not isinstance(page, dict) or not isinstance(page.get("data"), list):
                raise not_tollway(self.url)
            yield from page["data"]
            cursor = page.get("next_cursor")
            left = None if left is None else left - len(page["data"])
            if cursor is None:
                return

    @contextmanager
    def stream(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> Iterator["Answer"]:
        """The open answer of a request that was not refused.

        Raises:
            CommandError: no server answers, or it refuses.
        """
        given = {
            name: value
            for name, value in {"organization": self._organization, **(query or {})}.items()
            if value is not None
        }
        target = f"{self._prefix}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")
        answer: Answer | None = None
        try:
            answer = self._send(method, target, None if body is None else json.dumps(body).encode())
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise refusal(answer.status, answer.read(), self.url)
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise not_tollway(self.url)  # redirects are not followed: the key is for this address only
            yield answer
        finally:
            if answer is None or not answer.is_read_out:
                self.close()

    def _send(self, method: str, target: str, body: bytes | None) -> "Answer":
        headers = {"accept": "*/*", "user-agent": f"tollway/{__version__}"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        if body is not None:
            headers["content-type"] = "application/json"
        reused = self._connection is not None
        while True:
            self._connection = connection = self._connection or self._connect()
            try:
                connection.request(method, target, body=body, headers=headers)
                return Answer(connection.getresponse(), self.url)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # A kept connection may have been closed by the server before it saw the request: then once more.
                if not (reused and isinstance(error, http.client.RemoteDisconnected | BrokenPipeError)):
                    raise broken(self.url, error) from error
                reused = False

    def _connect(self) -> http.client.HTTPConnection:
        try:
            connection = _open(self.url)
        except OSError as error:
            raise no_server(self.url, connect_failure(error)) from error
        connection.sock.settimeout(READ_TIMEOUT_S)
        return connection


class Answer:
    """An open answer. Faults of the network are told as a `CommandError`."""

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._url = url

    @property
    def is_read_out(self) -> bool:
        """Whether all of it was read, so that the connection can carry the next request."""
        return self._response.isclosed()

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces of a bounded size."""
        while chunk := self._guarded(lambda: self._response.read(_CHUNK_BYTES)):
            yield chunk
        if self._response.length:  # fewer bytes came than were announced, which `read` lets pass
            raise broken(self._url, http.client.IncompleteRead(b"", self._response.length))

    def lines(self) -> Iterator[bytes]:
        """The body line by line, without the line ends."""
        while line := self._guarded(lambda: self._response.readline(LINE_MAX_BYTES)):
            if len(line) == LINE_MAX_BYTES:
                raise CommandError(f"A line has more than {LINE_MAX_BYTES} bytes.", code="answer_too_large")
            yield line.rstrip(b"\r\n")

    def read(self) -> bytes:
        """The whole body."""
        text = bytearray()
        for chunk in self.chunks():
            text += chunk
            if len(text) > ANSWER_MAX_BYTES:
                raise CommandError(f"The answer has more than {ANSWER_MAX_BYTES} bytes.", code="answer_too_large")
        return bytes(text)

    def _guarded(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, http.client.HTTPException) as error:
            raise broken(self._url, error) from error


def broken(url: str, error: Exception) -> CommandError:
    """The connection was there, and broke."""
    return CommandError(
        f"The answer of {url} broke off ({str(error) or type(error).__name__}).",
        code="broken_answer",
        next_step="See the server's log, then try again.",
    )


def _open(url: str) -> http.client.HTTPConnection:
    """A connection to the host of a URL.

    Raises:
        OSError: it cannot be made.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_TIMEOUT_S)
        connection.connect()
    except ValueError as error:  # a port out of range, or a host that is no name
        raise OSError(f"not an address: {error}") from error
    return connection


def probe(url: str) -> int:
    """The status of a GET without any credential: whether the way to a URL is open.

    Raises:
        CommandError: no connection, or no HTTP on it.
    """
    parts = urlsplit(url)
    try:
        connection = _open(url)
    except OSError as error:
        raise CommandError(
            connect_failure(error),
            code="unreachable",
            next_step="Check its base URL, name resolution and the firewall.",
        ) from error
    try:
        connection.request("GET", parts.path, headers={"user-agent": f"tollway/{__version__}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(
            f"it does not speak HTTP ({str(error) or type(error).__name__})",
            code="unreachable",
            next_step="Check its base URL.",
        ) from error
    finally:
        connection.close()


def connect_failure(error: OSError) -> str:
    """Why a connection could not be made, in a few words."""
    match error:
        case socket.gaierror():
            return "the host name is not known"
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason}"
    return error.strerror or str(error)


def not_tollway(url: str) -> CommandError:
    """Something answers, and it is not Tollway."""
    return CommandError(
        f"What answers at {url} is not Tollway.", code="not_tollway", next_step="Correct --url or TOLLWAY_URL."
    )


def refusal(status: int, text: bytes, url: str) -> CommandError:
    """The server's own words: RFC 9457 of the control plane, or the OpenAI envelope of the data plane."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return not_tollway(url) if status == HTTPStatus.NOT_FOUND else _bare(status, url)
    if isinstance(error := told.get("error"), dict):
        return CommandError(str(error.get("message", "")), code=str(error.get("code") or ""), status=status)
    if "code" not in told:
        return _bare(status, url)
    next_step = str(told.get("next_step", ""))
    if status == HTTPStatus.UNAUTHORIZED:
        next_step = f"{next_step} The command line takes its key from --api-key or TOLLWAY_API_KEY.".strip()
    return CommandError(
        str(told.get("detail", "")),
        code=str(told["code"]),
        next_step=next_step,
        status=status,
        details=[f"{item.get('field')}: {item.get('message')}" for item in told.get("errors") or ()],
        request_id=str(told.get("request_id", "")),
    )


def _bare(status: int, url: str) -> CommandError:
    return CommandError(f"{url} answered with status {status} and no reason.", code="unexplained", status=status)
