"""`tollway doctor`, with and without a server."""

import os
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, Done
from support.gateway import Gateway, new_mark
from support.postgres import DatabaseUrls
from tollway.cli.check import Level


def found(done: Done) -> dict[str, dict[str, Any]]:
    """The checks by area and name."""
    return {f"{check['area']}: {check['name']}": check for check in done.json["checks"]}


@pytest.fixture
def doctor(tollway: Command, gateway: Gateway) -> Command:
    """On the machine of the gateway, with its database."""
    database = {
        "TOLLWAY_DATABASE_URL": gateway.database.app,
        "TOLLWAY_MIGRATION_DATABASE_URL": gateway.database.owner,
    }
    return Command({**tollway.environment, **database}, tollway.folder)


def test_a_sound_installation_passes(doctor: Command) -> None:
    done = doctor.ok("doctor", "--json", "--offline")
    checks = found(done)
    assert done.json["ok"] is True
    assert {check["level"] for check in checks.values()} <= {Level.OK, Level.WARN}
    for name in ("database: version", "database: pgvector", "database: schema", "database: clock", "server: answers"):
        assert checks[name]["level"] == Level.OK, checks[name]


def test_people_get_a_table_with_what_to_do(doctor: Command) -> None:
    shown = doctor.ok("doctor", "--offline").out
    assert "WHAT TO DO" in shown
    assert "PostgreSQL" in shown


def test_a_provider_that_cannot_be_reached_fails_and_the_others_do_not(doctor: Command) -> None:
    name = new_mark()
    doctor.ok("providers", "add", name, "--base-url", "http://127.0.0.1:1/v1")
    try:
        done = doctor("doctor", "--json")
    finally:
        doctor.ok("providers", "remove", name, "--yes")
    checks = found(done)
    assert done.code == 1
    assert (checks[f"providers: {name}"]["level"], checks["providers: stub"]["level"]) == (Level.FAIL, Level.OK)
    assert "connection refused" in checks[f"providers: {name}"]["found"]
    assert checks[f"providers: {name}"]["advice"]


def test_without_server_and_data_it_says_what_is_missing_and_does_not_fail(alone: Command) -> None:
    checks = found(alone.ok("doctor", "--json"))
    assert checks["server: answers"]["level"] == Level.WARN
    assert "tollway serve" in checks["server: answers"]["advice"]
    assert checks["database: connection"]["level"] == Level.SKIP
    assert not (alone.folder / "data").exists()


def test_a_database_that_does_not_answer_fails_without_its_password(alone: Command) -> None:
    done = alone("doctor", "--json", "--database-url", "postgresql://me:hunter2@127.0.0.1:1/none")
    assert done.code == 1
    assert found(done)["database: connection"]["level"] == Level.FAIL
    assert "hunter2" not in done.out + done.err


def test_a_database_that_was_never_migrated_fails(alone: Command, empty_database_urls: DatabaseUrls) -> None:
    done = alone("doctor", "--json", "--database-url", empty_database_urls.owner)
    assert found(done)["database: schema"]["level"] == Level.FAIL
    assert "tollway migrate" in found(done)["database: schema"]["advice"]


def test_secrets_that_others_can_read_fail(alone: Command) -> None:
    folder = alone.folder / "data"
    folder.mkdir(mode=0o700)
    (folder / "secrets.json").write_text("{}")
    (folder / "secrets.json").chmod(0o644)
    checks = found(alone("doctor", "--json"))
    assert checks["disk: secrets"]["level"] == Level.FAIL
    assert "chmod 600" in checks["disk: secrets"]["found"]
    assert checks["disk: data directory"]["level"] == Level.OK
    folder.chmod(0o755)
    assert found(alone("doctor", "--json"))["disk: data directory"]["level"] == Level.WARN


def test_a_misspelt_setting_is_told(alone: Command) -> None:
    done = alone("doctor", TOLLWAY_PROT="8080")
    assert done.code == 1
    assert "TOLLWAY_PORT" in done.err


def test_a_local_model_that_is_no_file_fails(alone: Command, tmp_path: Path) -> None:
    done = alone("doctor", "--json", TOLLWAY_LOCAL_GGUF=str(tmp_path / "no.gguf"))
    assert found(done)["machine: local model"]["level"] == Level.FAIL
    assert os.fspath(tmp_path) in found(done)["machine: local model"]["found"]
