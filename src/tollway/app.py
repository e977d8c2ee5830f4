"""The application of a worker: the data plane and the control plane behind one address. No logic."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tollway import __version__
from tollway.api import operations
from tollway.api.admin import problems, router
from tollway.api.admin.request_id import RequestId
from tollway.api.inference.data_plane import PREFIX, DataPlane
from tollway.api.middleware.body_limit import RequestLimit
from tollway.config.limits import LimitSettings
from tollway.factory.control import Factory
from tollway.telemetry.metrics import Metrics

_ADMIN_MAX_BODY_BYTES = 1024 * 1024
"""The largest thing the control plane takes is a list of prices: a few kilobytes."""
_DESCRIPTION = "Administration of Tollway. The data plane at `/v1` speaks the API of OpenAI."

Check = Callable[[], Awaitable[str]]


class Tollway:
    """Sends ``/v1/…`` to the data plane, and everything else to the control plane."""

    def __init__(self, data_plane: DataPlane, control_plane: ASGIApp) -> None:
        self.data_plane = data_plane
        self._control_plane = control_plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.data_plane(scope, receive, send)
        else:
            await self._control_plane(scope, receive, send)


def create_control_plane(
    factory: Factory, limits: LimitSettings, metrics: Metrics, *, required: dict[str, Check], wanted: dict[str, Check]
) -> FastAPI:
    """The control plane: `/api/v1`, its documentation at `/docs`, and the pages for operators.

    Args:
        factory: builds the services.
        limits: of header sizes.
        metrics: what `/metrics` shows.
        required: checks of `/readyz` that must pass; see `tollway.api.operations`.
        wanted: checks of `/readyz` that are only told.
    """
    app = FastAPI(title="Tollway", version=__version__, description=_DESCRIPTION, redoc_url=None)
    app.state.factory = factory
    app.include_router(router.build_router())
    app.include_router(operations.build_router(metrics, required=required, wanted=wanted))
    problems.install(app)
    app.add_middleware(RequestLimit, max_body_bytes=_ADMIN_MAX_BODY_BYTES, max_header_bytes=limits.max_header_bytes)
    app.add_middleware(RequestId)
    return app
