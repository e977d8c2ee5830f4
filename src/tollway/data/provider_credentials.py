"""SQL of the further credentials of providers. What is shown of one is never itself, sealed or not."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import func, select

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.provider_credential import ProviderCredential
from tollway.data.session import AnySession, ReadSession, WriteSession

_CONFLICTS = {
    "uq_provider_credential_provider_id_name": (
        "The provider has a credential of this name already.",
        "Choose another name, or rotate that one.",
    )
}


class CredentialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it may be shown."""

    id: str
    provider_id: str
    name: str
    credential_suffix: str
    created_at: datetime


def credential_record(row: ProviderCredential) -> CredentialRecord:
    """What may be shown of a row."""
    return CredentialRecord(
        id=row.id,
        provider_id=row.provider_id,
        name=row.name,
        credential_suffix=row.credential_suffix,
        created_at=row.created_at,
    )


async def count(session: AnySession, provider_id: str) -> int:
    """How many a provider has."""
    found = select(func.count()).select_from(ProviderCredential).where(ProviderCredential.provider_id == provider_id)
    return int(await session.scalar(found) or 0)


async def page(session: ReadSession, provider_id: str, wanted: Page) -> Sequence[CredentialRecord]:
    """A page of a provider's."""
    statement = select(ProviderCredential).where(ProviderCredential.provider_id == provider_id)
    rows = await session.scalars(paged(statement, ProviderCredential.id, wanted))
    return [credential_record(row) for row in rows]


async def find(session: AnySession, provider_id: str, name: str) -> ProviderCredential | None:
    """The one of this name."""
    statement = select(ProviderCredential).where(
        ProviderCredential.provider_id == provider_id, ProviderCredential.name == name
    )
    return (await session.scalars(statement)).one_or_none()


async def save(session: WriteSession, row: ProviderCredential) -> ProviderCredential:
    """Insert or update. Raises ConflictError if the name is taken."""
    return await stored(session, row, _CONFLICTS)


async def remove(session: WriteSession, row: ProviderCredential) -> None:
    """Delete."""
    await session.delete(row)
    await session.flush()
