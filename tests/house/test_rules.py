"""Each house rule finds what it is about, and nothing else."""

from collections.abc import Callable, Iterator
from textwrap import dedent

import pytest
from house_rules import layering, naming, writing
from house_rules.check import RULES, findings
from house_rules.exemptions import Exemption
from house_rules.source import Finding, Module

Rule = Callable[[Module], Iterator[Finding]]

BROKEN = [
    (layering.sqlalchemy_place, "api/admin/keys.py", "from sqlalchemy import select"),
    (layering.sqlalchemy_place, "services/key_issue.py", "from sqlalchemy import select"),
    (layering.sqlalchemy_place, "services/key_issue.py", "import sqlalchemy as sa"),
    (layering.driver_place, "services/change_feed.py", "import psycopg"),
    (layering.driver_place, "supervisor/postgres.py", "from psycopg import AsyncConnection"),
    (layering.sql_place, "factory/jobs.py", "from sqlalchemy import text\ntext('x')"),
    (layering.sql_place, "services/key_issue.py", "await session.execute(statement)"),
    (layering.sql_place, "services/key_issue.py", "self._connection.execute(statement)"),
    (layering.sql_place, "services/key_issue.py", "QUERY = 'SELECT 1'"),
    (layering.sql_place, "services/key_issue.py", "QUERY = f'insert into'; Q = f'INSERT INTO {table} VALUES (1)'"),
    (layering.transaction_place, "data/keys.py", "async with session.begin(): ..."),
    (layering.transaction_place, "api/admin/keys.py", "await session.commit()"),
    (layering.web_framework_place, "services/key_issue.py", "from fastapi import Request"),
    (layering.web_framework_place, "providers/transport/client.py", "import starlette.requests"),
    (layering.socket_place, "services/chat.py", "import httpx"),
    (layering.socket_place, "providers/registry.py", "from pyreqwest.client import ClientBuilder"),
    (layering.socket_place, "api/inference/chat.py", "from http import client"),
    (layering.socket_place, "services/x.py", "await asyncio.get_running_loop().create_connection(P, 'h', 1)"),
    (layering.socket_place, "supervisor/serve.py", "import asyncio\nawait asyncio.open_connection('h', 1)"),
    (layering.hot_path_libraries, "api/inference/endpoint.py", "import json"),
    (layering.hot_path_libraries, "journal/writer.py", "from pydantic import BaseModel"),
    (naming.provider_name_place, "services/route.py", "if name == 'groq': ..."),
    (naming.provider_name_place, "services/route.py", "url = 'https://api.mistral.ai/v1'"),
    (naming.provider_name_place, "services/route.py", "model = f'together/{name}'"),
    (naming.error_code_place, "services/x.py", "class LostError(UpstreamError):\n    code = 'lost'"),
    (writing.file_length, "services/long.py", "x = 1\n" * 701),
    (writing.function_length, "services/long.py", "def f():\n" + "    x = 1\n" * 70),
    (writing.function_length, "../../tests/test_long.py", "async def f():\n" + "    x = 1\n" * 70),
    (writing.import_at_top, "services/x.py", "def f():\n    import os"),
    (writing.import_at_top, "services/x.py", "class C:\n    async def f(self):\n        from os import path"),
    (writing.import_at_top, "services/x.py", "importlib.import_module('os')"),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept Exception: ..."),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept: ..."),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept (ValueError, BaseException) as error: ..."),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept Exception:  # noqa: BLE001\n    ..."),
    (writing.broad_except_reason, "services/x.py", "with contextlib.suppress(Exception): ..."),
    (writing.integer_money, "ledger/rating.py", "x = 0.5"),
    (writing.integer_money, "ledger/rating.py", "x = a / b"),
    (writing.integer_money, "ledger/rating.py", "x /= 2"),
    (writing.integer_money, "ledger/rating.py", "x = float(price)"),
    (writing.finished, "services/x.py", "x = 1  # TODO: more"),
    (writing.finished, "services/x.py", "raise NotImplementedError"),
    (writing.waiting_in_tests, "../../tests/test_x.py", "await asyncio.sleep(0.5)"),
]

