"""One request, asked politely: to see whether a target answers, and whether the answer is the upstream's."""

import http
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from bench.prompt import chat_body

ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Shape:
    """How a target is asked."""

    url: str
    headers: Mapping[str, str]
    model: str

    def body(self, *, stream: bool) -> bytes:
        """The JSON body."""
        return chat_body(self.model, stream=stream)


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 if nothing did."""

    status: int
    body: bytes = b""

    def text(self) -> str:
        """The assistant's words of a plain answer, empty if it is not one."""
        try:
            text: str = json.loads(self.body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            return ""
        return text

    def events(self) -> int:
        """Events of a stream that carry words."""
        return self.body.count(b'"content":') if b"data:" in self.body else 0


def get(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a page.

    Raises:
        OSError: nobody answers.
        http.client.HTTPException: it is not HTTP, or not a 200.
    """
    target = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", target.path, headers=dict(headers or {}))
        reply = connection.getresponse()
        body = reply.read()
    finally:
        connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise http.client.HTTPException(f"GET {target.path}: status {reply.status}: {body[:200]!r}")
    return body


def ask(shape: Shape, *, stream: bool = False) -> Answer:
    """Ask once, on a connection of its own."""
    target = urllib.parse.urlsplit(shape.url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("POST", target.path, shape.body(stream=stream), dict(shape.headers))
        reply = connection.getresponse()
        return Answer(reply.status, reply.read())
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()
