"""Find events of the audit log."""

from collections.abc import Sequence

from tollway.data import audit_events
from tollway.data.page import Page
from tollway.data.schema.audit_event import AuditEvent
from tollway.data.session import Database


class AuditList:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, organization_id: str, page: Page, *, action: str | None = None, subject: str | None = None
    ) -> Sequence[AuditEvent]:
        """A page of the organization's events, the newest first: of one action, of one subject, or all."""
        async with self._database.read() as session:
            return await audit_events.page(session, organization_id, page, action=action, subject=subject)
