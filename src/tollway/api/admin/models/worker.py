"""Workers on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from tollway.api.admin.models.ledger import Usd
from tollway.data.worker_list import WorkerRecord
from tollway.ledger.money import usd_text


class Worker(BaseModel):
    """A worker process, of this machine or another."""

    id: str = Field(description="The name of its journal directory.")
    host: str
    started_at: datetime
    seen_at: datetime = Field(description="When it last showed itself.")
    alive: bool = Field(description="Whether that was a moment ago.")
    leases: int = Field(description="Windows of budgets and limits of which it has a part.")
    leased_usd: Usd = Field(description="What of budgets it has and the ledger does not have yet.")

    @classmethod
    def of(cls, record: WorkerRecord) -> Self:
        """As shown."""
        return cls(
            **{name: getattr(record, name) for name in ("id", "host", "started_at", "seen_at", "alive", "leases")},
            leased_usd=usd_text(record.leased),
        )
