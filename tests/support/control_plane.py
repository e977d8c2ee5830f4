"""The control plane over ASGI, on a real database, with two organizations whose keys have every scope apart."""

import copy
import functools
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2 as httpx
from fastapi import FastAPI
from starlette.datastructures import State
from starlette.testclient import TestClient

from tollway.api.admin import problems
from tollway.api.admin.request_id import RequestId
from tollway.api.admin.router import PREFIX, build_router
from tollway.config import load_settings
from tollway.data.changes import Change
from tollway.data.session import Database, create_engine
from tollway.factory.context import ProcessContext
from tollway.factory.control import Factory
from tollway.identity.principal import Scope
from tollway.identity.vault import SecretKeys, Vault
from tollway.ledger.price_base import BaseBook, PriceBase
from tollway.ledger.price_book import PriceBook
from tollway.services.catalog_load import CatalogLoad
from tollway.services.change_feed import ChangeFeed
from tollway.services.inference.explainer import Explainer
from tollway.services.inference.planner import Planner
from tollway.services.live_catalog import LiveCatalog
from tollway.services.live_health import LiveHealth

T = TypeVar("T")
DATABASE_TIMEOUT_S = 60.0
"""A machine that does ten things at once is no database that is away."""
CREDENTIAL = "sk-upstream-credential-that-must-stay-secret-4d2b"


def build_app(factory: Factory | None = None) -> FastAPI:
    """The control plane alone; without a factory its document can be read, nothing else."""
    app = copy.copy(_app())
    app.state = State({"factory": factory})
    return app


@functools.cache
def _app() -> FastAPI:
    """The routes, which take longer to build than most tests do to ask them."""
    app = FastAPI(title="Tollway")
    app.include_router(build_router())
    problems.install(app)
    app.add_middleware(RequestId)
    return app


def documented_operations() -> list[tuple[str, str]]:
    """Method and path of every operation of the control plane's document."""
    paths = _app().openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def operation_of(documented: list[tuple[str, str]], method: str, path: str) -> tuple[str, str]:
    """The documented operation that a request is one of."""
    for method_, template in documented:
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template.removeprefix(PREFIX))
        if method_ == method and re.fullmatch(pattern, path):
            return method_, template
    raise AssertionError(path)


class ControlPlane:
    """Talks to the control plane as one of the keys in `keys`."""

    def __init__(self, client: TestClient, factory: Factory) -> None:
        self.client = client
        self.factory = factory
        self.keys: dict[str, str] = {}

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something of the services on the loop of the app."""
        portal = self.client.portal
        assert portal is not None
        return portal.call(work)

    def __call__(self, method: str, path: str, *, as_: str | None = "acme-admin", **kwargs: Any) -> httpx.Response:
        """Send a request to `/api/v1` as the key of this name, or as nobody."""
        headers = {} if as_ is None else {"authorization": f"Bearer {self.keys.get(as_, as_)}"}
        answer: Any = self.client.request(method, PREFIX + path, headers=headers, **kwargs)
        return answer

    def must(self, method: str, path: str, *, as_: str = "acme-admin", **kwargs: Any) -> dict[str, Any]:
        """As a call, for what must succeed; the body of the answer."""
        answer = self(method, path, as_=as_, **kwargs)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body


async def _furnish(plane: ControlPlane, organization: str) -> None:
    """An organization with a project, a provider, a model, an alias and keys ``<organization>-<scope>``."""
    factory = plane.factory
    created = await factory.organization_create().create(name=organization)
    await factory.project_create().create(created.id, name="web")
    for scope in Scope:
        project = "web" if scope is Scope.INFERENCE else None
        name = f"{organization}-{scope}"
        issued = await factory.key_issue().issue(created.id, name=name, scopes=[scope], project=project)
        plane.keys[name] = issued.key


async def _explainer(factory: Factory) -> Explainer:
    """As a worker has it, with what the database holds now."""
    context = factory._context

    async def nothing(_: Change) -> None:
        return

    async def no_prices() -> PriceBook:
        return PriceBook(PriceBase(BaseBook(version="none", providers=())))

    live = LiveCatalog(
        load_catalog=CatalogLoad(context.database, context.vault).load,
        load_price_book=no_prices,
        follow_quotas=nothing,
        listen=ChangeFeed("").listen,
        authenticator=factory.authenticator_uncached(),
        hear_health=lambda _: None,
    )
    await live.catch_up()
    health = LiveHealth(context.database, "worker", workers=lambda: 1)
    return Explainer(live, health, Planner(live, health))


def open_factory(database_url: str, data_dir: Path) -> Factory:
    """A factory of its own on a database: its connections belong to the loop that first uses it."""
    return Factory(_open_context(database_url, data_dir))


def factory_with_keys(database_url: str, master: bytes = b"m" * 32) -> Factory:
    """A factory on a database with fixed secret keys and no data directory."""
    keys = SecretKeys(master=master, pepper=b"p" * 32)
    database = Database(create_engine(database_url, pool_size=2, timeout_s=DATABASE_TIMEOUT_S))
    settings = load_settings({"database_url": database_url})
    return Factory(ProcessContext(settings=settings, database=database, secret_keys=keys, vault=Vault(master)))


def _open_context(database_url: str, data_dir: Path) -> ProcessContext:
    settings = {"database_url": database_url, "data_dir": data_dir, "database_timeout_s": DATABASE_TIMEOUT_S}
    return ProcessContext.create(load_settings(settings))


@contextmanager
def control_plane(database_url: str, data_dir: Path) -> Iterator[ControlPlane]:
    """A control plane with the organizations ``acme`` and ``rival``."""
    context = _open_context(database_url, data_dir)
    factory = Factory(context)
    with TestClient(build_app(factory), raise_server_exceptions=False) as client:
        plane = ControlPlane(client, factory)
        for organization in ("acme", "rival"):
            plane.run(lambda name=organization: _furnish(plane, name))  # type: ignore[misc]
            plane.must(
                "PUT",
                "/providers/upstream",
                as_=f"{organization}-platform",
                json={"base_url": "http://127.0.0.1:9/v1", "credential": CREDENTIAL, "models": ["one"]},
            )
            plane.must("PUT", "/aliases/web/fast", as_=f"{organization}-admin", json={"target": "upstream/one"})
        factory.explainer = plane.run(lambda: _explainer(factory))
        yield plane
        plane.run(context.aclose)
