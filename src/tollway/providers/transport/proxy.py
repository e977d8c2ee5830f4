"""The way out through a proxy, where the environment names one (``HTTPS_PROXY``, ``NO_PROXY``): a CONNECT tunnel."""

import asyncio
import base64
import re
import socket
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from tollway.providers.transport.dial import dial

_REPLY_MAX_BYTES = 16 * 1024
_CONNECTED = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")


class Proxy(NamedTuple):
    """Where the proxy is, and how it knows us (empty, or the value of ``proxy-authorization``)."""

    host: str
    port: int
    authorization: str


def proxy_for(host: str, port: int, *, tls: bool) -> Proxy | None:
    """The proxy for a target, ``None`` for a direct connection. Plain http goes direct: it stays in one's own network.

    Raises:
        ValueError: the environment names a proxy that cannot be used.
    """
    url = getproxies().get("https") if tls else None
    if not url or proxy_bypass(f"{host}:{port}"):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        message = "HTTPS_PROXY must be an http:// address"
        raise ValueError(message)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    authorization = f"Basic {base64.b64encode(user.encode()).decode()}" if user else ""
    return Proxy(parts.hostname, parts.port or 80, authorization)


async def open_tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket that reaches the target through the proxy.

    Raises:
        OSError: the proxy cannot be reached, or refused.
    """
    loop = asyncio.get_running_loop()
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    tunnel = await dial(proxy.host, proxy.port)
    try:
        extra = f"proxy-authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
        await loop.sock_sendall(
            tunnel, f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{extra}\r\n".encode("latin-1")
        )
        reply = b""
        while b"\r\n\r\n" not in reply and len(reply) < _REPLY_MAX_BYTES:
            data = await loop.sock_recv(tunnel, 1)  # byte by byte: what follows the reply belongs to TLS
            if not data:
                break
            reply += data
        _require_ok(reply)
    except BaseException:  # cancelled or failed: given back, then raised again
        tunnel.close()
        raise
    return tunnel


def _require_ok(reply: bytes) -> None:
    if not _CONNECTED.match(reply):
        message = f"the proxy refused: {reply[:80].decode('latin-1').splitlines()[:1]}"
        raise ConnectionRefusedError(message)
