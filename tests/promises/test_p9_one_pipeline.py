"""P9: one pipeline: every surface goes through every step, streaming or not.

The cases are made from the product's own table of surfaces: a surface that is added and forgets a step fails here.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.forms import form_body
from support.gateway import UNPRICED, Gateway, new_mark
from support.replies import SOUND, plain
from support.spender import Spender
from support.standin import Hold, Reply, StandIn
from support.waiting import wait_until
from tollway.api.inference.conversations import ConversationEndpoints
from tollway.api.inference.objects import ObjectEndpoints
from tollway.api.inference.responses import ResponseEndpoints
from tollway.api.inference.stored import ID
from tollway.api.inference.surfaces import SURFACES
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.routing.call import Surface

REQUIRED: dict[str, Any] = {
    "messages": [{"role": "user", "content": "a"}],
    "prompt": "a",
    "input": "a",
    "max_tokens": 100,
    "image": b"\x89PNG\r\n\x00",
    "file": SOUND,
}
"""A good value for each field that some surface requires; bytes are a file."""
COUNTED = {
    "images": ("usage_input", "usage_image_output"),
    "image_edits": ("usage_input", "usage_image_output"),
    "image_variations": ("usage_input", "usage_image_output"),
    "transcriptions": ("usage_audio_input", "usage_output"),
    "translations": ("usage_audio_input", "usage_output"),
}
"""Surface → the kinds in which the provider's two numbers count, where they are not text."""
BOUNDLESS = {
    **dict.fromkeys(("images", "image_edits", "image_variations"), "model"),
    **dict.fromkeys(("transcriptions", "translations"), "file"),
}
"""Surface → the field by which a request has no bound, at the price of tokens: refused under a hard budget."""
BOUNDARY = "a-boundary-of-the-tests"
MADE_HERE = {"count_tokens"}
"""Surfaces that are answered without asking the stand-in, which does not have them: nothing is counted or charged."""


