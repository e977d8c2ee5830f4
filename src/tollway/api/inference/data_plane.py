"""The data plane as one ASGI application: a table of surfaces, the one pipeline, and the models."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from itertools import chain
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from tollway.api.inference.caller import CallerLeftError, HttpCaller
from tollway.api.inference.models import ModelList
from tollway.api.inference.stored import Stored
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.chat.dialect import Dialect
from tollway.config.limits import LimitSettings
from tollway.constants import DISCONNECT_WATCH_DELAY_S
from tollway.errors import (
    HeadersTooLargeError,
    InternalError,
    InvalidRequestError,
    MalformedBodyError,
    MethodNotAllowedError,
    NotFoundError,
    NotReadyError,
    TollwayError,
    UpstreamError,
)
from tollway.ids import is_uuid7, uuid7
from tollway.routing.call import Call, Surface
from tollway.routing.retry import parse_timeout_s
from tollway.services.authenticate import key_from_headers
from tollway.services.inference.dialogues import Dialogues
from tollway.services.inference.event_stream import tell_events
from tollway.services.inference.exchange import Inbound
from tollway.services.inference.idempotent import Idempotent
from tollway.services.inference.pipeline import Pipeline
from tollway.telemetry.observer import Observer

PREFIX = "/v1/"
_MODELS = "/v1/models"
_STORED = ("/v1/responses/", "/v1/conversations", "/v1/files", "/v1/batches")
_DIALECT = DIALECTS["chat"]
"""Of paths that are no surface."""
_MESSAGES = DIALECTS["messages"]
_MESSAGES_PATH = "/v1/messages"
_MESSAGES_HEADER = b"anthropic-version"
"""By which callers of that dialect are known at paths that several have."""
_LISTS = (b"cache-control", b"x-tollway-tags", b"anthropic-beta")
"""Headers that may be there several times, as proxies add to them: what they say counts together."""
_HEADER_OVERHEAD_BYTES = 4
_SERVER_FAULT = 500
_log = structlog.get_logger(__name__)


class DataPlane:
    """Serves ``/v1/…``."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        dialogues: Dialogues,
        stored: Stored,
        idempotent: Idempotent,
        models: ModelList,
        observer: Observer,
        limits: LimitSettings,
    ) -> None:
        self._pipeline = pipeline
        self._dialogues = dialogues
        self._stored = stored
        self._idempotent = idempotent
        self._models = models
        self._observer = observer
        self._limits = limits
        self._running: dict[HttpCaller, asyncio.Task[object]] = {}

    async def idle(self, timeout_s: float) -> bool:
        """Wait for all requests to end; return whether they did in time."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=timeout_s)
        return not self._running

    async def watch(self) -> None:
        """Look after the connections of running requests until cancelled."""
        while True:
            await asyncio.sleep(DISCONNECT_WATCH_DELAY_S)
            now_s = time.monotonic()
            for caller in list(self._running):
                caller.tick(now_s)

    def cut(self) -> None:
        """End all requests now: each writes its entry as interrupted."""
        for task in self._running.values():
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = dict(scope["headers"])
        headers = headers if len(headers) == len(scope["headers"]) else _joined(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        path: str = scope["path"]
        surface = SURFACES.get(path)
        dialect = DIALECTS[surface.dialect] if surface is not None else _dialect_at(path, headers)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine always runs in a task
        caller = HttpCaller(
            receive,
            send,
            task,
            content_length=headers.get(b"content-length", b""),
            max_body_bytes=self._limits.max_body_bytes,
            body_timeout_s=self._limits.body_timeout_s,
        )
        self._running[caller] = task
        try:
            _check_headers(scope["headers"], self._limits.max_header_bytes)
            if surface is None and path.startswith(_STORED):
                await self._answer_stored(scope, headers, request_id, caller)
            elif surface is None or scope["method"] != "POST":
                await self._answer_other(path, scope["method"], headers, request_id, caller)
            else:
                await self._ask_model(_inbound(surface, request_id, headers), headers.get(b"idempotency-key"), caller)
        except CallerLeftError:
            self._observer.refused(surface.name if surface else "other", request_id, 499, "client_left")
            broken = MalformedBodyError("The body broke off, or is not as HTTP has it.", next_step="Send it again.")
            await _refuse(caller, request_id, broken, dialect)  # who is still there has not left
        except asyncio.CancelledError:
            task.uncancel()
            if not caller.left:
                await _refuse(
                    caller, request_id, NotReadyError("Tollway is stopping.", next_step="Try again."), dialect
                )
        except TollwayError as error:
            if error.status >= _SERVER_FAULT and error.__cause__ is not None:
                trace = (
                    None if isinstance(error, UpstreamError) else error.__cause__
                )  # theirs says nothing about our code
                cause = repr(error.__cause__)
                _log.warning("request_failed", request_id=request_id, code=error.code, cause=cause, exc_info=trace)
            if not error.in_ledger:
                self._observer.refused(surface.name if surface else "other", request_id, error.status, error.code)
            await _refuse(caller, request_id, error, dialect)
        except Exception:  # noqa: BLE001 -- the last line of defence: the caller gets an envelope, the log gets the defect
            _log.exception("defect", request_id=request_id)
            fault = InternalError("Tollway failed to serve this request.", next_step="Report it with its request id.")
            await _refuse(caller, request_id, fault, dialect)
        finally:
            caller.unwatch()
            del self._running[caller]

    def _ask_model(
        self, inbound: Inbound, idempotency_key: bytes | None, caller: HttpCaller
    ) -> Coroutine[Any, Any, None]:
        if idempotency_key is not None:
            return self._ask_once(inbound, idempotency_key, caller)
        return (self._dialogues if inbound.surface.remembers else self._pipeline).run(inbound, caller)

    async def _ask_once(self, inbound: Inbound, idempotency_key: bytes, caller: HttpCaller) -> None:
        replayed = await self._idempotent.run(inbound, idempotency_key, caller)
        if replayed is not None:
            self._observer.replayed(inbound.surface.name, inbound.request_id, replayed)

    async def _answer_stored(
        self, scope: Scope, headers: dict[bytes, bytes], request_id: str, caller: HttpCaller
    ) -> None:
        """What is kept, here or for us at a provider."""
        async with self._stored.answered(
            scope["method"],
            scope["path"],
            query=scope.get("query_string", b""),
            key=_key(headers),
            headers=headers,
            caller=caller,
        ) as told:
            self._observer.visited(scope["path"].split("/")[2], request_id, told.status)
            if told.events is not None:
                await caller.read_body()  # from then on it is noticed when the caller leaves
                await tell_events(caller, told.events, [(b"x-request-id", request_id.encode()), *told.headers])
                return
            kind = told.content_type.encode("latin-1")
            await _answer(caller, told.status, told.body, request_id, told.headers, content_type=kind)

    async def _answer_other(
        self, path: str, method: str, headers: dict[bytes, bytes], request_id: str, caller: HttpCaller
    ) -> None:
        """What is not a request to a model: the list of models, or a path that is not there."""
        if path in SURFACES or ((path == _MODELS or path.startswith(_MODELS + "/")) and method not in {"GET", "HEAD"}):
            allowed = "POST" if path in SURFACES else "GET"
            raise MethodNotAllowedError(
                f"{path[:200]} does not know the method {method[:20]}.",
                next_step=f"Use {allowed}.",
                headers=(("allow", allowed),),
            )
        key = _key(headers)
        if path == _MODELS:
            body = await self._models.list_all(key, for_messages=_MESSAGES_HEADER in headers)
        elif path.startswith(_MODELS + "/"):
            body = await self._models.get(key, path[len(_MODELS) + 1 :], for_messages=_MESSAGES_HEADER in headers)
        else:
            raise NotFoundError(
                f"There is nothing at {path[:200]}.", next_step=f"Surfaces: {', '.join([*SURFACES, _MODELS])}."
            )
        await _answer(caller, 200, body, request_id)


def _inbound(surface: Surface, request_id: str, headers: dict[bytes, bytes]) -> Inbound:
    own_id = "" if b"x-request-id" in headers else request_id
    dialect = DIALECTS[surface.dialect]

    def parse(body: bytes) -> Call:
        return dialect.parse(body, surface=surface, headers=headers)

    control = headers.get(b"cache-control", b"")
    timeout = headers.get(b"x-tollway-timeout")
    timeout_s = None if timeout is None else _timeout_s(timeout)
    return Inbound(surface, request_id, own_id, _key(headers), parse, dialect, timeout_s, cache_control=control)


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers, where some are there several times: of `_LISTS` all that they say, of others the last."""
    parts = {listed: [value for name, value in headers if name == listed] for listed in _LISTS}
    return dict(headers) | {name: b", ".join(values) for name, values in parts.items() if values}


