"""Files and batches: whose they are, and that what a batch cost is in the ledger once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from support.filing import USAGE, FilingCabinet
from support.gateway import Gateway, new_mark
from support.spender import Spender
from support.standin import StandIn
from support.waiting import wait_until
from tollway.providers.openai_compatible.stored_objects import read_object

LINES = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\r\n\n'
CHARGE_PICO = USAGE["prompt_tokens"] * 2_500_000 + USAGE["completion_tokens"] * 10_000_000
"""Of one answer, at the stand-in's prices."""


@pytest.fixture(scope="module")
def cabinet() -> FilingCabinet:
    return FilingCabinet()


@pytest.fixture(scope="module", autouse=True)
def keeper(gateway: Gateway, cabinet: FilingCabinet) -> Iterator[str]:
    """Name of a provider that keeps files."""
    with StandIn(cabinet.answer) as standin:
        gateway.add_provider("keeper", standin.base_url)
        gateway.set_price("keeper", "*")
        yield "keeper"


def opened(gateway: Gateway, key: str) -> OpenAI:
    """The SDK, which names the provider as its documentation says."""
    headers = {"x-tollway-provider": "keeper"}
    return OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, default_headers=headers)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with opened(gateway, gateway.new_key()) as made:
        yield made


@pytest.fixture(scope="module")
def stranger(gateway: Gateway) -> str:
    """The key of another project."""
    gateway.admin("POST", "/projects", {"name": "stranger"})
    return gateway.new_key("stranger")


def ask(gateway: Gateway, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
    headers = gateway.headers(key) | options.pop("headers", {"x-tollway-provider": "keeper"})
    return gateway.client.request(method, f"/v1{path}", headers=headers, **options)


def upload(gateway: Gateway, content: bytes, *, key: str | None = None, **options: Any) -> httpx.Response:
    return ask(gateway, "POST", "/files", key=key, files={"file": ("in.jsonl", content)}, **options)


def start_batch(client: OpenAI) -> str:
    file = client.files.create(file=("in.jsonl", LINES), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"job": "nightly"}
    )
    return batch.id


def entries_of(gateway: Gateway, batch_id: str) -> list[dict[str, Any]]:
    tag = json.dumps({"tollway.batch": batch_id})
    return gateway.query("SELECT * FROM ledger_entry WHERE tags @> %s::jsonb ORDER BY model_sent", tag)


def test_a_file_lives_at_the_provider_byte_for_byte(client: OpenAI, cabinet: FilingCabinet) -> None:
    file = client.files.create(file=("in.jsonl", LINES), purpose="batch")
    assert cabinet.files[file.id] == LINES
    assert client.files.content(file.id).content == LINES
    other = client.files.create(file=("in.bin", b"\x00\xff\r\n"), purpose="user_data")
    assert cabinet.files[other.id] == b"\x00\xff\r\n"
    assert client.files.retrieve(file.id).bytes == len(LINES)
    assert file.id in [each.id for each in client.files.list(limit=2, purpose="batch")]
    assert client.files.delete(file.id).deleted
    assert file.id not in cabinet.files
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_a_list_goes_on_where_the_page_before_ended(client: OpenAI) -> None:
    made = [client.files.create(file=("in.jsonl", LINES), purpose="batch").id for _ in range(3)]
    page = client.files.list(limit=2)
    assert ([each.id for each in page.data], page.has_more) == ([made[2], made[1]], True)
    assert [each.id for each in client.files.list(limit=1, after=made[1]).data] == [made[0]]
    assert [each.id for each in client.files.list(after=made[0], order="asc").data][:2] == made[1:]


def test_another_projects_objects_are_a_404_and_the_provider_hears_nothing(
    gateway: Gateway, client: OpenAI, cabinet: FilingCabinet, stranger: str
) -> None:
    batch_id = start_batch(client)
    file_id = cabinet.batches[batch_id]["input_file_id"]
    heard = len(cabinet.heard)
    asked = [("GET", f"/files/{file_id}"), ("GET", f"/files/{file_id}/content"), ("DELETE", f"/files/{file_id}")]
    asked += [("GET", f"/batches/{batch_id}"), ("POST", f"/batches/{batch_id}/cancel"), ("GET", f"/files/{batch_id}")]
    for method, path in asked:
        answer = ask(gateway, method, path, key=stranger)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    theft = ask(gateway, "POST", "/batches", key=stranger, json={"input_file_id": file_id})
    assert (theft.status_code, theft.json()["error"]["param"]) == (404, "input_file_id")
    for path in ("/files", "/batches"):
        assert ask(gateway, "GET", path, key=stranger).json()["data"] == []
        assert ask(gateway, "GET", f"{path}?after={file_id}", key=stranger).status_code == 404
    assert len(cabinet.heard) == heard


def test_a_batch_is_started_looked_at_listed_and_cancelled(client: OpenAI) -> None:
    batch_id = start_batch(client)
    assert client.batches.retrieve(batch_id).metadata == {"job": "nightly"}
    assert client.batches.list(limit=1).data[0].id == batch_id
    assert client.batches.cancel(batch_id).status == "cancelling"


