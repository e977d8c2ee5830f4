"""A Tollway for tests of budgets and limits."""

from collections.abc import Iterator

import pytest

from support.gateway import Gateway, running
from support.postgres import PostgresServer
from support.spender import Spender
from support.standin import StandIn


@pytest.fixture(scope="session")
def tollway(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One worker, with other defaults than the shared one. Budgets and limits only for keys of the test's own."""
    settings = {
        "TOLLWAY_DRAIN_INTERVAL_MS": "20",
        "TOLLWAY_BUDGET_WAIT_S": "3",
        "TOLLWAY_DEFAULT_OUTPUT_TOKENS": "3000",
    }
    with running(tmp_path_factory.mktemp("quotas") / "data", postgres_server.create(), standin, **settings) as gateway:
        yield gateway


@pytest.fixture
def spender(tollway: Gateway) -> Spender:
    """A caller of its own."""
    return Spender(tollway)
