"""Checks of the data directory, the secrets and the database."""

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tollway.cli.check import GIB, Finding, Level, graded
from tollway.cli.database import urls_of
from tollway.config import Settings
from tollway.data.server_facts import ServerFacts
from tollway.data.session import Database, create_engine
from tollway.errors import TollwayError
from tollway.services.migrate import current_and_head
from tollway.services.secret_keys import FILE_NAME as SECRETS_FILE
from tollway.services.secret_keys import SecretKeysError, load_secret_keys
from tollway.services.server_check import VERSION_MIN, ServerCheck

DISK, DATABASE = "disk", "database"
_DISK_WARN_BYTES, _DISK_FAIL_BYTES = 5 * GIB, GIB // 2
_CLOCK_WARN_S, _CLOCK_FAIL_S = 2.0, 60.0
"""Keys expire and prices begin by the clock of the process; entries are sorted by it."""


def disk(settings: Settings) -> Iterator[Finding]:
    """The data directory, the space it has, and the file of secrets."""
    folder = settings.storage.data_dir
    if not folder.is_dir():
        yield Finding(DISK, "data directory", Level.WARN, f"{folder} does not exist yet", "`tollway serve` makes it.")
    else:
        yield _folder(folder)
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    yield graded(
        DISK,
        "free space",
        f"{free / GIB:.1f} GiB",
        warn=free < _DISK_WARN_BYTES,
        fail=free < _DISK_FAIL_BYTES,
        advice="Free some space: when the journal cannot be written, requests are refused.",
    )
    yield _secrets(settings)


def _folder(folder: Path) -> Finding:
    facts = folder.stat()
    if not os.access(folder, os.W_OK):
        advice = "Run as the user that owns it, or choose another one with --data-dir."
        return Finding(DISK, "data directory", Level.FAIL, f"{folder} cannot be written by this user", advice)
    return graded(
        DISK,
        "data directory",
        f"{folder}, mode {stat.S_IMODE(facts.st_mode):04o}",
        warn=bool(facts.st_mode & 0o077),
        advice=f"Others can look into it: `chmod 700 {folder}`.",
    )


def _secrets(settings: Settings) -> Finding:
    secrets = settings.secrets
    path = settings.storage.data_dir / SECRETS_FILE
    from_environment = secrets.master_key is not None and secrets.key_pepper is not None
    try:
        if not from_environment and not path.exists():
            return Finding(DISK, "secrets", Level.WARN, f"{path} does not exist yet", "`tollway serve` makes it.")
        load_secret_keys(secrets, settings.storage.data_dir)
    except (SecretKeysError, OSError, ValueError, KeyError) as error:
        told = str(error) if isinstance(error, SecretKeysError | OSError) else f"{path} is damaged"
        return Finding(DISK, "secrets", Level.FAIL, told, "Restore the file: without it, stored credentials are lost.")
    return Finding(DISK, "secrets", Level.OK, "from the environment" if from_environment else f"{path}, mode 0600")


def database(settings: Settings, *, server_answers: bool) -> Iterator[Finding]:
    """Whether the database answers, is new enough, has pgvector and the schema of this version, and tells our time."""
    is_embedded = settings.storage.database_url is None
    urls = urls_of(settings)
    asked_at = datetime.now(UTC)
    try:
        facts = asyncio.run(_facts(urls.app, settings.storage.database_timeout_s))
    except TollwayError as error:
        if is_embedded and not server_answers:
            yield Finding(DATABASE, "connection", Level.SKIP, "the embedded PostgreSQL runs with `tollway serve` only")
            return
        cause = error.__cause__.__cause__ if error.__cause__ else None
        told = f"{error.message} {cause or ''}".strip().splitlines()[0]
        advice = "Check that PostgreSQL runs and that TOLLWAY_DATABASE_URL is right."
        yield Finding(DATABASE, "connection", Level.FAIL, told, advice)
        return
    yield Finding(DATABASE, "connection", Level.OK, "embedded" if is_embedded else "as TOLLWAY_DATABASE_URL says")
    yield from _server(facts, asked_at)
    yield _schema(urls.owner)


async def _facts(url: str, timeout_s: float) -> ServerFacts:
    opened = Database(create_engine(url, pool_size=1, timeout_s=timeout_s, role=None))
    try:
        return await ServerCheck(opened).facts()
    finally:
        await opened.close()


def _server(facts: ServerFacts, asked_at: datetime) -> Iterator[Finding]:
    yield graded(
        DATABASE,
        "version",
        f"PostgreSQL {facts.version // 10_000}.{facts.version % 10_000}",
        fail=facts.version < VERSION_MIN,
        advice="Use PostgreSQL 15 or newer.",
    )
    yield graded(
        DATABASE,
        "pgvector",
        facts.pgvector or "not there",
        fail=facts.pgvector is None,
        advice="Install the extension pgvector on the database server.",
    )
    answered_at = datetime.now(UTC)
    # The server's clock was read between asking and answering: only what lies outside of that is a difference.
    ahead_s = max((facts.clock - answered_at).total_seconds(), (asked_at - facts.clock).total_seconds(), 0.0)
    yield graded(
        DATABASE,
        "clock",
        f"{ahead_s:.1f} s from this machine's",
        warn=ahead_s > _CLOCK_WARN_S,
        fail=ahead_s > _CLOCK_FAIL_S,
        advice="Let both machines follow NTP: keys expire and prices begin by the clock.",
    )


def _schema(owner_url: str) -> Finding:
    try:
        version = current_and_head(owner_url)
    except TollwayError as error:
        return Finding(DATABASE, "schema", Level.FAIL, error.message, error.next_step)
    return graded(
        DATABASE,
        "schema",
        f"{version.current or 'none'}, this version needs {version.head}",
        fail=not version.up_to_date,
        advice="Run `tollway migrate`; if the database is newer, start the newer Tollway.",
    )
