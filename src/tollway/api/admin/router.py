"""The control plane: every noun under ``/api/v1``."""

from fastapi import APIRouter, FastAPI

from tollway.api.admin import (
    aliases,
    keys,
    me,
    models_declared,
    organizations,
    prices,
    problems,
    projects,
    providers,
)
from tollway.api.admin.request_id import RequestId

PREFIX = "/api/v1"
_NOUNS = (me, organizations, projects, keys, providers, models_declared, aliases, prices)


def build_router() -> APIRouter:
    """All operations of the control plane. The app that includes it needs `install` and ``app.state.factory``."""
    router = APIRouter(prefix=PREFIX, responses=problems.COMMON)
    for noun in _NOUNS:
        router.include_router(noun.router)
    return router


def install(app: FastAPI) -> None:
    """Put the control plane into an app: its operations, its faults as RFC 9457 problems, its request ids."""
    app.include_router(build_router())
    problems.install(app)
    app.add_middleware(RequestId)
