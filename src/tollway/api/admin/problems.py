"""Faults of the control plane as RFC 9457 problem details."""

import json
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from tollway.api.admin.request_id import HEADER, request_id
from tollway.errors import (
    InternalError,
    InvalidRequestError,
    MalformedBodyError,
    MethodNotAllowedError,
    NotFoundError,
    TollwayError,
    UnprocessableError,
)

MEDIA_TYPE = "application/problem+json"
_FIELD_ERRORS_MAX = 20
_BY_STATUS: Mapping[int, type[TollwayError]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequestError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowedError,
}

_log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One value that cannot be used."""

    field: str = Field(description="Where it stands.", examples=["body.name"])
    message: str


class Problem(BaseModel):
    """A fault: what it is, why, and what to do."""

    type: str = Field("about:blank", description="Always `about:blank`: `code` tells faults apart.")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(description="Stable name for programs.", examples=["not_found"])
    detail: str = Field(examples=["There is no project of this name or id."])
    next_step: str = Field(description="What the reader can do about it; may be empty.")
    request_id: str = Field(description="Names this request in the logs.")
    errors: list[FieldProblem] | None = Field(None, description="With status 422: the values at fault.")


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, for OpenAPI. Those that every operation has are in `COMMON`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


COMMON = declared(400, 401, 403, 404, 408, 413, 422, 431, 500, 503)
"""Answers that any operation may give: the request itself, its key, its names and values, and our own state."""
CONFLICT = declared(409)
"""For operations that may contradict what is there."""


def created(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """For a `PUT` that answers 201 when what it names was not there before."""
    return {HTTPStatus.CREATED.value: {"description": "Created", "model": model}}


def _render(request: Request, error: TollwayError, fields: Sequence[FieldProblem] = ()) -> Response:
    problem = Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        code=error.code,
        detail=error.message,
        next_step=error.next_step,
        request_id=request_id(request),
        errors=list(fields) or None,
        type="about:blank",
    )
    headers = {**dict(error.headers), HEADER: problem.request_id}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    # Escaped to ASCII: a field's name may hold a lone surrogate, which UTF-8 cannot say.
    body = json.dumps(problem.model_dump(exclude_none=True))
    return Response(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


async def _tollway_error(request: Request, error: Exception) -> Response:
    fault = cast("TollwayError", error)
    unusable = fault.status == HTTPStatus.UNPROCESSABLE_ENTITY and fault.param
    return _render(request, fault, [FieldProblem(field=fault.param or "", message=fault.message)] if unusable else ())


async def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, TollwayError):  # FastAPI takes whatever ends the reading of a body for a bad one
        return await _tollway_error(request, error.__cause__)
    known = cast("HTTPException", error)
    fault = _BY_STATUS.get(known.status_code, InternalError)
    if fault is InternalError:
        return await _unexpected(request, error)
    headers = (("allow", ", ".join(_allowed_methods(request))),) if fault is MethodNotAllowedError else ()
    return _render(request, fault(f"{HTTPStatus(known.status_code).phrase}.", headers=headers))


def _allowed_methods(request: Request) -> list[str]:
    """What the path takes (RFC 9110, 15.5.6). Each method of a path is a route of its own, which knows only itself."""
    routes = request.app.router.routes
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


async def _invalid(request: Request, error: Exception) -> Response:
    """Which values are at fault, never the values themselves: one of them may be a credential."""
    found = cast("RequestValidationError", error).errors()
    if any(item["type"] == "json_invalid" for item in found):
        return _render(request, MalformedBodyError("The body is not valid JSON.", next_step="Send a JSON object."))
    fields = [
        FieldProblem(field=".".join(str(part) for part in item["loc"]), message=item["msg"])
        for item in found[:_FIELD_ERRORS_MAX]
    ]
    fault = UnprocessableError(
        "; ".join(f"{field.field}: {field.message}" for field in fields[:3]) + ".",
        next_step="Correct the values named in `errors`; the API's documentation is at /docs.",
    )
    return _render(request, fault, fields)


async def _unexpected(request: Request, error: Exception) -> Response:
    # Neither the message nor local variables: they may hold what the caller sent, a credential for one.
    _log.error(
        "unexpected_error",
        request_id=request_id(request),
        path=request.url.path,
        error=type(error).__name__,
        stack="".join(traceback.format_tb(error.__traceback__)),
    )
    return _render(
        request,
        InternalError(
            "Something went wrong on our side.", next_step="Tell the operator the request_id; the log has it."
        ),
    )


def install(app: FastAPI) -> None:
    """Render every fault of the app as a problem, and declare the schema."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (Problem, FieldProblem):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schema.pop("$defs", None)
            schemas[model.__name__] = schema
        return document

    # FastAPI's documented way to extend the document.
    app.openapi = openapi  # type: ignore[method-assign]
    app.add_exception_handler(TollwayError, _tollway_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
