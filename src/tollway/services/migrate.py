"""Bring the schema of a database to the version of this code.

One transaction and one advisory lock for everything: two processes that start at the same moment wait for one another,
and a revision that fails leaves the database as it was.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from tollway.constants import APP_ROLE
from tollway.data import migrations
from tollway.data.schema_version import create_owner_engine, current_revision, take_migration_lock
from tollway.errors import DatabaseUnavailableError, SchemaError

LOCK_TIMEOUT_S = 30.0
"""Waits this long for another migration, or for a table in use."""
STATEMENT_TIMEOUT_S = 300.0
"""Longest single statement of a migration."""
_ROLE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


class SchemaVersion(msgspec.Struct, frozen=True):
    """Revisions: of the database (``None``: never migrated), and the newest this code has."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        """Whether the database has the schema this code needs."""
        return self.current == self.head


def _config(app_role: str) -> Config:
    if not _ROLE_NAME.fullmatch(app_role):
        message = f"The role's name must be a plain lower-case identifier, not {app_role!r}."
        raise ValueError(message)
    config = Config()
    # Interpolation: a percent sign in the path of the installation must not be read as a reference.
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["app_role"] = app_role
    return config


def _head(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    if head is None:
        raise SchemaError("This installation has no migrations.", next_step="Install Tollway again.")
    return head


def _check_known(config: Config, current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"The database has the schema version {current}, which is newer than this version of Tollway knows.",
            next_step="Start the newer version of Tollway, or restore a backup from before the upgrade.",
        )


@contextmanager
def _transaction(owner_url: str, *, lock_timeout_s: float, statement_timeout_s: float) -> Iterator[Connection]:
    engine = create_owner_engine(owner_url, lock_timeout_s=lock_timeout_s, statement_timeout_s=statement_timeout_s)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise DatabaseUnavailableError(
            f"The database could not be migrated: {str(error.orig).strip()}",
            next_step="Check that PostgreSQL runs, that the URL is right, and that nothing else holds its tables.",
        ) from error
    except DBAPIError as error:
        raise SchemaError(
            f"A migration failed, and nothing was changed: {str(error.orig).strip()}",
            next_step="The owner of the schema needs CREATEROLE (or an existing role tollway_app granted to it),"
            " CREATE on the schema public, and the extension pgvector.",
        ) from error
    finally:
        engine.dispose()


def migrate(
    owner_url: str,
    *,
    app_role: str = APP_ROLE,
    target: str = "head",
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> SchemaVersion:
    """Run what is missing, up to `target`; blocking (from asyncio: ``await asyncio.to_thread(migrate, url)``).

    Args:
        owner_url: the database, as the role that owns the schema.
        app_role: the role under which the application works; created if it is missing.
        target: a revision of this code, or ``head``. An older one than the present goes down.
        lock_timeout_s: how long to wait for another migration or a table in use.
        statement_timeout_s: longest single statement.

    Returns:
        The version before (``current``) and the newest one.

    Raises:
        SchemaError: the database is newer than this code, or a migration failed. Nothing was changed.
        DatabaseUnavailableError: PostgreSQL cannot be reached, or a lock was not free in time.
    """
    config = _config(app_role)
    head = _head(config)
    with _transaction(owner_url, lock_timeout_s=lock_timeout_s, statement_timeout_s=statement_timeout_s) as connection:
        take_migration_lock(connection)
        before = current_revision(connection)
        _check_known(config, before)
        wanted = head if target == "head" else target
        if before != wanted:
            config.attributes["connection"] = connection
            upward = before is None or (wanted != "base" and wanted > before)
            (command.upgrade if upward else command.downgrade)(config, wanted)
    return SchemaVersion(current=before, head=head)


def current_and_head(owner_url: str) -> SchemaVersion:
    """The version of the database and the newest one; changes nothing.

    Raises:
        DatabaseUnavailableError: PostgreSQL cannot be reached.
    """
    with _transaction(owner_url, lock_timeout_s=LOCK_TIMEOUT_S, statement_timeout_s=LOCK_TIMEOUT_S) as connection:
        return SchemaVersion(current=current_revision(connection), head=_head(_config(APP_ROLE)))
