import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import text

from support.processes import has_ended
from support.waiting import eventually, wait_until
from tollway.config import load_settings
from tollway.data.session import Database
from tollway.supervisor import postgres_install
from tollway.supervisor.child import ProcessUser
from tollway.supervisor.errors import EmbeddedPostgresError
from tollway.supervisor.postgres import EmbeddedPostgres
from tollway.supervisor.postgres_install import check_cpu, find_install, may_enter, runnable_install
from tollway.supervisor.tree import connections_of

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
NOBODY = ProcessUser(65_534, 65_534, "nobody")


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


async def test_workers_connect_as_a_role_that_is_not_the_owner(database: Database) -> None:
    async with database.read() as session:
        assert (await session.execute(text("SELECT current_user"))).scalar_one() == "tollway_app"


async def test_the_database_lets_all_workers_connect_however_many_they_are(tmp_path: Path) -> None:
    needed = connections_of(load_settings({"workers": 40, "database_pool_size": 4}))
    assert needed > 40 * (4 + 2 + 1)
    async with EmbeddedPostgres(tmp_path / "data", connections=needed, volatile=True) as server:
        with psycopg.connect(server.app_url) as connection:
            assert connection.execute("SHOW max_connections").fetchone() == (str(needed),)


async def test_data_outlives_a_stop_and_a_kill(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "data", volatile=True) as server:
        with psycopg.connect(server.owner_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
        first = server.process_id
        assert first
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: server.process_id not in {None, first} and answers(server.owner_url))
        with psycopg.connect(server.owner_url) as connection:
            connection.execute("INSERT INTO kept VALUES (101)")
    async with EmbeddedPostgres(tmp_path / "data", volatile=True) as server:
        with psycopg.connect(server.owner_url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (101,)


async def test_only_the_user_of_tollway_gets_in_and_only_by_the_socket(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "data", volatile=True) as server:
        assert server.process_id
        process = psutil.Process(server.process_id)
        assert [each for each in process.net_connections() if each.family.name != "AF_UNIX"] == []
        run_dir = tmp_path / "data" / "postgres" / "run"
        assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
        assert not answers(server.url("postgres"))


@as_root
def test_under_root_it_runs_as_an_existing_unprivileged_user_below_closed_directories(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def run() -> None:
        async with EmbeddedPostgres(tmp_path / "data", volatile=True) as server:
            assert server.process_id
            assert psutil.Process(server.process_id).username() == "nobody"
            assert answers(server.app_url)

    asyncio.run(run())
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@as_root
async def test_under_root_the_owner_of_the_data_directory_is_preferred(tmp_path: Path) -> None:
    owner = next(entry for entry in pwd.getpwall() if 0 < entry.pw_uid < 65_534)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    os.chown(data_dir, owner.pw_uid, owner.pw_gid)
    async with EmbeddedPostgres(data_dir, volatile=True) as server:
        assert server.process_id
        assert psutil.Process(server.process_id).username() == owner.pw_name


async def test_a_data_directory_with_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    async with EmbeddedPostgres(data_dir, volatile=True) as server:
        assert answers(server.app_url)
        assert str(data_dir) not in server.app_url


async def test_an_initdb_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    remains = tmp_path / "data" / "postgres" / "new"
    remains.mkdir(parents=True)
    (remains / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path / "data", volatile=True) as server:
        assert answers(server.app_url)
    assert not remains.exists()


def test_a_server_left_by_a_killed_supervisor_does_not_block_the_next(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from tollway.supervisor import orphans
from tollway.supervisor.postgres import EmbeddedPostgres
orphans._STEPS = tuple((number, min(patience_s, 0.3)) for number, patience_s in orphans._STEPS[:2]) + orphans._STEPS[2:]
async def main():
    async with EmbeddedPostgres(Path(sys.argv[1]), volatile=True) as server:
        print(server.process_id, server.app_url, flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""
    servers = []
    for _ in range(2):
        command = [sys.executable, "-c", code, str(tmp_path / "data")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
            assert supervisor.stdout
            process_id, url = next(line for line in supervisor.stdout if "postgresql://" in line).split()
            assert answers(url)
            servers.append(psutil.Process(int(process_id)))
            os.kill(int(process_id), signal.SIGSTOP)  # it cannot follow its supervisor into death
            supervisor.kill()
    assert has_ended(servers[0])
    servers[1].resume()
    wait_until(lambda: has_ended(servers[1]))


def test_a_cpu_without_the_needed_instructions_is_told(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags : fpu sse2 fma\n")
    with pytest.raises(EmbeddedPostgresError, match=r"avx2.*TOLLWAY_DATABASE_URL"):
        check_cpu(cpuinfo)


def test_a_machine_without_the_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_install.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="TOLLWAY_DATABASE_URL"):
        find_install()


@as_root
def test_programs_that_the_user_cannot_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "install").symlink_to(find_install())
    assert not may_enter(closed / "install", NOBODY)
    monkeypatch.setattr(postgres_install, "may_enter", lambda *_: False)
    copy = runnable_install(NOBODY, cache=tmp_path / "cache")
    assert copy == runnable_install(NOBODY, cache=tmp_path / "cache")
    version = subprocess.run([copy / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("postgres (PostgreSQL) 18")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [copy.name]
