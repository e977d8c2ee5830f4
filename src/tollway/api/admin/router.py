"""The control plane: every noun under ``/api/v1``."""

from fastapi import APIRouter, Depends

from tollway.api.admin import (
    aliases,
    audit,
    budgets,
    credentials,
    keys,
    ledger,
    limits,
    me,
    models_declared,
    organizations,
    prices,
    problems,
    projects,
    providers,
    route,
    usage,
    webhooks,
    workers,
)
from tollway.api.admin.unknown_query import refuse_unknown_query

PREFIX = "/api/v1"
_NOUNS = (
    me,
    organizations,
    projects,
    keys,
    providers,
    credentials,
    models_declared,
    aliases,
    route,
    prices,
    budgets,
    limits,
    ledger,
    usage,
    audit,
    webhooks,
    workers,
)


def build_router() -> APIRouter:
    """All operations of the control plane.

    The app that includes it needs ``app.state.factory``, `problems.install` and `RequestId`.
    """
    router = APIRouter(prefix=PREFIX, responses=problems.COMMON, dependencies=[Depends(refuse_unknown_query)])
    for noun in _NOUNS:
        router.include_router(noun.router)
    return router