def _timeout_s(given: bytes) -> float:
    """How long the caller waits."""
    try:
        return parse_timeout_s(given.decode("latin-1"))
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error


def _dialect_at(path: str, headers: dict[bytes, bytes]) -> Dialect:
    """What is spoken where there is no surface."""
    return _MESSAGES if path.startswith(_MESSAGES_PATH) or _MESSAGES_HEADER in headers else _DIALECT


def _key(headers: dict[bytes, bytes]) -> bytes:
    return key_from_headers(headers.get(b"authorization", b""), headers.get(b"x-api-key", b""))


def _request_id(given: bytes) -> str:
    text = given.decode("latin-1")
    return text if text and is_uuid7(text) else uuid7()


def _check_headers(headers: list[tuple[bytes, bytes]], limit: int) -> None:
    size = sum(map(len, chain.from_iterable(headers))) + _HEADER_OVERHEAD_BYTES * len(headers)
    if size > limit:
        raise HeadersTooLargeError(
            f"The request headers have {size} bytes; {limit} are allowed.",
            next_step="Send fewer; the operator can raise TOLLWAY_MAX_HEADER_BYTES.",
        )


async def _refuse(caller: HttpCaller, request_id: str, error: TollwayError, dialect: Dialect) -> None:
    """Tell the caller of a fault: as a reply, or, when one has begun, by ending it."""
    error.request_id = request_id
    if caller.started:
        await caller.finish(dialect.error_event(error))
        return
    extra = [(name.encode(), value.encode()) for name, value in error.headers]
    if not error.in_ledger:
        extra.append((b"x-tollway-cost", b"0"))
    extra.append((b"x-should-retry", b"true" if error.retryable else b"false"))
    if dialect.names_request_id:
        extra.append((b"request-id", request_id.encode()))
    await _answer(caller, error.status, dialect.error_body(error), request_id, extra)


async def _answer(
    caller: HttpCaller,
    status: int,
    body: bytes,
    request_id: str,
    extra: Sequence[tuple[bytes, bytes]] = (),
    *,
    content_type: bytes = b"application/json",
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *extra,
    ]
    await caller.start(status, headers)
    await caller.finish(body)
