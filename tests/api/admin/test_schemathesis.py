"""The document and the control plane agree: generated requests find no 500 and no answer that was not declared."""

from collections.abc import Iterator

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis import BaseSchema, Case
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from support.control_plane import build_app, control_plane, documented_operations, open_factory
from support.postgres import PostgresServer

EXAMPLES = 8
"""Requests for each operation: the whole document in less than a minute."""


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return build_app()


@pytest.fixture(scope="module")
def document(app: FastAPI) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture(scope="module")
def platform_key(
    app: FastAPI, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Puts a database behind the app; a key that may do everything in it."""
    urls = postgres_server.create()
    data_dir = tmp_path_factory.mktemp("schemathesis")
    with control_plane(urls.app, data_dir) as plane:
        key, explainer = plane.keys["acme-platform"], plane.factory.explainer
    app.state.factory = open_factory(urls.app, data_dir)  # its connections belong to the loop of schemathesis
    app.state.factory.explainer = explainer
    yield key
    postgres_server.drop(urls)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def is_answered_as_documented(case: Case, platform_key: str) -> None:
    # Left out: that whatever fits the schema is accepted. A time zone that does not exist, or a time that has passed,
    # is not. And that a list is refused where the query has one value: it is sent as several, of which the last counts.
    headers = {"Authorization": f"Bearer {platform_key}"}
    sent_as_several = any(isinstance(value, list | dict) for value in (case.query or {}).values())
    excluded = [positive_data_acceptance, *([negative_data_rejection] if sent_as_several else [])]
    case.call_and_validate(headers=headers, excluded_checks=excluded)


@pytest.mark.slow
@pytest.mark.timeout(600)  # what to try is looked for among all that a large schema allows
@pytest.mark.parametrize(("method", "path"), documented_operations())
def test_no_generated_request_finds_a_500_or_an_undeclared_answer(
    method: str, path: str, document: BaseSchema, platform_key: str
) -> None:
    # Not by `document.parametrize`: that looks for what to try while tests are collected, in every process of tests.
    operation = document.include(method=method, path=path)
    (found,) = get_all_tests(schema=operation, test_func=is_answered_as_documented, settings=None, given_kwargs={})
    _, generated = found.ok()
    generated(platform_key=platform_key)
