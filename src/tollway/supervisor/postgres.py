"""The embedded PostgreSQL: made once, run as a direct child, kept alive.

Who may connect: the server listens on a Unix socket only, and asks the kernel which user is at the other end (`peer`).
The user that runs Tollway may be `tollway` (owner, for migrations) or `tollway_app` (everything else); nobody else gets
in. So there is no password that could leak. Should an operator open a TCP port, SCRAM passwords are required there.
"""

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from tollway.constants import APP_ROLE
from tollway.supervisor.child import Child, ChildSpec, ProcessUser
from tollway.supervisor.errors import EmbeddedPostgresError
from tollway.supervisor.orphans import stop_orphans
from tollway.supervisor.postgres_install import check_cpu, runnable_install

OWNER_ROLE = "tollway"
DATABASE_NAME = "tollway"
CONNECTIONS_MIN = 100
"""PostgreSQL's own default."""
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_MAX_BYTES = 107
"""`sockaddr_un.sun_path` on Linux, without the closing zero byte."""
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # the details of an error may hold values of a row
    "log_min_error_statement": "panic",  # as may statements
    "log_line_prefix": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_VOLATILE = {"fsync": "off", "full_page_writes": "off"}  # a killed server still loses nothing
_log = structlog.get_logger(__name__)


def server_user(data_dir: Path) -> ProcessUser | None:
    """The user to run PostgreSQL as: ourselves (``None``), or as root an unprivileged user that exists already.

    Raises:
        EmbeddedPostgresError: there is none.
    """
    if os.geteuid() != 0:
        return None
    database_dir = data_dir / "postgres" / "data"
    for path in (database_dir, data_dir):
        owner_id = path.stat().st_uid if path.exists() else 0
        if owner_id:
            break
    try:
        entry = pwd.getpwuid(owner_id) if owner_id else pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and there is no unprivileged user to run it as ({error}). "
            "Start Tollway as another user, or set TOLLWAY_DATABASE_URL."
        ) from error
    return ProcessUser(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _own_dir(path: Path, user: ProcessUser | None) -> None:
    """Make a directory that only the server's user (and root) can enter.

    Raises:
        EmbeddedPostgresError: it exists and is another user's.
    """
    wanted_id = user.user_id if user else os.geteuid()
    path.mkdir(mode=0o700, exist_ok=True)
    if user and path.lstat().st_uid == os.geteuid():
        os.chown(path, user.user_id, user.group_id, follow_symlinks=False)
    if path.is_symlink() or path.lstat().st_uid != wanted_id:
        raise EmbeddedPostgresError(f"{path} belongs to another user. Choose another directory with --data-dir.")


def _log_line(line: str) -> None:
    """Pass on a line of the server's log. ``LOG`` lines tell of normal life; the others matter."""
    level, _, text = line.partition(":")
    (_log.debug if level in {"LOG", "HINT", "NOTICE"} else _log.warning)("postgres", level=level, line=text.strip())


class EmbeddedPostgres:
    """A PostgreSQL server on ``<data_dir>/postgres``.

    Raises:
        EmbeddedPostgresError: from `start`: it cannot be used here; the message says why and what to do.
        ChildFailedError: from `start`: the server did not come up; the message holds its last words.
    """

    def __init__(self, data_dir: Path, *, connections: int = CONNECTIONS_MIN, volatile: bool = False) -> None:
        """Describe the server; nothing happens yet.

        Args:
            data_dir: Tollway's data directory.
            connections: at the same time, at the most.
            volatile: do not care for power cuts (for tests).
        """
        self._data_dir = data_dir.absolute()
        self._home = self._data_dir / "postgres"
        self._database_dir = self._home / "data"
        self._connections = connections
        self._volatile = volatile
        self._home_fd: int | None = None
        self._child: Child | None = None

    @property
    def owner_url(self) -> str:
        """Database URL of the owner, for migrations."""
        return self.url(OWNER_ROLE)

    @property
    def app_url(self) -> str:
        """Database URL of the role that workers use."""
        return self.url(APP_ROLE)

    @property
    def process_id(self) -> int | None:
        """Process id of the server, while it runs."""
        return self._child.pid if self._child else None

    def url(self, role: str, database: str = DATABASE_NAME) -> str:
        """Database URL of a role and a database on this server."""
        return f"postgresql://{role}@/{database}?host={quote(str(self._socket_dir), safe='/')}"

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Make the database if there is none, start the server, wait until it takes connections."""
        check_cpu()
        user = server_user(self._data_dir)
        install = runnable_install(user)
        self._prepare_home(user)
        if not (self._database_dir / "PG_VERSION").exists():
            await self._create(install, user)
        self._write_access_rules()
        self._child = Child(self._server(install, user))
        await self._child.start()
        await asyncio.to_thread(self._ensure_database)

    async def stop(self) -> None:
        """Stop the server: open transactions are rolled back, the data is on disk."""
        if self._child:
            await self._child.stop()
            self._child = None
        if self._home_fd is not None:
            os.close(self._home_fd)
            self._home_fd = None

    @property
    def _socket_dir(self) -> Path:
        """Where clients find the socket: in the data directory if its path is short enough for a socket's."""
        usual = self._home / "run"
        if len(os.fsencode(usual / _SOCKET_NAME)) <= _SOCKET_PATH_MAX_BYTES:
            return usual
        name = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]
        runtime_dir = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(runtime_dir) / f"tollway-{os.geteuid()}-{name}"

    @property
    def _server_home(self) -> str:
        """The server's own path to its directory.

        As an unprivileged user it may not be able to enter the directories above (``/root``), and their permissions
        are not ours to change: so it comes in through a descriptor that it inherits.
        """
        return str(self._home) if self._home_fd is None else f"/proc/self/fd/{self._home_fd}"

    def _prepare_home(self, user: ProcessUser | None) -> None:
        """Make the directories. As root, what we write to stays ours, so that the server's user cannot redirect us."""
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._home.mkdir(exist_ok=True, mode=0o755 if user else 0o700)
        if self._home.stat().st_uid != os.geteuid():
            raise EmbeddedPostgresError(
                f"{self._home} belongs to {self._home.owner()}: it was made by a Tollway that ran as that user. "
                "Start Tollway as that user, or choose another directory with --data-dir."
            )
        if user:
            self._home_fd = os.open(self._home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _own_dir(self._socket_dir, user)

    def _command_user(self) -> str:
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError as error:
            raise EmbeddedPostgresError(
                f"The user id {os.geteuid()} has no name on this machine, which PostgreSQL needs. "
                "Add it to /etc/passwd, or set TOLLWAY_DATABASE_URL."
            ) from error

    async def _create(self, install: Path, user: ProcessUser | None) -> None:
        """Run initdb into a fresh directory, which gets its final name only when it is whole."""
        self._command_user()
        arguments = ["--username", OWNER_ROLE, "--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8"]
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"]
        if self._volatile:
            arguments.append("--no-sync")
        lines: list[str] = []
        started = asyncio.get_running_loop().time()
        initdb = Child(
            ChildSpec(
                name="initdb",
                command=(str(install / "bin" / "initdb"), "--pgdata", f"{self._server_home}/new", *arguments),
                user=user,
                inherited_fds=self._inherited_fds,
                on_line=lines.append,
            )
        )
        await asyncio.to_thread(shutil.rmtree, self._home / "new", ignore_errors=True)  # of a start that was cut short
        _own_dir(self._home / "new", user)
        code, _ = await initdb.run()
        if code != 0:
            raise EmbeddedPostgresError("The database could not be created:\n" + "\n".join(lines[-10:]))
        (self._home / "new").rename(self._database_dir)
        seconds = round(asyncio.get_running_loop().time() - started, 2)
        _log.info("database_created", directory=str(self._database_dir), seconds=seconds)

    @property
    def _inherited_fds(self) -> tuple[int, ...]:
        return () if self._home_fd is None else (self._home_fd,)

    def _write_access_rules(self) -> None:
        """Who may connect, written afresh at each start, beside PostgreSQL's own files."""
        rules = (
            "local all all peer map=tollway\nhost all all 0.0.0.0/0 scram-sha-256\nhost all all ::/0 scram-sha-256\n"
        )
        names = "".join(f'tollway "{self._command_user()}" {role}\n' for role in (OWNER_ROLE, APP_ROLE))
        for file_name, text in (("access.conf", rules), ("names.conf", names)):
            path = self._home / file_name
            path.write_text(text)
            path.chmod(0o644)  # the server's user reads what root wrote

    def _server(self, install: Path, user: ProcessUser | None) -> ChildSpec:
        home = self._server_home
        in_home = self._socket_dir.parent == self._home
        settings = _SETTINGS | {
            "max_connections": str(self._connections),
            "unix_socket_directories": f"{home}/run" if in_home else str(self._socket_dir),
            "unix_socket_permissions": "0700",
            "hba_file": f"{home}/access.conf",
            "ident_file": f"{home}/names.conf",
        }
        if self._volatile:
            settings |= _VOLATILE
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ChildSpec(
            name="postgres",
            command=(str(install / "bin" / "postgres"), "-D", f"{home}/data", *arguments),
            user=user,
            inherited_fds=self._inherited_fds,
            is_ready=self._is_ready,
            before_start=lambda: stop_orphans(self._database_dir, self._socket_dir),
            on_line=_log_line,
            ready_timeout_s=120.0,  # recovery after a crash replays up to max_wal_size
            stop_signal=signal.SIGINT,
            kill_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
        )

    def _is_ready(self, process_id: int) -> bool:
        """Whether the server says in its process id file that it takes connections (PostgreSQL: miscinit.h)."""
        try:
            lines = (self._database_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        status_line = 7
        return len(lines) > status_line and lines[0] == str(process_id) and lines[status_line].strip() == "ready"

    def _ensure_database(self) -> None:
        """Make the database and the workers' role, where missing."""
        with psycopg.connect(self.url(OWNER_ROLE, "postgres"), autocommit=True) as connection:
            role = sql.Identifier(APP_ROLE)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT").format(role))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))
