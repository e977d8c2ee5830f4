import datetime as dt
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tollway.providers.sign_in.sigv4 import AwsKeys, Signer

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
moments = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2036, 1, 1)).map(lambda found: found.replace(microsecond=0))  # noqa: DTZ001 -- made UTC below


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    model=texts.filter(lambda found: set(found) != {"."}),
    host=st.sampled_from(["bedrock-runtime.eu-west-1.amazonaws.com", "127.0.0.1:8443", "proxy.example:443"]),
    body=st.binary(max_size=50),
    token=st.sampled_from(["", "token=="]),
    value=texts.map(str.strip),
    moment=moments,
)
def test_a_signature_is_that_of_botocore(  # noqa: PLR0917 -- drawn by name
    monkeypatch: pytest.MonkeyPatch, model: str, host: str, body: bytes, token: str, value: str, moment: dt.datetime
) -> None:
    url = f"https://{host}/model/{quote(model, safe='')}/converse"
    headers = {"content-type": "application/json", "x-own": value}
    request = AWSRequest("POST", url, data=body, headers=headers | {"host": host})
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    botocore.auth.SigV4Auth(Credentials("AKID", "secret", token or None), "bedrock", "eu-west-1").add_auth(request)
    signer = Signer(AwsKeys("AKID", "secret", token), region="eu-west-1", service="bedrock")
    added = signer.sign(url, headers, body, now_s=moment.replace(tzinfo=dt.UTC).timestamp())
    assert headers | {"host": host} | added == {name.lower(): text for name, text in request.headers.items()}


def test_each_day_has_its_own_key() -> None:
    signer = Signer(AwsKeys("AKID", "secret"), region="r", service="bedrock")
    days = [signer.sign("https://a.example/", {}, b"", now_s=day * 86_400)["authorization"] for day in (1, 2, 1)]
    assert days[0] == days[2] != days[1]


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(AwsKeys("AKID", "secret", "token"))
