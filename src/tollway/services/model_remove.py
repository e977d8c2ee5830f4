"""Take back the declaration of a model."""

from tollway.data import models
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.errors import NotFoundError
from tollway.services.change_event import change_events
from tollway.services.provider_list import require_provider


class ModelRemove:
    """Removes declared models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, organization_id: str, provider: str, model: str, *, actor_key_id: str) -> None:
        """Take the declaration back.

        Raises:
            NotFoundError: there is no such provider, or the model is not declared.
        """
        async with self._database.write() as session, session.begin():
            owner = await require_provider(session, organization_id, provider)
            removed_id = await models.remove(session, owner.id, model)
            if removed_id is None:
                raise NotFoundError("This model is not declared.", next_step="List them at /api/v1/models.")
            await raise_events(
                session,
                change_events(
                    Action.MODEL_REMOVED,
                    organization_id=organization_id,
                    subject=removed_id,
                    actor_key_id=actor_key_id,
                    about={"provider": owner.name, "model": model},
                ),
            )
            await announce(session, Change("catalog", organization_id))
