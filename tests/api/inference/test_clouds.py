"""Providers that are signed in to: what reaches them from a caller who knows nothing of it, and who may have it so."""

import datetime as dt
import json
from collections.abc import Iterator

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.cloud import Asked, Cloud, Told
from support.gateway import Gateway, chat_body, running
from support.postgres import PostgresServer
from support.speakers import SPEAKERS, script
from support.speakers.said import SAID
from support.standin import Received, Reply, StandIn
from support.waiting import wait_until

KEYS = {"AKID": ("stored-secret", ""), "INSTANCE": ("role-secret", "session")}
"""Access key id → secret and session token."""
MODEL = SPEAKERS["bedrock"].prefix + "text"
REGION = "eu-central-1"
each_mode = pytest.mark.parametrize("mode", ["plain", "stream"])


def role(_: Asked) -> dict[str, str]:
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=6)
    return {
        "Code": "Success",
        "AccessKeyId": "INSTANCE",
        "SecretAccessKey": KEYS["INSTANCE"][0],
        "Token": KEYS["INSTANCE"][1],
        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def machine(asked: Asked) -> Told:
    """What this machine is told of itself: by Azure, by Google's token endpoint, by the instance's metadata."""
    if asked.path.startswith("/msi"):
        expires_on = int(dt.datetime.now(dt.UTC).timestamp()) + 3_600
        return Told({"access_token": "entra", "expires_on": str(expires_on), "token_type": "Bearer"})
    if asked.path == "/token":
        return Told({"access_token": "ya29", "expires_in": 3_600})
    if asked.method == "PUT":
        return Told("metadata-token")
    return Told(json.dumps(role(asked)) if asked.path.endswith("/the-role") else "the-role")


def is_signed(received: Received) -> bool:
    """Whether AWS would take the request: its signature, made again by botocore."""
    headers = dict(received.headers)
    authorization = headers.pop("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return False
    fields = dict(field.split("=", 1) for field in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    key_id, _, region, service, _ = fields["Credential"].split("/")
    secret, token = KEYS[key_id]
    if headers.get("x-amz-security-token", "") != token:
        return False
    signed = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
    request = AWSRequest("POST", f"http://{headers['host']}{received.path}", data=received.body, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key_id, secret), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return bool(region == REGION and signer.signature(text, request) == fields["Signature"])


def with_token(token: str, format_name: str) -> StandIn:
    """A provider that answers who shows this token, and nobody else."""

    def answer(received: Received) -> Reply:
        if ("authorization", f"Bearer {token}") not in received.headers:
            return Reply([SPEAKERS[format_name].error(401, "no token")], status=401)
        return script(SPEAKERS[format_name])(received)

    return StandIn(answer)


def aws(received: Received) -> Reply:
    """Bedrock: refuses what is not signed, and does not show a key of its own."""
    if not is_signed(received) and ("authorization", "Bearer bedrock-key") not in received.headers:
        words = {"message": "The request signature we calculated does not match the signature you provided."}
        return Reply([json.dumps(words).encode()], status=403)
    return script(SPEAKERS["bedrock"])(received)


@pytest.fixture(scope="module")
def bedrock() -> Iterator[StandIn]:
    with StandIn(aws) as standin:
        yield standin


@pytest.fixture(scope="module")
def azure() -> Iterator[StandIn]:
    with with_token("entra", "openai") as standin:
        yield standin


@pytest.fixture(scope="module")
def vertex() -> Iterator[StandIn]:
    with with_token("ya29", "gemini") as standin:
        yield standin


@pytest.fixture(scope="module")
def gateway(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory, bedrock: StandIn,
    azure: StandIn, vertex: StandIn,
) -> Iterator[Gateway]:  # fmt: skip
    settings = {"TOLLWAY_DRAIN_INTERVAL_MS": "20", "AWS_EC2_METADATA_DISABLED": "false"}
    data_dir = tmp_path_factory.mktemp("clouds") / "data"
    with Cloud(machine) as metadata:
        settings["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = metadata.url
        settings["IDENTITY_ENDPOINT"], settings["IDENTITY_HEADER"] = f"{metadata.url}/msi", "header"
        with running(data_dir, postgres_server.create(), **settings) as gateway:
            keys = json.dumps({"access_key_id": "AKID", "secret_access_key": KEYS["AKID"][0]})
            region = {"region": REGION}
            add_bedrock(gateway, "keys", bedrock, credential=keys, options=region)
            add_bedrock(gateway, "plain", bedrock, credential="bedrock-key", options=region)
            add_bedrock(gateway, "role", bedrock, credential=None, options=region | {"sign_in": "ambient"})
            add_bedrock(gateway, "none", bedrock, credential=None, options=region)
            add(gateway, "azure", azure, credential=None, options={"sign_in": "ambient"})
            federated = {"project": "p-1", "sign_in": "federated"}
            account = json.dumps(service_account(f"{metadata.url}/token"))
            add(gateway, "vertex", vertex, credential=account, options=federated)
            yield gateway


def service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account", "client_email": "me@p-1.example", "private_key": pem.decode(), "token_uri": token_uri
    }  # fmt: skip


def add(gateway: Gateway, name: str, standin: StandIn, **fields: object) -> None:
    gateway.add_provider(name, standin.base_url.removesuffix("/v1"), **{"spec": name} | fields)
    gateway.set_price(name, "*")


def add_bedrock(gateway: Gateway, name: str, standin: StandIn, **fields: object) -> None:
    add(gateway, name, standin, spec="bedrock", **fields)


def ask(gateway: Gateway, provider: str, *, stream: bool = False) -> httpx.Response:
    return gateway.post("/v1/chat/completions", chat_body() | {"model": f"{provider}/{MODEL}", "stream": stream})


@each_mode
@pytest.mark.parametrize("provider", ["keys", "plain", "role"])
def test_a_caller_of_openais_dialect_is_answered_by_bedrock(
    gateway: Gateway, bedrock: StandIn, provider: str, mode: str
) -> None:
    stream = mode == "stream"
    answer = ask(gateway, provider, stream=stream)
    assert answer.status_code == 200, answer.text
    method = "converse-stream" if stream else "converse"
    assert bedrock.received[-1].path == f"/model/{MODEL}/{method}"
    if stream:
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
        deltas = [choice["delta"] for event in map(json.loads, events) for choice in event["choices"]]
        assert "".join(delta.get("content") or "" for delta in deltas) == SAID["text"].text
    else:
        assert answer.json()["choices"][0]["message"]["content"] == SAID["text"].text
    (entry,) = wait_until(
        lambda: gateway.query("SELECT * FROM ledger_entry WHERE request_id = %s", answer.headers["x-request-id"])
    )
    assert (entry["outcome"], entry["usage_source"]) == ("ok", "provider")


@each_mode
@pytest.mark.parametrize("provider", ["azure", "vertex"])
def test_a_token_of_the_cloud_reaches_the_provider(gateway: Gateway, provider: str, mode: str) -> None:
    body = chat_body() | {"model": f"{provider}/text", "stream": mode == "stream"}
    answer = gateway.post("/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    assert '"stop"' in answer.text


def test_a_provider_without_a_credential_is_told_so_and_never_signed_in_to_as_the_machine(
    gateway: Gateway, bedrock: StandIn
) -> None:
    asked = len(bedrock.received)
    answer = ask(gateway, "none")
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "provider_sign_in_failed"
    assert len(bedrock.received) == asked


def test_another_tenant_gets_nothing_signed_by_the_machine(gateway: Gateway) -> None:
    tenant = gateway.new_key(None, scopes=["admin", "read"])
    headers = gateway.headers(tenant)
    body = {
        "name": "mine",
        "spec": "bedrock",
        "options": {"region": REGION, "sign_in": "ambient"},
    }
    made = gateway.client.post("/api/v1/providers", json=body, headers=headers)
    moved = gateway.client.patch("/api/v1/providers/role", json={"base_url": "https://1.1.1.1"}, headers=headers)
    assert (made.status_code, moved.status_code) == (403, 403), (made.text, moved.text)
