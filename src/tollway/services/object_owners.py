"""Find out whose the objects are that requests name: asked for requests that name some, and remembered.

An id of a provider never comes to mean another object, so what is known stays true: of a file that was deleted since,
the provider itself says that it is not there.
"""

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from tollway.chat.items import is_id
from tollway.data import provider_objects
from tollway.data.session import Database
from tollway.errors import NotFoundError
from tollway.identity.principal import Principal
from tollway.providers.named_objects import FILE, named_by
from tollway.providers.spec import OBJECT_IDS, any_object
from tollway.routing.call import Call, Named
from tollway.routing.catalog import Deployment
from tollway.services.dialogue_fault import bounded
from tollway.services.inference.fair_thread import FairThread

_KNOWN_MAX = 20_000
"""About 5 MB."""
_LARGE_BYTES = 65_536
"""Larger bodies are looked through beside the event loop."""


class ObjectOwners:
    """Knows them, as far as this worker was asked."""

    def __init__(self, database: Database, bodies: FairThread) -> None:
        """Args: bodies: where large ones are looked through."""
        self._database = database
        self._bodies = bodies
        self._known: dict[tuple[str, str], str] = {}

    async def found(self, principal: Principal, call: Call) -> Call:
        """The request, with where its project has what it names.

        Raises:
            InvalidRequestError: see `named_by`.
            DatabaseUnavailableError: it cannot be known.
        """
        if len(call.body) > _LARGE_BYTES:
            named = await self._bodies.run(principal.organization_id, partial(named_by, call))
        else:
            named = named_by(call)
        return replace(call, named=await self.placed(principal, named)) if named else call

    async def placed(self, principal: Principal, named: Iterable[Named]) -> tuple[Named, ...]:
        """The same objects, with where the project has them: only of files it is known. Raises: as `found`."""
        project_id = principal.project_id
        wanted = {each.id for each in named if each.kind == FILE and is_id(each.id)}
        found = {id_: at for id_ in wanted if (at := self._known.get((project_id, id_))) is not None}
        missing = wanted - found.keys()
        if missing:
            async with bounded("the list of files", or_else=""), self._database.read() as session:
                asked = await provider_objects.places(session, project_id, missing)
            if len(self._known) + len(asked) > _KNOWN_MAX:
                self._known.clear()
            if len(asked) <= _KNOWN_MAX:
                self._known |= {(project_id, id_): at for id_, at in asked.items()}
            found |= asked
        return tuple(replace(each, provider_id=found.get(each.id, "")) if each.kind == FILE else each for each in named)


def require_own(named: Iterable[Named], deployment: Deployment) -> None:
    """Refuse what names an object that the project does not have at this provider.

    Raises:
        NotFoundError: it does not exist, or is another project's, or nobody here knows whose it is.
    """
    if any_object(deployment):
        return
    for each in named:
        if each.provider_id != deployment.provider_id:
            raise NotFoundError(
                f"This project has no {each.kind} {each.id[:200]!r} at the provider {deployment.name!r}.",
                next_step="Name a file that was uploaded here. What was made elsewhere is passed on only where an "
                f"administrator set the provider's option `{OBJECT_IDS}` to `any`.",
                param=each.param,
            )
