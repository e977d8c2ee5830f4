import asyncio

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from support.postgres import DatabaseUrls
from tollway.data.migrations.compared import include_name
from tollway.data.schema.tables import load_tables
from tollway.data.session import driver_url
from tollway.errors import DatabaseUnavailableError, SchemaError
from tollway.services.migrate import current_and_head, migrate

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")


def test_an_empty_database_gets_the_newest_schema_and_keeps_it(empty_database_urls: DatabaseUrls) -> None:
    owner = empty_database_urls.owner
    assert migrate(owner).current is None
    version = current_and_head(owner)
    assert version.up_to_date
    assert version.current == REVISIONS[-1]
    assert migrate(owner) == version


def test_models_and_migrations_agree(database_urls: DatabaseUrls) -> None:
    options = {"include_name": include_name, "compare_server_default": True}
    engine = create_engine(driver_url(database_urls.owner))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, load_tables()) == []
    engine.dispose()


def test_every_revision_goes_up_and_down_again(empty_database_urls: DatabaseUrls) -> None:
    owner = empty_database_urls.owner
    for revision in REVISIONS:
        migrate(owner, target=revision)
        assert current_and_head(owner).current == revision
    for revision in (*reversed(REVISIONS[:-1]), "base"):
        migrate(owner, target=revision)
    assert current_and_head(owner).current is None
    with psycopg.connect(owner) as connection:
        left = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert {name for (name,) in left} == {"alembic_version", "alembic_version_pkc"}
    assert migrate(owner).current is None
    assert current_and_head(owner).up_to_date


async def test_processes_that_start_at_once_migrate_once(empty_database_urls: DatabaseUrls) -> None:
    versions = await asyncio.gather(*(asyncio.to_thread(migrate, empty_database_urls.owner) for _ in range(4)))
    assert sorted(str(version.current) for version in versions) == [REVISIONS[-1]] * 3 + ["None"]


def test_a_schema_newer_than_the_code_is_refused(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999, which is newer"):
        migrate(database_urls.owner)


def test_a_lock_held_elsewhere_is_waited_for_only_so_long(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner) as connection:
        connection.execute("LOCK TABLE project")
        with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
            migrate(database_urls.owner, target="0001", lock_timeout_s=0.2)
    assert current_and_head(database_urls.owner).up_to_date


def test_a_revision_that_fails_changes_nothing(empty_database_urls: DatabaseUrls) -> None:
    with psycopg.connect(empty_database_urls.owner) as connection:
        connection.execute("CREATE TABLE usage_daily (mine int)")
    with pytest.raises(SchemaError, match="usage_daily"):
        migrate(empty_database_urls.owner)
    assert current_and_head(empty_database_urls.owner).current is None


def test_a_server_that_is_away_is_told_as_that() -> None:
    with pytest.raises(DatabaseUnavailableError, match="could not be migrated"):
        migrate("postgresql://nobody@127.0.0.1:1/none")


def test_a_role_with_an_odd_name_is_refused(database_urls: DatabaseUrls) -> None:
    with pytest.raises(ValueError, match="plain lower-case"):
        migrate(database_urls.owner, app_role='app"; DROP TABLE project; --')
