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
        gateway.add_provider("keeper", standin.base_url, spec="openai")
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


# --- files that requests name -----------------------------------------------------------------------------------------

NAMING: list[tuple[str, str, dict[str, Any]]] = [
    (
        "/chat/completions",
        "messages.0.content.0.file.file_id",
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "FILE"}}]}]},
    ),
    (
        "/messages",
        "messages.0.content.0.source.file_id",
        {
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "FILE"}}]}
            ],
        },
    ),
    (
        "/responses",
        "input.0.content.0.file_id",
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "FILE"}]}]},
    ),
    (
        "/images/edits",
        "images.0.file_id",
        {"prompt": "a", "image": "a", "images": [{"file_id": "FILE"}]},
    ),
]
"""Path → where a request names a file → the request."""


def naming(fields: dict[str, Any], file_id: str, model: str = "keeper/m") -> dict[str, Any]:
    named: dict[str, Any] = json.loads(json.dumps(fields | {"model": model}).replace("FILE", file_id))
    return named


@pytest.fixture(scope="module")
def file_id(gateway: Gateway) -> str:
    """A file of the first project."""
    made = upload(gateway, b"secret", data={"purpose": "user_data"})
    return str(made.json()["id"])


@pytest.mark.parametrize("case", NAMING, ids=[path for path, _, _ in NAMING])
def test_a_request_names_files_of_its_own_project_only(
    gateway: Gateway, cabinet: FilingCabinet, stranger: str, file_id: str, case: tuple[str, str, dict[str, Any]]
) -> None:
    path, param, fields = case
    heard = len(cabinet.heard)
    ask(gateway, "POST", path, json=naming(fields, file_id))
    assert len(cabinet.heard) == heard + 1
    others = [(stranger, file_id), (None, "file-of-nobody"), (None, "file-\\u0000")]
    for key, named in [(key, naming(fields, id_)) for key, id_ in others]:
        refused = ask(gateway, "POST", path, key=key, json=named)
        assert (refused.status_code, refused.headers["x-tollway-cost"]) == (404, "0")
        error = refused.json()["error"]
        assert "This project has no file 'file-" in error["message"]
        if path == "/messages":
            assert (refused.json()["type"], error["type"]) == ("error", "not_found_error")
        else:
            assert (error["code"], error["param"]) == ("not_found", param)
    assert len(cabinet.heard) == heard + 1


def test_a_file_is_named_to_the_provider_that_has_it(gateway: Gateway, file_id: str) -> None:
    _, param, fields = NAMING[0]
    elsewhere = ask(gateway, "POST", "/chat/completions", json=naming(fields, file_id, "stub/plain"))
    assert (elsewhere.status_code, elsewhere.json()["error"]["param"]) == (404, param)
    rows = [{"provider": "stub", "model": "plain"}, {"provider": "keeper", "model": "m"}]
    gateway.admin("PUT", "/aliases/default/anywhere", {"route": {"targets": rows}})

    def answered() -> str | None:
        answer = ask(gateway, "POST", "/chat/completions", json=naming(fields, file_id, "anywhere"))
        return answer.headers["x-tollway-provider"] if answer.is_success else None

    assert wait_until(answered, what="the route to be known") == "keeper"


