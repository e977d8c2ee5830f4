"""Who may do what on the control plane, as three typed names: `Reader`, `Administrator`, `Platform`.

Keys are read from the database on every request: the control plane never acts on a remembered key.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tollway.api.admin.models.base import Reference
from tollway.errors import PermissionDeniedError
from tollway.factory.control import Factory
from tollway.identity.grant import included
from tollway.identity.principal import Principal, Scope

_bearer = HTTPBearer(auto_error=False, description="A Tollway key with scope `read`, `admin` or `platform`.")


class Access(msgspec.Struct, frozen=True):
    """A caller and the organization it acts on, which it may see.

    Attributes:
        principal: the checked key.
        organization_id: the caller's own; with scope `platform`, the one it named.
    """

    principal: Principal
    organization_id: str


def get_factory(request: Request) -> Factory:
    """The factory of the process."""
    factory: Factory = request.app.state.factory
    return factory


Services = Annotated[Factory, Depends(get_factory)]
"""Builds services."""


async def _caller(
    factory: Services, sent: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    # A key has only ASCII; anything else is unknown, not an error.
    key = sent.credentials.encode("utf-8", errors="replace") if sent else b""
    return await factory.authenticator_uncached().authenticate(key)


Caller = Annotated[Principal, Depends(_caller)]
"""Any live key."""


def _access(scope: Scope) -> Callable[..., Awaitable[Access]]:
    async def require(
        caller: Caller,
        factory: Services,
        organization: Annotated[
            Reference | None,
            Query(
                description="Id or name of the organization to act on; default: that of the key. "
                "Another than the own needs scope `platform`.",
            ),
        ] = None,
    ) -> Access:
        require_included(caller, scope)
        if organization is None:
            return Access(caller, caller.organization_id)
        found = await factory.organization_list().find(caller, organization)
        return Access(caller, found.id)

    return require


def require_included(principal: Principal, scope: Scope) -> None:
    """Refuse a caller whose scopes do not include this one.

    Raises:
        PermissionDeniedError: they do not.
    """
    if scope not in included(principal.scopes):
        raise PermissionDeniedError(
            f"This needs a key with scope `{scope}`.",
            next_step="Use such a key; `GET /api/v1/me` shows a key's scopes.",
        )


Reader = Annotated[Access, Depends(_access(Scope.READ))]
"""May read the organization."""
Administrator = Annotated[Access, Depends(_access(Scope.ADMIN))]
"""May change the organization."""


async def _platform(caller: Caller) -> Principal:
    require_included(caller, Scope.PLATFORM)
    return caller


Platform = Annotated[Principal, Depends(_platform)]
"""May do everything, in every organization."""