@dataclass(frozen=True)
class Case:
    """One surface, asked in one way."""

    surface: Surface
    streaming: bool

    @property
    def path(self) -> str:
        return self.surface.path

    def body(self, model: str = "stub/plain", **fields: object) -> dict[str, Any]:
        """A good request; the mark of it stands where the dialect names the end user."""
        required = {name: REQUIRED[name] for name in self.surface.required}
        if self.surface.dialect == "messages" and "user" in fields:
            fields["metadata"] = {"user_id": fields.pop("user")}
        stream: dict[str, Any] = {"stream_format": "sse"} if self.surface.name == "speech" else {"stream": True}
        return {"model": model} | required | (stream if self.streaming else {}) | fields

    def post(
        self, gateway: Gateway, body: dict[str, Any], *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a body as the surface takes it: as JSON, or as a form with files."""
        if not self.surface.form:
            return gateway.post(self.path, body, key=key, headers=headers)
        sent = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"} | (headers or {})
        return gateway.post(self.path, form_body(body, BOUNDARY), key=key, headers=sent)

    @property
    def upstream_path(self) -> str:
        """Where the stand-in hears of it: what it does not have itself is translated to chat completions."""
        return self.surface.upstream_path if self.surface.name in OPENAI_COMPATIBLE.surfaces else "/chat/completions"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of a request that names some in the header, and others in the body where the dialect has room."""
        no_room = self.surface.dialect == "messages" or self.surface.form
        return {"env": "prod"} | ({} if no_room else {"team": "search"})


CASES = [
    Case(surface, streaming)
    for surface in SURFACES.values()
    for streaming in ([False, True] if surface.streams else [False])
]


def _each(cases: list[Case]) -> pytest.MarkDecorator:
    names = [f"{case.surface.name}-{'stream' if case.streaming else 'plain'}" for case in cases]
    return pytest.mark.parametrize("case", cases, ids=names)


each_surface = _each(CASES)
each_that_asks = _each([case for case in CASES if case.surface.name not in MADE_HERE])


@each_surface
def test_authentication(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    asked = case.body(user=mark)
    nobody = gateway.client.post(case.path, json={})
    stranger = case.post(gateway, asked, key="tw-unknown")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "missing_api_key")
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not standin.marked(mark)


@each_surface
def test_a_key_without_the_scope_is_refused(gateway: Gateway, case: Case) -> None:
    reader = gateway.new_key(None, scopes=["read"])
    answer = case.post(gateway, case.body(), key=reader)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


@each_surface
def test_a_revoked_key_is_refused_within_a_moment(gateway: Gateway, case: Case) -> None:
    made = gateway.admin("POST", "/keys", {"name": new_mark(), "project": "default"})
    asked = case.body()
    assert case.post(gateway, asked, key=made["key"]).is_success
    gateway.admin("POST", f"/keys/{made['id']}/revoke")
    refused = wait_until(lambda: case.post(gateway, asked, key=made["key"]).status_code == 401)
    assert refused


@each_surface
def test_limits(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    large = case.body(user=mark, padding="x" * 1024 * 1024)
    assert case.post(gateway, large).status_code == 413
    asked = case.body(user=mark)
    assert case.post(gateway, asked, headers={"x-padding": "x" * 70_000}).status_code == 431
    assert not standin.marked(mark)


@each_surface
def test_required_fields(gateway: Gateway, case: Case) -> None:
    for name in ("model", *case.surface.required):
        asked = case.body()
        del asked[name]
        answer = case.post(gateway, asked)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


@each_surface
def test_routing(gateway: Gateway, standin: StandIn, case: Case) -> None:
    unknown = case.post(gateway, case.body(model="nowhere/plain"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    narrow = gateway.new_key(allowed_models=["stub/alpha"])
    refused = case.post(gateway, case.body(), key=narrow)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    gateway.admin("PUT", "/aliases/default/everyday", {"target": "stub/alpha"})
    mark = new_mark()
    asked = case.body(model="everyday", user=mark)
    wait_until(lambda: case.post(gateway, asked).is_success, what="the alias to be known")
    heard = standin.marked(mark)
    if case.surface.name not in MADE_HERE:
        assert {received.model for received in heard} == {"alpha"}
        assert {received.path for received in heard} == {f"/v1{case.upstream_path}"}


@each_surface
def test_prices(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    asked = case.body(model=UNPRICED, user=mark)
    assert case.post(gateway, asked).json()["error"]["code"] == "model_not_priced"
    assert not standin.marked(mark)


@_each([case for case in CASES if case.surface.name in BOUNDLESS])
def test_a_hard_budget_refuses_what_has_no_bound(gateway: Gateway, standin: StandIn, case: Case) -> None:
    rich = Spender(gateway)
    rich.budget("1000")
    mark = new_mark()
    refused = case.post(gateway, case.body(user=mark), key=rich.key)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, BOUNDLESS[case.surface.name])
    assert not standin.marked(mark)


@_each([case for case in CASES if case.surface.name not in MADE_HERE | BOUNDLESS.keys()])
def test_budgets(gateway: Gateway, standin: StandIn, case: Case) -> None:
    broke, rich = Spender(gateway), Spender(gateway)
    broke.budget("0")
    rich.budget("1")
    mark = new_mark()
    refused = case.post(gateway, case.body(user=mark), key=broke.key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    assert not standin.marked(mark)
    assert case.post(gateway, case.body(user=mark), key=rich.key).is_success
    charge = gateway.entry(mark)["charge_pico"]
    wait_until(lambda: rich.settled_pico() == charge, what="the budget to have the charge")


@each_that_asks
def test_rate_limits(gateway: Gateway, standin: StandIn, case: Case) -> None:
    hurried = Spender(gateway)
    hurried.limit("requests", 1, window="day")
    mark = new_mark()
    first, second = (case.post(gateway, case.body(user=mark), key=hurried.key) for _ in range(2))
    assert first.is_success
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limited")
    assert first.headers["x-ratelimit-remaining-requests"] == second.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(standin.marked(mark)) == 1


@each_that_asks
def test_metering(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    asked = case.body(metadata={"team": "search"}, user=mark)
    answer = case.post(gateway, asked, headers={"x-tollway-tags": "env=prod"})
    assert answer.is_success
    entry = gateway.entry(mark)
    assert (entry["surface"], entry["stream"], entry["status"]) == (case.surface.name, case.streaming, 200)
    assert (entry["provider"], entry["model_asked"], entry["model_sent"]) == ("stub", "stub/plain", "plain")
    assert (entry["usage_source"], entry["priced"]) == ("provider", True)
    kinds = COUNTED.get(case.surface.name, ("usage_input", "usage_output"))
    if case.surface.name == "speech":  # sold by the character
        assert entry["usage_characters"] == len(REQUIRED["input"])
    else:
        assert tuple(entry[kind] for kind in kinds) == standin.marked(mark)[0].tokens
    assert entry["charge_pico"] > 0
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["tags"] == case.tags
    assert entry["request_bytes"] == len(answer.request.content)
    assert entry["response_bytes"] > 0


@each_that_asks
def test_idempotency(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    first, second = (case.post(gateway, case.body(user=mark), headers={"idempotency-key": mark}) for _ in "ab")
    assert first.is_success
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["x-tollway-replayed"] == "true"
    assert len(standin.marked(mark)) == 1
    assert gateway.entry(mark)["request_id"] == second.headers["x-request-id"]


@_each([case for case in CASES if case.surface.name in MADE_HERE])
def test_what_is_answered_here_is_in_the_ledger_too_and_limited(gateway: Gateway, standin: StandIn, case: Case) -> None:
    mark = new_mark()
    caller = Spender(gateway)
    caller.limit("requests", 1, window="day")
    first, second = (case.post(gateway, case.body(user=mark), key=caller.key) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    entry = gateway.entry(mark)
    assert (entry["surface"], entry["status"], entry["charge_pico"]) == (case.surface.name, 200, 0)
    assert (entry["usage_input"], entry["usage_output"]) == (0, 0)
    assert not standin.marked(mark)


@each_that_asks
def test_errors_of_the_provider_are_metered_too(gateway: Gateway, case: Case) -> None:
    mark = new_mark()
    asked = case.body(model="stub/rate-limited", user=mark)
    assert case.post(gateway, asked).status_code == 429
    entry = gateway.entry(mark)
    assert (entry["status"], entry["outcome"], entry["charge_pico"]) == (429, "upstream_error", 0)


def logged(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """The line of the access log."""

    def line() -> dict[str, Any] | None:
        for text in gateway.log_path.read_text().splitlines(keepends=True):
            if request_id in text and text.startswith("{") and text.endswith("\n"):
                found: dict[str, Any] = json.loads(text)
                return found
        return None

    return wait_until(line, what="the line of the access log") or {}


@each_surface
def test_logging(gateway: Gateway, case: Case) -> None:
    line = logged(gateway, case.post(gateway, case.body()).headers["x-request-id"])
    assert (line["surface"], line["status"]) == (case.surface.name, 200)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/stub/plain"])
def test_the_list_of_models_is_authenticated_too(gateway: Gateway, path: str) -> None:
    assert gateway.client.get(path).status_code == 401
    assert gateway.client.get(path, headers=gateway.headers()).is_success
    reader = gateway.new_key(None, scopes=["read"])
    assert gateway.client.get(path, headers=gateway.headers(reader)).status_code == 403


# --- what asks no model: what is kept of dialogues, and files and batches at a provider -------------------------------

KEPT = [
    (method, pattern.replace(ID, "any_1"))
    for endpoints in (ResponseEndpoints, ConversationEndpoints, ObjectEndpoints)
    for pattern, methods in object.__new__(endpoints).routes
    for method in methods
]
"""A request to each of these endpoints; whether what it names is there does not matter."""


def visit(gateway: Gateway, method: str, path: str, key: str | None = None) -> httpx.Response:
    """Ask one of them."""
    content = b"{}" if method == "POST" else None
    return gateway.client.request(method, path, headers=gateway.headers(key), content=content)


def test_what_is_kept_is_for_known_callers_with_the_scope(gateway: Gateway) -> None:
    reader = gateway.new_key(None, scopes=["read"])
    for method, path in KEPT:
        assert visit(gateway, method, path, "tw-unknown").json()["error"]["code"] == "invalid_api_key", path
        assert visit(gateway, method, path, reader).json()["error"]["code"] == "permission_denied", path


def test_what_is_kept_is_asked_for_within_limits_of_requests_and_needs_no_money(gateway: Gateway) -> None:
    hurried = Spender(gateway)
    hurried.budget("0")
    hurried.limit("requests", len(KEPT), window="day")
    for left, (method, path) in zip(reversed(range(len(KEPT))), KEPT, strict=True):
        served = visit(gateway, method, path, hurried.key)
        assert served.status_code not in {402, 429}, path
        assert served.headers["x-ratelimit-limit-requests"] == str(len(KEPT)), path
        assert served.headers["x-ratelimit-remaining-requests"] == str(left), path
    for method, path in KEPT:
        refused = visit(gateway, method, path, hurried.key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited"), path
        assert refused.headers["x-ratelimit-remaining-requests"] == "0", path
        assert int(refused.headers["retry-after"]) > 0, path
    headers = gateway.headers(hurried.key) | {"anthropic-version": "2023-06-01"}
    assert gateway.client.get("/v1/files", headers=headers).json()["error"]["type"] == "rate_limit_error"
    case = next(case for case in CASES if case.surface.name == "moderations")
    assert case.post(gateway, case.body(), key=hurried.key).status_code in {402, 429}  # of the same limit


def test_what_is_kept_is_logged_when_it_is_told(gateway: Gateway) -> None:
    line = logged(gateway, visit(gateway, "GET", "/v1/files").headers["x-request-id"])
    assert (line["event"], line["surface"], line["status"]) == ("visited", "files", 200)


def test_a_key_that_may_ask_models_no_more_at_a_time_still_sees_what_is_kept(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.on("held-plain", lambda received: Reply([Hold(), *plain(received).steps]))
    standin.hold()
    busy = Spender(gateway)
    busy.limit("parallel", 1)
    with ThreadPoolExecutor(1) as pool:
        mark = new_mark()
        begun = pool.submit(busy.chat, "held-plain", user=mark)
        wait_until(lambda: standin.marked(mark), what="the only place to be taken")
        assert busy.chat("plain").status_code == 429
        for method, path in KEPT:
            assert visit(gateway, method, path, busy.key).status_code not in {429, 500}, path
        standin.release()
        assert begun.result().is_success
