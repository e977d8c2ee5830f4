"""AWS Signature Version 4 of a POST without a query. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Written out here because
botocore takes more than ten times as long for one request; a test compares every signature with botocore's.
"""

import hashlib
import hmac
import time
from functools import lru_cache
from urllib.parse import quote, urlsplit

import msgspec

_ALGORITHM = "AWS4-HMAC-SHA256"


@lru_cache(maxsize=1_024)
def _place(url: str) -> tuple[str, str]:
    """Host and path of an address, as they are signed: the host as the transport sends it."""
    parts = urlsplit(url)
    return parts.netloc, quote(parts.path or "/", safe="/~")


class AwsKeys(msgspec.Struct, frozen=True):
    """A pair of keys. Attributes: session_token: of temporary ones, else empty. `repr` hides it all."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "AwsKeys(…)"


class Signer:
    """Signs requests to one service in one region."""

    __slots__ = ("_date", "_day_key", "_keys", "_scope", "_target")

    def __init__(self, keys: AwsKeys, *, region: str, service: str) -> None:
        self._keys = keys
        self._target = (region, service)
        self._date = ""
        self._day_key = b""
        self._scope = ""

    def sign(self, url: str, headers: dict[str, str], body: bytes, *, now_s: float) -> dict[str, str]:
        """The headers with which the request is signed, besides those it has.

        Args:
            url: where it goes.
            headers: all of it that are signed, names in lower case; without ``host``, which the URL tells.
            body: as it is sent.
            now_s: epoch seconds.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
        added = {"x-amz-date": moment}
        if self._keys.session_token:
            added["x-amz-security-token"] = self._keys.session_token
        host, path = _place(url)
        signed = {"host": host, **headers, **added}
        names = sorted(signed)
        canonical = [
            "POST",
            path,
            "",
            *(f"{name}:{' '.join(signed[name].split())}" for name in names),
            "",
            (named := ";".join(names)),
            hashlib.sha256(body).hexdigest(),
        ]
        self._begin_day(moment[:8])
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = f"{_ALGORITHM}\n{moment}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._day_key, text.encode(), "sha256").hex()
        added["authorization"] = (
            f"{_ALGORITHM} Credential={self._keys.access_key_id}/{self._scope}, "
            f"SignedHeaders={named}, Signature={signature}"
        )
        return added

    def _begin_day(self, date: str) -> None:
        """A day has one key."""
        if date == self._date:
            return
        region, service = self._target
        key = f"AWS4{self._keys.secret_access_key}".encode()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._date, self._day_key = date, key
        self._scope = f"{date}/{region}/{service}/aws4_request"
