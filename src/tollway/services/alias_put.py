"""Make an alias point to a model."""

from tollway.data import aliases, providers
from tollway.data.aliases import AliasRecord
from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.errors import UnprocessableError
from tollway.services.alias_list import no_alias
from tollway.services.project_list import require_project


class AliasPut:
    """Sets aliases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, organization_id: str, project: str, name: str, *, target: str) -> tuple[AliasRecord, bool]:
        """The alias with this target (``provider/model``), and whether it is new.

        Raises:
            NotFoundError: there is no such project.
            UnprocessableError: the organization has no such provider.
        """
        provider_name, _, model = target.partition("/")
        async with self._database.write() as session, session.begin():
            owner = await require_project(session, organization_id, project)
            provider = await providers.lock(session, organization_id, provider_name)
            if provider is None or provider.name != provider_name or not model:
                raise UnprocessableError(
                    f"There is no provider {provider_name!r}.", next_step="Add it first.", param="target"
                )
            is_new = await aliases.upsert(session, owner, name, provider, model)
            await announce(session, Change("catalog", organization_id))
            found = await aliases.find(session, organization_id, owner.id, name)
        if found is None:
            raise no_alias()
        return found, is_new
