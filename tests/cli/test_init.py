"""`tollway init` and `tollway migrate`."""

import stat

from support.command import Command
from support.postgres import DatabaseUrls


def test_a_database_is_prepared_once_and_then_left_as_it_is(alone: Command, empty_database_urls: DatabaseUrls) -> None:
    environment = {
        "TOLLWAY_DATABASE_URL": empty_database_urls.app,
        "TOLLWAY_MIGRATION_DATABASE_URL": empty_database_urls.owner,
    }
    first = alone.ok("init", "--json", **environment).json
    assert first["keys"]["admin_key"].startswith("tw-")
    folder = alone.folder / "data"
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("first_keys.json", "secrets.json")}
    assert set(modes.values()) == {0o600}
    assert alone.ok("init", "--json", **environment).json["keys"] is None
    assert alone.ok("migrate", "--check", "--json", **environment).json["up_to_date"] is True


def test_an_existing_example_is_not_overwritten(alone: Command) -> None:
    (alone.folder / "mine.yaml").write_text("mine")
    done = alone("init", "--example", "mine.yaml")
    assert done.code == 1
    assert (alone.folder / "mine.yaml").read_text() == "mine"


def test_migrate_brings_an_empty_database_to_the_newest_schema(
    alone: Command, empty_database_urls: DatabaseUrls
) -> None:
    database = ("--database-url", empty_database_urls.owner)
    checked = alone("migrate", "--check", "--json", *database)
    assert checked.code == 1
    assert checked.json["before"] is None
    assert "tollway migrate" in checked.err
    assert alone.ok("migrate", "--json", *database).json["before"] is None
    assert alone.ok("migrate", "--check", *database).out.startswith("The database has the newest schema")


def test_the_embedded_database_is_prepared_without_serving(alone: Command) -> None:
    assert alone.ok("init", "--json", TOLLWAY_LOCAL_MODEL="false").json["keys"]["project_key"].startswith("tw-")
    assert alone.ok("migrate", "--check", "--json").json["up_to_date"] is True
    assert alone("doctor", "--json").json["ok"] is True


def test_a_database_that_does_not_answer_is_told_without_its_password(alone: Command) -> None:
    done = alone("migrate", "--database-url", "postgresql://me:hunter2@127.0.0.1:1/none")
    assert done.code == 1
    assert "Error [database_unavailable]" in done.err
    assert "hunter2" not in done.out + done.err
