"""Declare a model of a provider."""

from tollway.data import models, providers
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.models import ModelRecord
from tollway.data.session import Database
from tollway.services.change_event import change_events
from tollway.services.provider_list import no_provider


class ModelDeclare:
    """Declares models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def declare(
        self, organization_id: str, provider: str, model: str, *, actor_key_id: str
    ) -> tuple[ModelRecord, bool]:
        """The declared model, and whether it was not declared before.

        Raises:
            NotFoundError: there is no such provider.
        """
        async with self._database.write() as session, session.begin():
            owner = await providers.lock(session, organization_id, provider)
            if owner is None:
                raise no_provider()
            found, is_new = await models.declare(session, owner, model)
            if is_new:
                await raise_events(
                    session,
                    change_events(
                        Action.MODEL_DECLARED,
                        organization_id=organization_id,
                        subject=found.id,
                        actor_key_id=actor_key_id,
                        about={"provider": owner.name, "model": model},
                    ),
                )
                await announce(session, Change("catalog", organization_id))
            return found, is_new