def test_results_that_are_read_are_metered_once_for_each_model(
    gateway: Gateway, client: OpenAI, cabinet: FilingCabinet
) -> None:
    batch_id = start_batch(client)
    file_id = cabinet.finish(batch_id, cabinet.results("gpt-a", "gpt-b", "gpt-a"))
    with pytest.raises(openai.NotFoundError):
        client.files.content(file_id)  # nobody has seen yet that it is of this batch
    assert client.batches.retrieve(batch_id).output_file_id == file_id
    with pytest.raises(openai.ConflictError):
        client.files.delete(file_id)
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(lambda _: client.files.content(file_id).content, range(4)))
    assert set(read) == {cabinet.files[file_id]}
    gateway.query("UPDATE provider_object SET metered_at = NULL WHERE id = %s RETURNING id", file_id)
    client.files.content(file_id)  # as after a crash between the journal and the note
    gateway.chat(user=(mark := new_mark()))
    gateway.entry(mark)  # what was journaled before it has landed
    first, second = entries_of(gateway, batch_id)
    assert (first["surface"], first["model_sent"]) == ("batches", "gpt-a")
    assert first["usage_input"] == 2 * USAGE["prompt_tokens"]
    assert (first["charge_pico"], second["charge_pico"]) == (2 * CHARGE_PICO, CHARGE_PICO)
    assert (first["priced"], first["usage_source"], first["usage_requests"]) == (True, "provider", 2)
    assert client.files.delete(file_id).deleted


def test_soft_budgets_count_batches_and_hard_ones_refuse_them(gateway: Gateway, cabinet: FilingCabinet) -> None:
    spender = Spender(gateway)
    spender.budget("5", mode="soft")
    with opened(gateway, spender.key) as mine:
        batch_id = start_batch(mine)
        file_id = cabinet.finish(batch_id, cabinet.results("gpt-a"))
        mine.batches.retrieve(batch_id)
        mine.files.content(file_id)
        wait_until(lambda: spender.settled_pico() == CHARGE_PICO, what="the budget to have the charge")
        spender.budget("5")
        with pytest.raises(openai.BadRequestError) as caught:
            start_batch(mine)
    assert caught.value.param == "input_file_id"


def test_a_key_of_some_models_starts_no_batch(gateway: Gateway) -> None:
    narrow = gateway.new_key(allowed_models=["keeper/gpt-a"])
    file = ask(gateway, "POST", "/files", key=narrow, files={"file": ("a", LINES)}, data={"purpose": "batch"})
    refused = ask(gateway, "POST", "/batches", key=narrow, json={"input_file_id": file.json()["id"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")


def test_the_provider_is_named_where_several_could_be_meant(gateway: Gateway) -> None:
    sent: dict[str, Any] = {"files": {"file": ("a", LINES)}, "data": {"purpose": "batch"}}
    several = ask(gateway, "POST", "/files", headers={}, **sent)
    assert (several.status_code, "x-tollway-provider" in several.json()["error"]["message"]) == (400, True)
    none = ask(gateway, "POST", "/files", headers={"x-tollway-provider": "nobody"}, **sent)
    assert (none.status_code, none.json()["error"]["code"]) == (404, "not_supported_by_provider")


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "after=%00", "purpose=a%00"])
def test_a_strange_query_is_a_400(gateway: Gateway, query: str) -> None:
    assert ask(gateway, "GET", f"/files?{query}").status_code == 400


def test_bad_input_is_refused_before_the_provider_hears_of_it(gateway: Gateway, cabinet: FilingCabinet) -> None:
    heard = len(cabinet.heard)
    form = {"x-tollway-provider": "keeper", "content-type": "multipart/form-data; boundary=x"}
    assert ask(gateway, "POST", "/files", headers=form, content=b"no form").status_code == 400
    assert ask(gateway, "POST", "/files", json={}).status_code == 400
    for sent in ({"data": {"purpose": ["batch", "user_data"]}}, {}, {"data": {"purpose": "\x00"}}):
        assert upload(gateway, b"{}", **sent).json()["error"]["param"] == "purpose"
    for broken in (b"[]", b"\x00\xff", b'{"body": {}}\nno request'):
        refused = upload(gateway, broken, data={"purpose": "batch"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "file")
    for body in (b"", b"[]", b'{"input_file_id": 1}', b"\xff"):
        assert ask(gateway, "POST", "/batches", content=body).status_code == 400
    assert ask(gateway, "POST", "/batches", content=b'{"input_file_id": "\\u0000"}').status_code == 404
    assert ask(gateway, "PUT", "/files").status_code == 405
    assert ask(gateway, "GET", "/files", key="tw-unknown").status_code == 401
    assert ask(gateway, "GET", "/files", key=gateway.new_key(None, scopes=["read"])).status_code == 403
    assert ask(gateway, "GET", f"/files/{new_mark()}").status_code == 404
    assert len(cabinet.heard) == heard


def test_an_object_whose_id_can_name_nothing_is_a_malformed_answer() -> None:
    for body in (b'{"id": "a\\u0000"}', b'{"id": ""}', b'{"id": "a", "output_file_id": "b\\n"}', b'{"id": 1}'):
        assert read_object(body) is None
    assert read_object(b'{"id": "file-1", "purpose": "batch"}') is not None
