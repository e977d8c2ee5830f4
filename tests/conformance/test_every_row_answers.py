"""Every row of the registry answers a caller: a stand-in speaks its format at its address."""

from collections.abc import Iterator

import pytest

from support.callers import CALLERS, told
from support.gateway import Gateway
from support.speakers import all_speaking
from support.speakers.said import SAID
from tollway.providers.registry import REGISTRY

SPEAKS = {"vertex": "gemini"}
"""Dialects of rows that are another one's bytes."""
OPTIONS = {"region": "eu-central-1", "project": "some-project"}
ROWS = sorted(name for name in REGISTRY if name != "local")  # which comes with the server


@pytest.fixture(scope="module")
def gateway(quota_gateway: Gateway) -> Iterator[Gateway]:
    started = quota_gateway.tenant()
    with all_speaking() as heard:
        for name in ROWS:
            spec = REGISTRY[name]
            format_name = SPEAKS.get(spec.dialect, spec.dialect)
            known = {option.name for option in spec.options}
            options = {key: value for key, value in OPTIONS.items() if key in known}
            fields = {"options": options} if options else {}
            started.add_provider(name, heard[format_name].base_url, spec=name, **fields)
            started.set_price(name, "*")
        yield started


CASES = [
    (row, dialect)
    for row in ROWS
    for dialect in CALLERS
    if dialect != "responses" or "responses" not in REGISTRY[row].surfaces  # then its bytes pass: tests/recordings
]


@pytest.mark.parametrize(("row", "dialect"), CASES)
def test_a_row_answers_in_every_dialect_plain_and_streamed(gateway: Gateway, row: str, dialect: str) -> None:
    caller = CALLERS[dialect]
    for streamed in (False, True):
        answer = gateway.post(caller.path, caller.ask(f"{row}/text", streamed, "text"))
        assert answer.status_code == 200, answer.text
        heard = told(caller, answer, streamed=streamed)
        assert (heard.text, heard.ended) == (SAID["text"].text, True)
        assert answer.headers["x-tollway-provider"] == row
