"""The client that all requests to providers go through."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from tollway.config.limits import LimitSettings
from tollway.errors import UpstreamUnreachableError
from tollway.providers.transport.pool import Pool, Target, parse_url
from tollway.providers.transport.upstream import Upstream

_TARGETS_MAX = 4_096
_UNSENDABLE = re.compile(r"[^\x20-\x7e\x80-\xff\t]")
"""What a header's value cannot hold: above all line ends, with which a value could add headers of its own."""


class Transport:
    """A pooled HTTP/1.1 client. Follows no redirect: one could carry the credential elsewhere."""

    def __init__(self, limits: LimitSettings) -> None:
        self._pool = Pool(connect_timeout_s=limits.connect_timeout_s)
        self._read_timeout_s = limits.read_timeout_s
        self._total_timeout_s = limits.total_timeout_s
        self._targets: dict[tuple[str, bool], Target] = {}

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        provider: str,
        public_only: bool = False,
        timeout_s: float = math.inf,
        method: str = "POST",
    ) -> Upstream:
        """Prepare a POST, or what another `method` asks for; nothing is sent until the exchange is entered.

        Args:
            url: where to.
            headers: of the request.
            body: as it is sent.
            provider: its name, for errors.
            public_only: whether the host must be on the public internet, now and at every connection.
            timeout_s: for the whole exchange, if that is less than the installation allows.
            method: of the request.

        Raises:
            UpstreamUnreachableError: the URL or a header cannot be used.
        """
        try:
            target = self._target(url, public_only=public_only)
            head = _head(target, headers, len(body), method)
        except ValueError as error:
            raise UpstreamUnreachableError(
                f"Provider {provider!r} is not configured soundly: its address or credential cannot be sent.",
                next_step="An administrator can correct it with `tollway providers`.",
            ) from error
        return Upstream(
            self._pool,
            target,
            head,
            body,
            provider=provider,
            read_timeout_s=self._read_timeout_s,
            total_timeout_s=min(self._total_timeout_s, timeout_s),
        )

    def forget(self) -> None:
        """Forget the heads made so far: they show credentials, which may have been replaced."""
        _around_length.cache_clear()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    def _target(self, url: str, *, public_only: bool) -> Target:
        target = self._targets.get((url, public_only))
        if target is None:
            if len(self._targets) >= _TARGETS_MAX:
                self._targets.clear()
            target = self._targets[url, public_only] = parse_url(url, public_only=public_only)
        return target


def _head(target: Target, headers: Mapping[str, str], length: int, method: str) -> bytes:
    before, after = _around_length(target, method, tuple(headers.items()))
    return b"%b%d%b" % (before, length, after)


@lru_cache(maxsize=256)  # a provider is mostly asked with the same headers
def _around_length(target: Target, method: str, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, bytes]:
    """What stands before the body's length, and after it."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if _UNSENDABLE.search(lines.replace("\r\n", "", len(headers))):
        message = "a header holds characters that cannot be sent"
        raise ValueError(message)
    first = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method.encode(), target.path, target.host_header)
    return first + b"user-agent: tollway\r\ncontent-length: ", f"\r\n{lines}\r\n".encode("latin-1")
