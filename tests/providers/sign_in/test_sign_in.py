"""Each cloud's sign-in with its own library, against stand-ins for the endpoints that give tokens and keys."""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from support.authority import Authority
from support.cloud import Asked, Cloud, Told
from support.logs import logged
from tollway.errors import SignInError, SignInMissingError
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.registry import REGISTRY
from tollway.providers.sign_in import google, kept
from tollway.providers.sign_in.sign_in import SignIn
from tollway.routing.catalog import Credential, Deployment

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ASKED = UpstreamRequest("https://cloud.example/model/m/converse", {"content-type": "application/json"}, b"{}")
REGION = {"region": "eu-west-1"}
PROJECT = {"project": "p-1"}
CERTIFICATE_DAYS = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own identities."""
    monkeypatch.setattr(kept, "FETCH_TIMEOUT_S", 100.0)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "30")  # else a second, and one attempt
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "3")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    made = SignIn()
    yield made
    made.close()


async def signed(
    sign_in: SignIn, spec: str, credential: Any = "", options: dict[str, str] | None = None
) -> dict[str, str]:
    """The headers of a request of a provider with this credential."""
    text = credential if isinstance(credential, str) else json.dumps(credential)
    deployment = Deployment(spec, spec, "https://cloud.example", text, spec, options=options or {})
    return (await sign_in.authorize(ASKED, deployment, REGISTRY[spec])).headers


@pytest.mark.parametrize(
    ("spec", "header", "value"),
    [
        ("bedrock", "authorization", "Bearer plain-key"),
        ("vertex", "x-goog-api-key", "plain-key"),
        ("azure", "api-key", "plain-key"),
    ],
)
async def test_a_plain_key_is_shown_as_it_is(sign_in: SignIn, spec: str, header: str, value: str) -> None:
    assert (await signed(sign_in, spec, "plain-key", REGION))[header] == value


# --- AWS ------------------------------------------------------------------------------------------------


async def test_keys_of_aws_that_are_stored_sign_without_its_library(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tollway.providers.sign_in.aws", None)
    keys = {"access_key_id": "AKID", "secret_access_key": "secret", "session_token": "token"}
    headers = await signed(sign_in, "bedrock", keys, REGION)
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-west-1/bedrock/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "token"


@pytest.mark.parametrize("keys", [{}, {"access_key_id": "a"}, {"access_key_id": 1, "secret_access_key": "b"}])
async def test_a_document_without_keys_of_aws_is_told_so(sign_in: SignIn, keys: dict[str, Any]) -> None:
    with pytest.raises(SignInError, match="without keys"):
        await signed(sign_in, "bedrock", keys, REGION)


async def test_without_a_region_nothing_can_be_signed(sign_in: SignIn) -> None:
    with pytest.raises(SignInError, match="no region"):
        await signed(sign_in, "bedrock", {"access_key_id": "a", "secret_access_key": "b"})


async def test_a_profile_of_this_machine_signs(sign_in: SignIn, tmp_path: Path) -> None:
    text = "[team]\naws_access_key_id = PROFILE\naws_secret_access_key = secret\n"
    (tmp_path / "credentials").write_text(text)
    headers = await signed(sign_in, "bedrock", "", REGION | {"sign_in": "ambient", "profile": "team"})
    assert "Credential=PROFILE/" in headers["authorization"]


async def test_an_instance_role_signs(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    role = {
        "Code": "Success",
        "AccessKeyId": "INSTANCE",
        "SecretAccessKey": "secret",
        "Token": "session",
        "Expiration": (dt.datetime.now(dt.UTC) + dt.timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }

    def script(asked: Asked) -> Told:
        if asked.method == "PUT":
            return Told("metadata-token")
        return Told(json.dumps(role) if asked.path.endswith("/the-role") else "the-role")

    with Cloud(script) as cloud:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.url)
        headers = await signed(sign_in, "bedrock", "", REGION | {"sign_in": "ambient"})
    assert "Credential=INSTANCE/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session"


async def test_a_pods_web_identity_signs(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expires = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>POD</AccessKeyId>
      <SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>{expires}</Expiration>
      </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
    (tmp_path / "token").write_text("pod-token")
    with Cloud(lambda _: Told(found, headers={"content-type": "text/xml"})) as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        headers = await signed(sign_in, "bedrock", "", REGION | {"sign_in": "ambient"})
    assert "Credential=POD/" in headers["authorization"]
    assert cloud.asked[0].form["WebIdentityToken"] == "pod-token"


async def test_a_machine_without_any_keys_of_aws_is_told_so(sign_in: SignIn) -> None:
    with logged() as logs, pytest.raises(SignInError, match="gave no token or keys"):
        await signed(sign_in, "bedrock", "", REGION | {"sign_in": "ambient"})
    assert "instance role" in logs[0]["reason"]


# --- Google ---------------------------------------------------------------------------------------------


def service_account(**fields: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "client_email": "me@p-1.iam.gserviceaccount.com",
        "private_key": PEM,
        "private_key_id": "k1",
        "project_id": "p-1",
    } | fields


async def test_a_service_account_gets_a_token_for_the_clouds_scope_and_everybody_shares_it(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cloud(lambda _: Told({"access_token": "ya29.token", "expires_in": 3600})) as cloud:
        monkeypatch.setattr(google, "_TOKEN_URI", f"{cloud.url}/token")
        asking = (signed(sign_in, "vertex", service_account(), PROJECT) for _ in range(10))
        answers = await asyncio.gather(*asking)
        assert {headers["authorization"] for headers in answers} == {"Bearer ya29.token"}
    (asked,) = cloud.asked
    claims = jwt.decode(asked.form["assertion"], KEY.public_key(), ["RS256"], options={"verify_aud": False})
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_a_stored_document_cannot_send_its_assertion_elsewhere(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = {"access_token": "ya29.token", "expires_in": 3600}
    with Cloud(lambda _: Told(token)) as cloud, Cloud(lambda _: Told(token)) as inner:
        monkeypatch.setattr(google, "_TOKEN_URI", f"{cloud.url}/token")
        await signed(sign_in, "vertex", service_account(token_uri=f"{inner.url}/internal"), PROJECT)
        assert not inner.asked
        await signed(
            sign_in, "vertex", service_account(token_uri=f"{inner.url}/token"), PROJECT | {"sign_in": "federated"}
        )
        assert [asked.path for asked in inner.asked] == ["/token"]


def federation(cloud: Cloud, file: Path) -> dict[str, Any]:
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{cloud.url}/sts",
        "credential_source": {"file": str(file)},
    }


async def test_workload_identity_federation_reads_a_file_of_this_machine_only_where_the_platform_said_so(
    sign_in: SignIn, tmp_path: Path
) -> None:
    (tmp_path / "subject").write_text("the-pods-token")
    told = {
        "access_token": "federated",
        "expires_in": 3600,
        "token_type": "Bearer",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    with Cloud(lambda _: Told(told)) as cloud:
        document = federation(cloud, tmp_path / "subject")
        with pytest.raises(SignInError):
            await signed(sign_in, "vertex", document, PROJECT)
        assert not cloud.asked
        headers = await signed(sign_in, "vertex", document, PROJECT | {"sign_in": "federated"})
    assert headers["authorization"] == "Bearer federated"
    assert "the-pods-token" in cloud.asked[0].form.values()


async def test_the_metadata_server_gives_the_machines_token(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Told:
        flavor = {"metadata-flavor": "Google"}
        if "token" in asked.path:
            return Told({"access_token": "machine", "expires_in": 3600, "token_type": "Bearer"}, headers=flavor)
        if "service-accounts" in asked.path:
            account = {"email": "me", "aliases": ["default"], "scopes": []}
            return Told(account if asked.path.endswith("true") else {"default": account}, headers=flavor)
        return Told("p-1", headers=flavor)

    with Cloud(script) as cloud:
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"):
            monkeypatch.setenv(name, cloud.host)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        headers = await signed(sign_in, "vertex", "", PROJECT | {"sign_in": "ambient"})
    assert headers["authorization"] == "Bearer machine"


async def test_a_refusal_is_told_without_a_secret(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Account not found"}
    with Cloud(lambda _: Told(refusal, status=400)) as cloud, logged() as logs:
        monkeypatch.setattr(google, "_TOKEN_URI", f"{cloud.url}/token")
        with pytest.raises(SignInError) as told:
            await signed(sign_in, "vertex", service_account(), PROJECT)
    assert told.value.status == 502
    assert "invalid_grant" not in told.value.text
    assert "invalid_grant" in logs[0]["reason"]
    assert "PRIVATE KEY" not in str(logs)


async def test_without_the_extra_the_operator_is_told_what_to_install(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tollway.providers.sign_in.google", None)
    with pytest.raises(SignInMissingError) as missing:
        await signed(sign_in, "vertex", service_account(), PROJECT)
    assert missing.value.status == 503
    assert "pip install 'tollway[google]'" in missing.value.next_step


# --- Azure ----------------------------------------------------------------------------------------------


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - CERTIFICATE_DAYS)
        .not_valid_after(now + CERTIFICATE_DAYS)
        .sign(KEY, hashes.SHA256())
    )
    return PEM + built.public_bytes(serialization.Encoding.PEM).decode()


def entra(asked: Asked) -> Told:
    """Microsoft's directory of one tenant."""
    root = f"https://{asked.headers['host']}/tenant-1"
    if asked.path.startswith("/tenant-1/v2.0/.well-known"):
        return Told(
            {
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "issuer": f"{root}/v2.0",
            }
        )
    return Told({"access_token": "entra-token", "expires_in": 3600, "token_type": "Bearer"})


