"""Make an alias lead somewhere: to one model, or by a route to several."""

import re

from tollway.data import aliases, providers
from tollway.data.aliases import AliasRecord
from tollway.data.audit_events import Action
from tollway.data.changes import Change, announce
from tollway.data.schema.provider import Provider
from tollway.data.session import Database, WriteSession
from tollway.errors import UnprocessableError
from tollway.routing.route import Route
from tollway.services.alias_event import tell_alias
from tollway.services.alias_list import no_alias
from tollway.services.project_list import require_project

_NAMED_FIELD = re.compile("`([^`]+)`")


class AliasPut:
    """Sets aliases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, organization_id: str, project: str, name: str, *, route: Route, param: str, actor_key_id: str
    ) -> tuple[AliasRecord, bool]:
        """The alias with this route, and whether it is new.

        Args:
            organization_id: whose it is.
            project: name or id.
            name: of the alias.
            route: where it leads.
            param: what the caller calls that: ``target`` or ``route``.
            actor_key_id: who wants it.

        Raises:
            NotFoundError: there is no such project.
            UnprocessableError: the route makes no sense, or names a provider that the organization does not have.
        """
        _check(route, param)
        async with self._database.write() as session, session.begin():
            owner = await require_project(session, organization_id, project)
            found = await _providers(session, organization_id, route, param)
            before = await aliases.find(session, organization_id, owner.id, name)
            is_new = await aliases.upsert(session, owner, name, found[route.targets[0].provider], route)
            after = await aliases.find(session, organization_id, owner.id, name)
            if after is None:
                raise no_alias()
            action = Action.ALIAS_CREATED if before is None else Action.ALIAS_CHANGED
            await tell_alias(session, organization_id, action, before, after, actor_key_id=actor_key_id)
            await announce(session, Change("catalog", organization_id))
        return after, is_new


def _check(route: Route, param: str) -> None:
    try:
        route.check()
    except ValueError as error:
        named = _NAMED_FIELD.search(str(error))
        place = f"{param}.{named.group(1)}" if named else param
        raise UnprocessableError(str(error), next_step="Correct the route.", param=place) from None


async def _providers(session: WriteSession, organization_id: str, route: Route, param: str) -> dict[str, Provider]:
    """The providers of the route by name, which cannot go before it is stored."""
    found = await providers.lock_named(session, organization_id, {target.provider for target in route.targets})
    for index, target in enumerate(route.targets):
        if target.provider not in found:
            place = param if param == "target" else f"{param}.targets[{index}].provider"
            raise UnprocessableError(
                f"There is no provider {target.provider!r}.", next_step="Add it first.", param=place
            )
    return found
