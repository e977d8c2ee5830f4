"""What operators and orchestrators ask: is it alive, is it ready, what are its figures."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tollway import __version__
from tollway.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[str]]
"""Returns an empty text if all is well, else what is wrong and what to do."""


class Health(BaseModel):
    """The process answers."""

    status: str = Field("ok", examples=["ok"])
    version: str = Field(__version__, examples=["0.1.0"])


class Readiness(BaseModel):
    """Whether requests are served, and which part is not well."""

    status: str = Field(description="`ready`, `degraded` (known callers are served from memory) or `not ready`.")
    checks: dict[str, str] = Field(description="Part → empty if well, else what is wrong.")


def build_router(metrics: Metrics, *, required: dict[str, Check], wanted: dict[str, Check]) -> APIRouter:
    """The three pages.

    Args:
        metrics: what `/metrics` shows.
        required: parts without which nothing is served: a fault makes `/readyz` answer 503.
        wanted: parts whose loss is survived for a while: a fault is told, with status 200.
    """
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="Is the process alive?")
    async def healthz() -> Health:
        return Health()

    @router.get(
        "/readyz",
        response_model=Readiness,
        summary="Does it serve requests?",
        responses={503: {"model": Readiness, "description": "Not ready."}},
    )
    async def readyz() -> JSONResponse:
        faults = {name: await check() for name, check in required.items()}
        lesser = {name: await check() for name, check in wanted.items()}
        failed = any(faults.values())
        status = "not ready" if failed else "degraded" if any(lesser.values()) else "ready"
        answer = Readiness(status=status, checks=faults | lesser)
        return JSONResponse(answer.model_dump(), status_code=503 if failed else 200)

    @router.get(
        "/metrics",
        response_class=Response,
        summary="Metrics in Prometheus' text format.",
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics_page() -> Response:
        body = await run_in_threadpool(metrics.render)  # reads a file for each worker
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
