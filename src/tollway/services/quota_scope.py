"""Whom a budget or limit is for: names become ids, and what could never bind is refused."""

import msgspec

from tollway.data import aliases
from tollway.data.schema.quota import QuotaRow
from tollway.data.session import AnySession
from tollway.errors import NotFoundError, UnprocessableError
from tollway.ledger.quota import EACH
from tollway.services.key_list import require_key
from tollway.services.project_list import project_id_of
from tollway.services.provider_list import require_provider


class QuotaScope(msgspec.Struct, frozen=True, kw_only=True):
    """As it is asked for; ``None`` where it does not matter.

    Attributes:
        project, key, provider: id or name.
        user: the end user that requests name.
        tag_name, tag_value: a tag that requests have; a value of ``None`` stands for any.
        model: ``provider/model``, ``provider/*`` or an alias.
        each: dimensions of which every value has a window of its own.
    """

    project: str | None = None
    key: str | None = None
    user: str | None = None
    tag_name: str | None = None
    tag_value: str | None = None
    provider: str | None = None
    model: str | None = None
    each: tuple[str, ...] = ()


async def scope_row(session: AnySession, organization_id: str, scope: QuotaScope, row: QuotaRow) -> None:
    """Put the scope into a row.

    Raises:
        NotFoundError: it names what the organization does not have; it would never bind.
        ConflictError: several projects have a key of this name.
        UnprocessableError: its parts contradict one another.
    """
    _require_consistent(scope)
    row.organization_id = organization_id
    row.project_id, row.key_id = await _owner(session, organization_id, scope)
    row.user_tag, row.tag_name, row.tag_value = scope.user, scope.tag_name, scope.tag_value
    row.provider = None
    if scope.provider is not None:
        row.provider = (await require_provider(session, organization_id, scope.provider)).name
    row.model = None if scope.model is None else await _model(session, row, scope.model)
    row.each = [dimension for dimension in EACH if dimension in scope.each]


async def _owner(session: AnySession, organization_id: str, scope: QuotaScope) -> tuple[str | None, str | None]:
    """Ids of project and key. A key's own project is written too, so that a project's list has its keys' quotas."""
    if scope.key is None:
        return await project_id_of(session, organization_id, scope.project), None
    key, _ = await require_key(session, organization_id, scope.key, scope.project)
    if key.project_id is None:
        raise UnprocessableError(
            "A key of the organization itself calls no models.", next_step="Name a key of a project.", param="key"
        )
    return key.project_id, key.origin_id or key.id


async def _model(session: AnySession, row: QuotaRow, model: str) -> str:
    """The model by the name under which requests have it."""
    provider, slash, name = model.partition("/")
    if slash:
        found = await require_provider(session, row.organization_id, provider)
        if row.provider not in {None, found.name}:
            raise UnprocessableError(
                "The model is of another provider.", next_step="Leave the provider out.", param="model"
            )
        return f"{found.name}/{name}"
    if not await aliases.is_known(session, row.organization_id, model, project_id=row.project_id):
        raise NotFoundError(
            "There is no alias of this name.", next_step="Write provider/model, provider/*, or an alias of the project."
        )
    return model


def _require_consistent(scope: QuotaScope) -> None:
    """One value, and a window for each value, exclude one another."""
    fixed = {
        "project": scope.project or scope.key,
        "key": scope.key,
        "user": scope.user,
        "tag": scope.tag_value,
        "provider": scope.provider,
        "model": scope.model if scope.model and not scope.model.endswith("/*") else None,
    }
    both = next((dimension for dimension in scope.each if fixed[dimension] is not None), None)
    if both is not None:
        raise UnprocessableError(
            f"It is for one {both}, and cannot have a window for each {both}.",
            next_step=f"Leave {both!r} out of `each`, or do not name one.",
            param="each",
        )
    if "tag" in scope.each and scope.tag_name is None:
        raise UnprocessableError("Each value of which tag?", next_step="Name the tag.", param="tag")
