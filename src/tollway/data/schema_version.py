"""The schema's version in the database, and the connection that migrations run on."""

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, text

from tollway.data.session import driver_url

_LOCK_KEY = 0x746F_6C6C_7761_79
"""Advisory lock of migrations: the bytes of ``tollway``."""


def create_owner_engine(url: str, *, lock_timeout_s: float, statement_timeout_s: float) -> Engine:
    """An engine for one connection as the owner of the schema."""
    options = (
        f"-c lock_timeout={int(lock_timeout_s * 1_000)} -c statement_timeout={int(statement_timeout_s * 1_000)}"
        " -c timezone=UTC -c search_path=public -c client_min_messages=warning"
    )
    return create_engine(
        driver_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": 10, "options": options, "application_name": "tollway-migrate"},
    )


def take_migration_lock(connection: Connection) -> None:
    """Wait until no other process migrates this database; held until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def current_revision(connection: Connection) -> str | None:
    """The revision of the database, ``None`` if it was never migrated."""
    if not inspect(connection).has_table("alembic_version", schema="public"):
        return None
    return connection.execute(text("SELECT version_num FROM public.alembic_version")).scalar_one_or_none()
