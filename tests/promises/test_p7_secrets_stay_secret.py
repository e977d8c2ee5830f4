"""P7: secrets stay secret: no key, credential or prompt in the database, the journal, the logs or an error."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from support.gateway import STUB_CREDENTIAL, Gateway, chat_body, new_mark
from support.replies import SSE, event
from support.standin import Received, Reply, StandIn

PROMPT = "the-prompt-that-nobody-else-may-read-91c2"
REPLY = "the-answer-that-nobody-else-may-read-5be0"
SOON = {"x-tollway-timeout": "1s"}
"""Of those whom their provider never answers."""


@pytest.fixture(scope="module")
def secrets(gateway: Gateway, standin: StandIn) -> dict[str, str]:
    """Every secret by what it is, after each was used in every way that could leave a trace."""
    key = gateway.new_key()
    wrong = "tw-wrong-key-that-is-still-a-secret-of-someone"
    standin.on("confidential", confidential)
    further = "sk-further-credential-that-must-stay-secret-7d20"
    document = json.dumps({"type": "service_account", "private_key": "-----BEGIN-of-a-secret-that-stays-one-55a1"})
    gateway.add_provider("several", standin.base_url)
    for name, secret in (("second", further), ("third", document)):
        gateway.admin("POST", "/providers/several/credentials", {"name": name, "credential": secret})
    gateway.admin("PUT", "/providers/several/credentials/second", {"credential": further})
    gateway.client.post(  # refused, and may not be repeated
        "/api/v1/providers/several/credentials",
        json={"name": "Not A Name", "credential": further},
        headers=gateway.headers(gateway.admin_key),
    )
    last = ""
    for fields in ({}, {"stream": True}):
        for model in ("hang-before-head", "cut", "malformed-json", "bad-request", "confidential"):
            last = new_mark()
            body = chat_body(model, user=last, **fields) | {"messages": [{"role": "user", "content": PROMPT}]}
            gateway.post("/v1/chat/completions", body, key=key, headers=SOON if "hang" in model else None)
    replayed = chat_body("confidential") | {"messages": [{"role": "user", "content": PROMPT}]}
    gateway.post("/v1/chat/completions", replayed, key=key, headers={"idempotency-key": "kept"})
    gateway.post("/v1/chat/completions", f'{{"model": "{PROMPT}'.encode(), key=key)
    gateway.post("/v1/chat/completions", chat_body(), key=wrong)
    gateway.post("/v1/chat/completions", chat_body(), headers={"x-api-key": wrong, "authorization": f"Basic {wrong}"})
    gateway.client.get(f"/v1/{PROMPT}", headers=gateway.headers(key))
    gateway.client.post("/api/v1/keys", json={"name": PROMPT * 10}, headers=gateway.headers(gateway.admin_key))
    gateway.entry(last)
    return {
        "prompt": PROMPT,
        "reply": REPLY,
        "key": key,
        "wrong key": wrong,
        "credential": STUB_CREDENTIAL,
        "further credential": further,
        "document": "BEGIN-of-a-secret-that-stays-one-55a1",
    }


def confidential(received: Received) -> Reply:
    choices = [{"index": 0, "message": {"role": "assistant", "content": REPLY}}]
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    return Reply([json.dumps({"model": received.model, "choices": choices, "usage": usage}).encode()])


def leaks(found: str | bytes, secrets: dict[str, str]) -> list[str]:
    text = found if isinstance(found, bytes) else found.encode()
    return [what for what, secret in secrets.items() if secret.encode() in text]


def test_no_table_holds_a_secret(gateway: Gateway, secrets: dict[str, str]) -> None:
    tables = gateway.query(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace"
    )
    assert len(tables) > 8
    for table in tables:
        name = table["relname"]
        rows = gateway.query(f'SELECT t::text AS row FROM "{name}" t')  # noqa: S608 -- names come from the catalog
        text = "\n".join(row["row"] for row in rows)
        assert leaks(text, secrets) == [], name
        hidden = [secret.encode().hex() for secret in secrets.values()]  # bytea shows as hex
        assert not any(secret in text for secret in hidden), name


def test_no_file_of_the_data_directory_holds_a_secret(gateway: Gateway, secrets: dict[str, str]) -> None:
    files = [path for path in gateway.data_dir.rglob("*") if path.is_file()]
    assert any("journal" in path.parts for path in files)
    for path in files:
        with suppress(FileNotFoundError):  # it was drained meanwhile
            assert leaks(path.read_bytes(), secrets) == [], path


def test_no_log_line_holds_a_secret(gateway: Gateway, secrets: dict[str, str]) -> None:
    log = gateway.log_path.read_bytes()
    assert log.count(b"\n") > 10
    assert leaks(log, secrets) == []


def test_first_keys_and_secrets_are_readable_by_their_owner_only(gateway: Gateway) -> None:
    for name in ("first_keys.json", "secrets.json"):
        assert (gateway.data_dir / name).stat().st_mode & 0o077 == 0, name
    assert gateway.data_dir.stat().st_mode & 0o077 == 0


def test_no_command_line_holds_a_secret(gateway: Gateway, secrets: dict[str, str]) -> None:
    processes = [Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes()]
    processes += [Path(f"/proc/{child.pid}/cmdline").read_bytes() for child in gateway.children("-m")]
    assert leaks(b"\n".join(processes), secrets | {"database": gateway.database.app}) == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/providers",
        "/api/v1/providers/stub",
        "/api/v1/providers/several/credentials",
        "/api/v1/audit/events",
        "/api/v1/keys",
        "/metrics",
        "/openapi.json",
    ],
)
def test_nothing_that_can_be_read_shows_a_secret(gateway: Gateway, secrets: dict[str, str], path: str) -> None:
    answer = gateway.client.get(path, headers=gateway.headers(gateway.admin_key))
    assert answer.is_success
    assert leaks(answer.content, secrets) == []


def test_an_error_does_not_repeat_what_was_sent(gateway: Gateway, secrets: dict[str, str]) -> None:
    answers = [
        gateway.post("/v1/chat/completions", chat_body(), key=secrets["wrong key"]),
        gateway.post("/v1/chat/completions", chat_body("malformed-json") | {"messages": PROMPT}),
        gateway.post("/v1/chat/completions", chat_body("hang-before-head") | {"messages": PROMPT}, headers=SOON),
    ]
    assert [leaks(answer.content, secrets) for answer in answers] == [[], [], []]


def test_a_provider_that_repeats_its_credential_does_not_tell_it_to_callers(
    gateway: Gateway, standin: StandIn, secrets: dict[str, str]
) -> None:
    standin.on("repeats", lambda received: Reply([json.dumps({"error": dict(received.headers)}).encode()], status=401))
    message = {"model": "stub/repeats", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = gateway.post(path, message)
        assert answer.status_code in {401, 502}
        assert leaks(answer.content, secrets) == []
    standin.on("repeats", lambda received: Reply([b"bad key " + str(received.headers).encode()], status=403))
    answer = gateway.post("/v1/chat/completions", message)
    assert "bad key" in answer.text
    assert leaks(answer.content, secrets) == []


SAID = {
    "/chat/completions": [{"model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}],
    "/messages": [
        {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    ],
    "/responses": [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m", "status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "item_id": "a", "output_index": 0, "content_index": 0, "delta": "hi"},
    ],
}
"""Path at a provider → how its stream begins."""


def repeats_in_stream(received: Received) -> Reply:
    """A stream that tells the credential in an error, which is the first event or a later one, whole or torn."""
    path = next(path for path in SAID if received.path.endswith(path))
    begun, flat, torn = (word in received.model for word in ("begun", "flat", "torn"))
    error = {"message": f"not {dict(received.headers)}", "type": "server_error", "code": "server_error"}
    failed = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": error, "output": []}}
    told = failed if path == "/responses" else {"type": "error", "error": error}
    if flat:
        told = {"object": "error", "type": "error"} | error | ({"type": "error"} if path != "/chat/completions" else {})
    events = [event(each) for each in (SAID[path] if begun else [])] + [event(told)]
    return Reply([b"".join(events)[: -2 if torn else None]], headers=SSE, framing="chunked")


@pytest.mark.parametrize("spec", ["openai", "openai_compatible", "anthropic"])
def test_an_error_inside_a_stream_does_not_tell_the_credential_to_callers(
    gateway: Gateway, standin: StandIn, secrets: dict[str, str], spec: str
) -> None:
    """Where bytes pass and where they are translated."""
    hello: dict[str, object] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    name = "in-stream-" + spec.replace("_", "-")
    gateway.add_provider(name, standin.base_url, spec=spec)
    gateway.set_price(name, "*")
    for how in ("first", "begun", "begun-torn", "begun-flat", "torn"):
        standin.on(how, repeats_in_stream)
        ask = {"model": f"{name}/{how}", "stream": True}
        for path in SAID:
            body = ask | ({"input": "hi"} if path == "/responses" else hello)
            answer = gateway.post(f"/v1{path}", body)
            assert b"not {" in answer.content or how.endswith(("torn", "flat")), (path, how, answer.text)
            assert leaks(answer.content, secrets) == [], (path, how)
