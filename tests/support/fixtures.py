"""Fixtures that share one stand-in provider and one running Tollway among all tests of a run."""

from collections.abc import Iterator

import pytest

from support import replies
from support.gateway import Gateway, running
from support.postgres import PostgresServer
from support.spender import Spender
from support.standin import StandIn

DRAIN_INTERVAL_MS = "50"
"""Soon enough for who waits for an entry, and little to do for a Tollway that is not asked anything."""


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    """The stand-in provider, with every script of `support.replies` under its name."""
    with StandIn(replies.answer) as server:
        for model, script in replies.scripts().items():
            server.on(model, script)
        yield server


@pytest.fixture(scope="session")
def gateway(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway with small limits, in front of the stand-in; tests must not stop or break it."""
    settings = {
        "TOLLWAY_READ_TIMEOUT_S": "60",  # a machine that stands still for a while is no provider that hangs
        "TOLLWAY_CONNECT_TIMEOUT_S": "60",
        "TOLLWAY_MAX_BODY_BYTES": str(1024 * 1024),
        "TOLLWAY_MAX_REPLY_BYTES": str(2 * 1024 * 1024),
        "TOLLWAY_DRAIN_INTERVAL_MS": DRAIN_INTERVAL_MS,
    }
    with running(tmp_path_factory.mktemp("gateway") / "data", postgres_server.create(), standin, **settings) as started:
        yield started


@pytest.fixture(scope="session")
def hasty_gateway(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway with short timeouts: only for what hangs, since everything else may be late on a busy machine."""
    settings = {
        "TOLLWAY_READ_TIMEOUT_S": "3",
        "TOLLWAY_BODY_TIMEOUT_S": "3",
        "TOLLWAY_DRAIN_INTERVAL_MS": DRAIN_INTERVAL_MS,
    }
    with running(tmp_path_factory.mktemp("hasty") / "data", postgres_server.create(), standin, **settings) as started:
        yield started


@pytest.fixture(scope="session")
def quota_gateway(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway of one worker for budgets and limits; tests give them only to keys of their own."""
    settings = {
        "TOLLWAY_DRAIN_INTERVAL_MS": DRAIN_INTERVAL_MS,
        "TOLLWAY_BUDGET_WAIT_S": "30",
        "TOLLWAY_DEFAULT_OUTPUT_TOKENS": "3000",
    }
    with running(tmp_path_factory.mktemp("quotas") / "data", postgres_server.create(), standin, **settings) as started:
        yield started


@pytest.fixture
def spender(quota_gateway: Gateway) -> Spender:
    """A caller with budgets and limits of its own."""
    return Spender(quota_gateway)
