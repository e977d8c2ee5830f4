"""Check where a provider's or webhook's requests would go: no tenant makes the gateway call into its own network."""

import asyncio
from urllib.parse import urlsplit

from tollway.errors import PermissionDeniedError, UnprocessableError
from tollway.identity.principal import Principal, Scope
from tollway.providers.transport.public import is_public

RESOLVE_TIMEOUT_S = 3.0


def _malformed(param: str) -> UnprocessableError:
    return UnprocessableError(
        "The URL cannot be used.",
        next_step="Give http(s)://host[:port][/path], without user, password, query or fragment.",
        param=param,
    )


def clean_base_url(url: str, *, param: str = "base_url") -> str:
    """The address without a trailing slash.

    Raises:
        UnprocessableError: it is not an http or https address, or holds credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _malformed(param) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise _malformed(param)
    if "@" in parts.netloc or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise _malformed(param)
    return url.rstrip("/")


async def require_reachable_for(caller: Principal | None, base_url: str, *, param: str = "base_url") -> bool:
    """Refuse what this caller may not make the gateway call; the platform (and the installation itself) may all.

    For others: https only, and every address that the name has now must be a public one.

    Returns:
        Whether the name must be checked again at each connection, because it may have another address then.

    Raises:
        PermissionDeniedError: http, or a private, loopback or link-local address.
        UnprocessableError: the name has no address.
    """
    if caller is None or Scope.PLATFORM in caller.scopes:
        return False
    parts = urlsplit(base_url)
    if parts.scheme != "https":
        raise _denied("Plain http", param)
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or 443)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        raise UnprocessableError(f"The host {host} cannot be found.", next_step="Check the URL.", param=param) from None
    if not all(is_public(str(address[0])) for *_, address in found):
        raise _denied("A private, loopback or link-local address", param)
    return True


def _denied(what: str, param: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{what} needs a key with scope `platform`.",
        next_step="Use https and a public host, or ask the operator to do it.",
        param=param,
    )
