"""The one way out to providers: sockets, TLS, pooling, timeouts and size limits. Nothing else opens a socket to one."""

from tollway.providers.transport.client import Transport
from tollway.providers.transport.upstream import Upstream

__all__ = ["Transport", "Upstream"]
