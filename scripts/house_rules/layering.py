"""Rules on who may use which library: the parts of the layers that import contracts cannot express."""

import re
from collections.abc import Iterator

from house_rules.source import Finding, Module, finding

_SQLALCHEMY = frozenset({"sqlalchemy"})
_SESSION_TYPES = frozenset({"AsyncConnection", "AsyncEngine", "AsyncSession"})
_DRIVER = frozenset({"psycopg", "psycopg_pool", "asyncpg"})
_WEB = frozenset({"fastapi", "starlette"})
_SOCKETS = frozenset(
    {
        "aiohttp",
        "asyncio.open_connection",
        "asyncio.open_unix_connection",
        "asyncio.start_server",
        "http.client",
        "http.server",
        "httpx",
        "httpx2",
        "pyreqwest",
        "requests",
        "socket",
        "socketserver",
        "ssl",
        "urllib.request",
        "urllib3",
        "websockets",
    }
)
_HOT_PATH = (
    "api/dialects/",
    "api/inference/",
    "journal/writer.py",
    "providers/transport/",
    "services/authenticate.py",
    "services/inference.py",
    "services/inference/",
)
_COLD_LIBRARIES = frozenset({"json", "pydantic", "pydantic_settings", "sqlalchemy"})
_STATEMENTS = frozenset({"delete", "insert", "literal_column", "select", "text", "update"})
_SQL_TEXT = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|COPY\s|LISTEN\s|NOTIFY\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|ROLE|DATABASE|EXTENSION|TYPE|FUNCTION|TRIGGER|SCHEMA|USER)\s|GRANT\s|REVOKE\s)"
)
_SESSION_CALLS = re.compile(
    r"(.*[._])?(session|connection|conn)\.(execute|executemany|scalar|scalars|stream|stream_scalars|add|add_all|flush|merge)"
)
_LOOP_SOCKETS = re.compile(r".*loop.*\.(create_connection|create_unix_connection|create_server|sock_connect)")
_TRANSACTION_CALLS = re.compile(r".*\.(begin|begin_nested|commit|rollback)")


def sqlalchemy_place(module: Module) -> Iterator[Finding]:
    """SQLAlchemy is used in `data`; services and the factory may name its session types and nothing else."""
    if not module.place or module.is_in("data/"):
        return
    for item in module.imports:
        if not item.is_of(_SQLALCHEMY):
            continue
        if not module.is_in("services/", "factory/"):
            yield finding(sqlalchemy_place, module, item.line, f"imports {item.module}")
        elif item.name not in _SESSION_TYPES:
            yield finding(sqlalchemy_place, module, item.line, f"imports {item.name or item.module} of sqlalchemy")


def driver_place(module: Module) -> Iterator[Finding]:
    """The PostgreSQL driver is used in `data` only: COPY and LISTEN are SQL too."""
    if not module.place or module.is_in("data/"):
        return
    for item in module.imports:
        if package := item.is_of(_DRIVER):
            yield finding(driver_place, module, item.line, f"imports {package}")


def sql_place(module: Module) -> Iterator[Finding]:
    """SQL is built and run in `data` only, as SQLAlchemy statements or as text."""
    if not module.place or module.is_in("data/"):
        return
    statements = _STATEMENTS & {item.name for item in module.imports if item.is_of(_SQLALCHEMY)}
    statements |= {f"sqlalchemy.{name}" for name in _STATEMENTS}
    for node, called in module.calls:
        if called in statements or _SESSION_CALLS.fullmatch(called):
            yield finding(sql_place, module, node.lineno, f"calls {called}()")
    for line, text in module.strings:
        if match := _SQL_TEXT.match(text):
            yield finding(sql_place, module, line, f"holds SQL text ({match.group().split()[0]})")


def transaction_place(module: Module) -> Iterator[Finding]:
    """Transactions are opened and ended in `services` only, so that a reader sees how long each one is."""
    if not module.place or module.is_in("services/"):
        return
    for node, called in module.calls:
        if _TRANSACTION_CALLS.fullmatch(called):
            yield finding(transaction_place, module, node.lineno, f"calls {called}()")


def web_framework_place(module: Module) -> Iterator[Finding]:
    """FastAPI and Starlette are used in `api`, `console` and `app` only."""
    if not module.place or module.is_in("api/", "console/", "app.py"):
        return
    for item in module.imports:
        if package := item.is_of(_WEB):
            yield finding(web_framework_place, module, item.line, f"imports {package}")


def socket_place(module: Module) -> Iterator[Finding]:
    """Sockets are opened in `providers/transport` only: one place for timeouts, limits and TLS."""
    if not module.place or module.is_in("providers/transport/"):
        return
    for item in module.imports:
        if package := item.is_of(_SOCKETS):
            yield finding(socket_place, module, item.line, f"imports {package}")
    for node, called in module.calls:
        if called in _SOCKETS or _LOOP_SOCKETS.fullmatch(called):
            yield finding(socket_place, module, node.lineno, f"calls {called}()")


def hot_path_libraries(module: Module) -> Iterator[Finding]:
    """A request's way through the worker meets neither pydantic, nor SQL, nor the slow JSON module."""
    if not module.is_in(*_HOT_PATH):
        return
    for item in module.imports:
        if package := item.is_of(_COLD_LIBRARIES):
            yield finding(hot_path_libraries, module, item.line, f"imports {package}")


RULES = (
    sqlalchemy_place,
    driver_place,
    sql_place,
    transaction_place,
    web_framework_place,
    socket_place,
    hot_path_libraries,
)
