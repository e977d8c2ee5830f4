"""Fixtures that every test may use: a real PostgreSQL, and a fresh database for each test that asks for one."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support.postgres import DatabaseUrls, PostgresServer
from tollway.data.session import Database, create_engine

pytest_plugins = ["support.fixtures"]

# A property holds or does not; how long an example takes on a busy machine says nothing about it.
settings.register_profile("tollway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tollway")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of `async` tests and fixtures."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One server for each pytest process, started when the first test needs it."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database_urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    """A fresh, migrated database: the URL of its owner and that of the workers' role."""
    urls = postgres_server.create()
    yield urls
    postgres_server.drop(urls)


@pytest.fixture
def empty_database_urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    """A fresh database without any table, for tests of the migrations."""
    urls = postgres_server.create(migrated=False)
    yield urls
    postgres_server.drop(urls)


@pytest.fixture
def database_url(database_urls: DatabaseUrls) -> str:
    """URL of a fresh, migrated database, as the workers' role."""
    return database_urls.app


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Sessions on a fresh, migrated database."""
    opened = Database(create_engine(database_url, pool_size=4, timeout_s=60.0))
    yield opened
    asyncio.run(opened.close())
