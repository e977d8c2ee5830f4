"""Say which attempts a request would lead to, and why, as the worker that answers would make them."""

from typing import Any

from tollway.data.session import Database
from tollway.errors import ModelNotFoundError, NotReadyError, UnprocessableError
from tollway.routing.explain import Description, Explanation, Question
from tollway.services.inference.explainer import Explainer
from tollway.services.key_list import require_key
from tollway.services.project_list import project_id_of


class RouteQuestion(Description, frozen=True, kw_only=True):
    """A request as people describe it: `project` and `key` by id or name."""

    project: str | None = None
    key: str | None = None


class RouteExplain:
    """Explains routes with the health that this process has measured."""

    def __init__(self, database: Database, explainer: Explainer | None) -> None:
        """Args: explainer: of the worker; ``None`` in a process that serves no requests."""
        self._database = database
        self._explainer = explainer

    async def explain(self, organization_id: str, question: RouteQuestion) -> Explanation:
        """What would happen.

        Raises:
            NotFoundError, ConflictError: there is no such project or key, or several.
            UnprocessableError: the key is of no project.
            NotReadyError: this process serves no requests, or has not read its configuration yet.
            TollwayError: the request would be refused, as it is told here.
        """
        if self._explainer is None:
            raise NotReadyError("This process serves no requests.", next_step="Ask a running server.")
        described = {name: getattr(question, name) for name in Description.__struct_fields__}
        whose = await self._asker(organization_id, question)
        asked = Question(organization_id=organization_id, **whose, **described)
        try:
            return self._explainer.explain(asked)
        except ModelNotFoundError:  # it may have been made a moment ago
            await self._explainer.catch_up()
            return self._explainer.explain(asked)

    async def _asker(self, organization_id: str, question: RouteQuestion) -> dict[str, Any]:
        """Whose request it is."""
        async with self._database.read() as session:
            if question.key is None:
                project_id = await project_id_of(session, organization_id, question.project)
                return {"project_id": project_id or ""}
            key, _ = await require_key(session, organization_id, question.key, question.project)
        if key.project_id is None:
            raise UnprocessableError(
                "A key of the organization itself calls no models.", next_step="Name a key of a project.", param="key"
            )
        allowed = None if key.allowed_models is None else tuple(key.allowed_models)
        return {"project_id": key.project_id, "key_id": key.origin_id or key.id, "allowed_models": allowed}
