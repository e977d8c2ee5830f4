import json
import stat
from pathlib import Path

from tollway.data.session import Database
from tollway.identity.key import digest
from tollway.identity.principal import Scope
from tollway.services.first_keys import FILE_NAME
from tollway.services.first_start import FirstStart
from tollway.services.key_lookup import KeyLookup

PEPPER = b"p" * 32
URL = "http://127.0.0.1:8080"


async def test_an_empty_database_gets_an_administrator_and_a_project_key_that_work(
    database: Database, tmp_path: Path
) -> None:
    keys = await FirstStart(database, pepper=PEPPER, data_dir=tmp_path).ensure(URL)
    assert keys
    digests = [digest(PEPPER, key.encode()) for key in (keys.admin_key, keys.project_key)]
    found = await KeyLookup(database).find([b"x" * 32, *digests])
    assert found.keys() == set(digests)
    admin, caller = (found[each] for each in digests)
    assert admin.scopes == {Scope.ADMIN, Scope.PLATFORM, Scope.READ}
    assert caller.scopes == {Scope.INFERENCE}
    assert caller.project_id


async def test_the_keys_are_made_once_and_kept_for_this_user_only(database: Database, tmp_path: Path) -> None:
    first = FirstStart(database, pepper=PEPPER, data_dir=tmp_path)
    keys = await first.ensure(URL)
    assert keys
    assert await first.ensure("http://127.0.0.1:9000") is None
    path = tmp_path / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = json.loads(path.read_text())
    assert kept == {"admin_key": keys.admin_key, "project_key": keys.project_key, "url": "http://127.0.0.1:9000"}
    assert keys.admin_key not in repr(keys)


async def test_a_file_that_the_operator_took_away_stays_away(database: Database, tmp_path: Path) -> None:
    first = FirstStart(database, pepper=PEPPER, data_dir=tmp_path)
    await first.ensure(URL)
    (tmp_path / FILE_NAME).unlink()
    assert await first.ensure(URL) is None
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_first_start_that_was_cut_short_is_done_again(database: Database, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"admin_key": "tw-dead", "project_key": "tw-dead", "url": ""}')
    keys = await FirstStart(database, pepper=PEPPER, data_dir=tmp_path).ensure(URL)
    assert keys
    assert json.loads((tmp_path / FILE_NAME).read_text())["admin_key"] == keys.admin_key
