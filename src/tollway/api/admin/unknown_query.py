"""Refuse query parameters that an operation does not have: a misspelt filter must not list everything."""

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tollway.errors import UnprocessableError

_SHOWN_CHARS = 64


def _names(dependant: Dependant) -> set[str]:
    inner = (_names(each) for each in dependant.dependencies)
    return {field.alias for field in dependant.query_params}.union(*inner)


async def refuse_unknown_query(request: Request) -> None:
    """Check the query of a request against its operation.

    Raises:
        UnprocessableError: it has a parameter that the operation does not know.
    """
    route: APIRoute = request.scope["route"]
    known = _names(route.dependant)
    unknown = next((name for name in request.query_params if name not in known), None)
    if unknown is not None:
        raise UnprocessableError(
            f"There is no query parameter {unknown[:_SHOWN_CHARS]!r} here.",
            next_step=f"Known are: {', '.join(sorted(known)) or 'none'}.",
            param=unknown[:_SHOWN_CHARS],
        )