def test_a_hidden_member_a_container_and_a_dialogue_of_the_providers_are_no_way_around(
    gateway: Gateway, cabinet: FilingCabinet, file_id: str
) -> None:
    heard = len(cabinet.heard)
    twice = b'{"model": "keeper/m", "messages": [{"role": "user", "content": [{"file_id": "x", "file_id": "%b"}]}]}'
    hidden = ask(gateway, "POST", "/chat/completions", content=twice % file_id.encode())
    assert hidden.status_code == 400
    for path, fields in (
        ("/responses", {"input": "a", "tools": [{"type": "code_interpreter", "container": "cntr_1"}]}),
        ("/responses", {"input": "a", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
        ("/chat/completions", {"messages": [], "previous_response_id": "resp_1"}),
    ):
        refused = ask(gateway, "POST", path, json={"model": "keeper/m"} | fields)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert len(cabinet.heard) == heard


def test_the_lines_of_a_batch_name_files_of_its_own_project_only(
    gateway: Gateway, cabinet: FilingCabinet, stranger: str, file_id: str
) -> None:
    fields = naming(NAMING[0][2], file_id, "m")
    lines = b"\n".join(json.dumps({"custom_id": each, "body": fields}).encode() for each in "ab")
    batch: dict[str, Any] = {"data": {"purpose": "batch"}}
    mine = upload(gateway, lines, **batch)
    assert cabinet.files[mine.json()["id"]] == lines
    heard = len(cabinet.heard)
    theft = upload(gateway, b"\n" + lines, key=stranger, **batch)
    place = "file.2.body.messages.0.content.0.file.file_id"
    assert (theft.status_code, theft.json()["error"]["param"]) == (404, place)
    assert len(cabinet.heard) == heard


def test_a_batch_is_of_a_file_whose_lines_were_looked_at(
    gateway: Gateway, cabinet: FilingCabinet, file_id: str
) -> None:
    heard = len(cabinet.heard)
    assert ask(gateway, "GET", f"/files/{file_id}").json()["purpose"] == "batch"  # says the provider
    unseen = ask(gateway, "POST", "/batches", json={"input_file_id": file_id})
    assert (unseen.status_code, unseen.json()["error"]["param"]) == (400, "input_file_id")
    checked = upload(gateway, LINES, data={"purpose": "batch"}).json()["id"]
    twice = b'{"input_file_id": "file-of-others", "input_file_id": "%b", "metadata": {"a": "b"}}' % checked.encode()
    made = ask(gateway, "POST", "/batches", content=twice)
    assert cabinet.batches[made.json()["id"]]["input_file_id"] == checked
    folder = ask(gateway, "POST", "/batches", json={"input_file_id": checked, "output_folder": {"url": "https://a"}})
    assert (folder.status_code, folder.json()["error"]["param"]) == (404, "output_folder")
    assert len(cabinet.heard) == heard + 3


def test_an_administrator_may_let_requests_name_whatever_lies_at_a_provider(
    gateway: Gateway, cabinet: FilingCabinet, stranger: str, file_id: str
) -> None:
    with StandIn(cabinet.answer) as standin:
        gateway.add_provider("open", standin.base_url, options={"object_ids": "any"})
        gateway.set_price("open", "*")
        fields = naming(NAMING[0][2], file_id, "open/m")
        wait_until(lambda: ask(gateway, "POST", "/chat/completions", key=stranger, json=fields).is_success)
        line = json.dumps({"body": fields}).encode()
        headers = {"x-tollway-provider": "open"}
        assert upload(gateway, line, key=stranger, data={"purpose": "batch"}, headers=headers).is_success
    unknown = gateway.client.post(
        "/api/v1/providers",
        json={
            "name": "odd",
            "spec": "openai_compatible",
            "base_url": "http://127.0.0.1:1",
            "options": {"object_ids": "x"},
        },
        headers=gateway.headers(gateway.admin_key),
    )
    assert (unknown.status_code, "object_ids" in unknown.text) == (422, True)


def test_a_file_of_when_anything_could_be_named_is_looked_through_when_its_batch_is_started(
    gateway: Gateway, cabinet: FilingCabinet, stranger: str, file_id: str
) -> None:
    with StandIn(cabinet.answer) as standin:
        gateway.add_provider("lenient", standin.base_url, options={"object_ids": "any"})
        gateway.set_price("lenient", "*")
        fields = naming(NAMING[0][2], file_id, "lenient/m")
        own: dict[str, Any] = {"key": stranger, "headers": {"x-tollway-provider": "lenient"}}
        wait_until(lambda: ask(gateway, "POST", "/chat/completions", json=fields, **own).is_success)
        bodies = (json.dumps({"body": fields}).encode(), LINES)
        theft, clean = (upload(gateway, body, data={"purpose": "batch"}, **own).json()["id"] for body in bodies)
        gateway.admin("PATCH", "/providers/lenient", {"options": {"object_ids": None}})
        wait_until(lambda: ask(gateway, "POST", "/chat/completions", json=fields, **own).status_code == 404)
        refused = ask(gateway, "POST", "/batches", json={"input_file_id": theft}, **own)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        assert file_id in refused.json()["error"]["message"]
        started = ask(gateway, "POST", "/batches", json={"input_file_id": clean}, **own)
        assert cabinet.batches[started.json()["id"]]["input_file_id"] == clean


def test_an_object_whose_id_can_name_nothing_is_a_malformed_answer() -> None:
    for body in (b'{"id": "a\\u0000"}', b'{"id": ""}', b'{"id": "a", "output_file_id": "b\\n"}', b'{"id": 1}'):
        assert read_object(body) is None
    assert read_object(b'{"id": "file-1", "purpose": "batch"}') is not None