@pytest.mark.parametrize("proof", ["client_secret", "certificate"])
async def test_an_application_of_entra_signs_in_with_a_secret_or_a_certificate(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proof: str
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    with Cloud(entra, tls=authority.server("127.0.0.1")) as cloud:
        document = {
            "tenant_id": "tenant-1",
            "client_id": "app-1",
            proof: certificate() if proof == "certificate" else "very-secret",
            "authority": cloud.url,
        }
        headers = await signed(sign_in, "azure", document, {"sign_in": "federated"})
        assert headers["authorization"] == "Bearer entra-token"
        form = cloud.asked[-1].form
        assert "https://cognitiveservices.azure.com/.default" in form["scope"].split()
        assert form.get("client_secret", "very-secret") == "very-secret"
        assert ("client_assertion" in form) == (proof == "certificate")


async def test_a_stored_application_cannot_name_another_directory(sign_in: SignIn) -> None:
    with Cloud(entra) as cloud:
        document = {"tenant_id": "a/../b", "client_id": "app", "client_secret": "s", "authority": cloud.url}
        with pytest.raises(SignInError):
            await signed(sign_in, "azure", document)
        with pytest.raises(SignInError):
            await signed(sign_in, "azure", document | {"tenant_id": "t", "cloud": "mine"})
        assert not cloud.asked


async def test_a_managed_identity_signs_in(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"access_token": "machine", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    with Cloud(lambda _: Told(told)) as cloud:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{cloud.url}/msi")
        monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
        headers = await signed(sign_in, "azure", "", {"sign_in": "ambient", "client_id": "id-1"})
    assert headers["authorization"] == "Bearer machine"
    assert cloud.asked[0].headers["x-identity-header"] == "header-secret"
    assert "client_id=id-1" in cloud.asked[0].path


# --- what is not in use any more ------------------------------------------------------------------------


async def test_an_identity_whose_credential_was_rotated_or_removed_is_forgotten(sign_in: SignIn) -> None:
    spec = REGISTRY["bedrock"]
    turns = (Credential("1", "second"), Credential("2", "third"))
    provider = Deployment("p", "bedrock", "https://cloud.example", "first", "p", options=REGION, credentials=turns)
    other = Deployment("local", "openai_compatible", "http://127.0.0.1:9", "key", "local")
    for key in ("first", "second", "third"):
        await signed(sign_in, "bedrock", key, REGION)

    def left(*present: Deployment) -> set[str]:
        sign_in.retain((each, REGISTRY[each.spec]) for each in present)
        return {identity.credential for identity in sign_in._signed_in}

    assert spec.sign_in
    assert left(provider, other) == {"first", "second", "third"}
    assert left(replace(provider, credential="rotated", credentials=turns[1:])) == {"third"}
    assert left(replace(provider, options={"region": "us-east-1"})) == set()