KEPT = [
    (layering.sqlalchemy_place, "data/keys.py", "from sqlalchemy import select"),
    (layering.sqlalchemy_place, "services/key_issue.py", "from sqlalchemy.ext.asyncio import AsyncSession"),
    (layering.driver_place, "data/change_feed.py", "import psycopg"),
    (layering.sql_place, "data/keys.py", "from sqlalchemy import text\nawait session.execute(text('SELECT 1'))"),
    (layering.sql_place, "services/key_issue.py", "'''SELECT in a docstring.'''\nselect('something else')"),
    (layering.sql_place, "cli/apply.py", "HELP = 'Update the models and delete what is gone'"),
    (layering.transaction_place, "services/key_issue.py", "async with session.begin(): ..."),
    (layering.web_framework_place, "api/admin/keys.py", "from fastapi import APIRouter"),
    (layering.web_framework_place, "app.py", "from starlette.routing import Mount"),
    (layering.socket_place, "providers/transport/pool.py", "import ssl\nawait loop.create_connection(P)"),
    (layering.socket_place, "services/x.py", "from http import HTTPStatus\nimport asyncio"),
    (layering.hot_path_libraries, "api/inference/endpoint.py", "import msgspec.json"),
    (layering.hot_path_libraries, "api/admin/keys.py", "import json"),
    (naming.provider_name_place, "providers/registry.py", "Spec('groq')"),
    (naming.provider_name_place, "api/admin/models/key.py", "Field(description='x', examples=['openai/gpt-4o'])"),
    (naming.provider_name_place, "services/x.py", "HEADERS = {'openai-version'}"),
    (naming.provider_name_place, "services/route.py", "'''As openai does.'''\nmessage = 'These go together.'"),
    (naming.error_code_place, "errors.py", "class LostError(UpstreamError):\n    code = 'lost'"),
    (naming.error_code_place, "services/x.py", "class Spec(Struct):\n    code = 'lost'\nclass E(ValueError): ..."),
    (writing.file_length, "services/long.py", "x = 1\n" * 700),
    (writing.function_length, "services/long.py", "def f():\n" + "    x = 1\n" * 69),
    (writing.import_at_top, "services/x.py", "import os\ndef f(): ..."),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept ValueError: ..."),
    (writing.broad_except_reason, "services/x.py", "try: ...\nexcept BaseException:\n    close()\n    raise"),
    (
        writing.broad_except_reason,
        "services/x.py",
        "try: ...\nexcept Exception:  # noqa: BLE001 - a plug-in may raise anything\n    ...",
    ),
    (writing.integer_money, "ledger/rating.py", "x: float = float('inf')\ny = a // b"),
    (writing.integer_money, "routing/weights.py", "x = 0.5"),
    (writing.finished, "services/x.py", "TITLE = 'my TODO list'"),
    (writing.waiting_in_tests, "../../tests/test_x.py", "await asyncio.sleep(0.01)"),
    (writing.waiting_in_tests, "supervisor/backoff.py", "await asyncio.sleep(0.5)"),
]


def _module(place: str, text: str) -> Module:
    return Module(f"src/tollway/{place}" if not place.startswith("../../") else place[6:], dedent(text))


@pytest.mark.parametrize(("rule", "place", "text"), BROKEN)
def test_a_rule_finds_what_breaks_it(rule: Rule, place: str, text: str) -> None:
    assert list(rule(_module(place, text)))


@pytest.mark.parametrize(("rule", "place", "text"), KEPT)
def test_a_rule_lets_pass_what_keeps_it(rule: Rule, place: str, text: str) -> None:
    assert not list(rule(_module(place, text)))


def test_every_rule_has_a_bad_and_a_good_example() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES) == {rule for rule, _, _ in KEPT}


def test_an_exemption_silences_its_finding_and_no_other() -> None:
    module = _module("services/x.py", "import httpx\nimport socket")
    exemption = Exemption("socket-place", "src/tollway/services/x.py", "imports httpx", "a reason")
    assert [item.what for item in findings([module], exemptions=[exemption])] == ["imports socket"]


def test_an_exemption_that_nothing_needs_is_a_finding() -> None:
    exemption = Exemption("socket-place", "src/tollway/services/x.py", "imports httpx", "a reason")
    assert [item.rule for item in findings([], exemptions=[exemption])] == ["exemption-not-needed"]
