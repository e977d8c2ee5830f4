"""What budgets and limits have in common on the wire: whom they are for, and a temporary raise."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from tollway.api.admin.models.base import Given, KeyReference, Reference
from tollway.constants import TAG_NAME_MAX_CHARS, TAG_VALUE_MAX_CHARS
from tollway.data.quotas import QuotaRecord
from tollway.ledger.quota import EACH, Quota
from tollway.ledger.window import SECOND_US
from tollway.services.quota_change import Raise
from tollway.services.quota_scope import QuotaScope

_LINE = r"^[^\x00-\x1f\x7f]+$"
QuotaModel = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9][a-z0-9._-]{0,62}/(\*|[A-Za-z0-9@][A-Za-z0-9._:@/+~-]{0,255})"
        r"|[A-Za-z0-9][A-Za-z0-9._:@-]{0,127})$",
        min_length=1,
        max_length=320,
    ),
]


def _once(dimensions: list[str]) -> list[str]:
    if len(set(dimensions)) < len(dimensions):
        raise ValueError("Name each dimension once.")
    return dimensions


Dimension = Literal["project", "key", "user", "tag", "provider", "model"]
Each = Annotated[
    list[Dimension],
    Field(
        max_length=len(EACH),
        description="Dimensions of which every value has a window of its own: `user` gives each end user the amount.",
        examples=[["user"]],
    ),
    AfterValidator(_once),
]


class Tag(BaseModel):
    """A tag that requests have."""

    name: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=TAG_NAME_MAX_CHARS)]
    value: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=TAG_VALUE_MAX_CHARS)] | None = (
        Field(None, description="Null: any value.")
    )


class ScopeGiven(Given):
    """Whom it is for. What is left out does not matter; nothing at all: the whole organization."""

    project: Reference | None = Field(None, description="Id or name of a project.", examples=["chatbot"])
    key: KeyReference | None = Field(None, description="Id of a key, or the name of one that is not revoked.")
    user: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=TAG_VALUE_MAX_CHARS)] | None = Field(
        None, description="An end user, as requests name it in `safety_identifier` or `user`."
    )
    tag: Tag | None = Field(None, description="A tag that requests have.")
    provider: Reference | None = Field(None, description="Name of a provider.", examples=["openai"])
    model: QuotaModel | None = Field(
        None, description="`provider/model` as sent upstream, `provider/*`, or an alias that callers use."
    )
    each: Each = Field(default_factory=list)

    @property
    def scope(self) -> QuotaScope:
        """As the services take it."""
        return QuotaScope(
            project=self.project,
            key=self.key,
            user=self.user,
            tag_name=self.tag.name if self.tag else None,
            tag_value=self.tag.value if self.tag else None,
            provider=self.provider,
            model=self.model,
            each=tuple(self.each),
        )


class ScopeShown(BaseModel):
    """Whom it is for; null: does not matter."""

    id: str
    organization_id: str
    project_id: str | None
    project: str | None = Field(description="Name of the project.")
    key_id: str | None
    key: str | None = Field(description="Name of the key.")
    user: str | None
    tag: Tag | None
    provider: str | None
    model: str | None
    each: list[str]

    @staticmethod
    def scope_of(record: QuotaRecord) -> dict[str, Any]:
        """The fields of this class."""
        quota = record.quota
        return {
            "id": quota.id,
            "organization_id": quota.organization_id,
            "project_id": quota.project_id,
            "project": record.project,
            "key_id": quota.key_id,
            "key": record.key,
            "user": quota.user_tag,
            "tag": None if quota.tag_name is None else {"name": quota.tag_name, "value": quota.tag_value},
            "provider": quota.provider,
            "model": quota.model,
            "each": list(quota.each),
        }


def raise_of(quota: Quota) -> Raise | None:
    """The temporary raise, while it holds."""
    if quota.raised_amount is None or quota.raised_until is None or quota.raised_until <= time.time():
        return None
    return Raise(quota.raised_amount, datetime.fromtimestamp(quota.raised_until, UTC))


def moment(epoch_us: int | None) -> datetime | None:
    """A point in time as shown."""
    return None if epoch_us is None else datetime.fromtimestamp(epoch_us / SECOND_US, UTC)
