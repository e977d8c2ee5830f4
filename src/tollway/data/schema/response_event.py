"""The events of responses that are streamed while they run in the background, so that any worker can tell them."""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base


class ResponseEvents(Base):
    """Some events in a row; `content`, sealed, is their server-sent events. Gone with their response."""

    __tablename__ = "response_event"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "response_id"], ["response.project_id", "response.id"], ondelete="CASCADE"),
    )

    project_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    response_id: Mapped[str] = mapped_column(primary_key=True)
    first_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_number: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes]
