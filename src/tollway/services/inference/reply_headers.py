"""The headers and error bodies that callers get. Names are allow-listed: nothing of a provider passes by default."""

import msgspec

from tollway.providers.transport import Upstream
from tollway.routing.json_object import tolerant
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.quota_headers import quota_headers

PASSED_HEADERS = frozenset(
    {"retry-after", "retry-after-ms", "x-should-retry", "openai-processing-ms", "openai-version", "openai-model"}
)
PASSED_PREFIX = "x-ratelimit-"
"""Unless a limit of ours applies: then the caller is told of that."""
_JSON = b"application/json"
_ERROR_TEXT_MAX_CHARS = 2_000
_REDIRECTS = range(300, 400)


class _ErrorBody(msgspec.Struct):
    error: msgspec.Raw


_decode_error = tolerant(msgspec.json.Decoder(_ErrorBody).decode)
_encode = msgspec.json.Encoder().encode


def is_event_stream(upstream: Upstream) -> bool:
    """Whether the reply is a stream of server-sent events."""
    types = [value.lower() for name, value in upstream.headers if name == "content-type"]
    return any(each.startswith("text/event-stream") for each in types)


def reply_headers(
    exchange: Exchange, upstream: Upstream, *, cost: str = "", length: int | None = None, failed: bool = False
) -> list[tuple[bytes, bytes]]:
    """Headers of an answer that came from a provider.

    Args:
        exchange: the request.
        upstream: the provider's reply.
        cost: decimal USD; empty where it is not known yet (streams).
        length: size of the body; ``None`` for a stream.
        failed: whether the body is the provider's error.
    """
    headers = [
        (b"x-request-id", exchange.inbound.request_id.encode()),
        (b"x-tollway-provider", exchange.deployment.name.encode("latin-1", "replace")),
        (b"x-tollway-model", exchange.model_sent.encode("latin-1", "replace")),
    ]
    if cost:
        headers.append((b"x-tollway-cost", cost.encode()))
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    if failed:
        headers.append((b"content-type", _JSON))
        headers.append((b"x-tollway-error-source", b"upstream"))
    ours = quota_headers(exchange.claims)
    headers += ours
    if exchange.claims is not None and exchange.claims.demand.clamped:
        headers.append((b"x-tollway-clamped", b"max_tokens=%d" % exchange.claims.demand.clamped))
    for name, value in upstream.headers:
        if name == "content-type":
            if not failed:
                headers.append((b"content-type", value.encode("latin-1", "replace")))
        elif name == "x-request-id":
            headers.append((b"x-tollway-upstream-request-id", value.encode("latin-1", "replace")))
        elif name in PASSED_HEADERS or (name.startswith(PASSED_PREFIX) and not ours):
            headers.append((name.encode("latin-1"), value.encode("latin-1", "replace")))
    return headers


def error_reply(provider: str, upstream: Upstream, body: bytes) -> tuple[int, bytes]:
    """Status and body for the caller when a provider refused: its own, put into the envelope if it has none.

    A redirect is never followed and never passed on: it would send the caller, or our credential, elsewhere.
    """
    if upstream.status in _REDIRECTS:
        return 502, _wrap(f"Provider {provider!r} answered with a redirect ({upstream.status}), which is not followed.")
    try:
        _decode_error(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[: 4 * _ERROR_TEXT_MAX_CHARS].decode(errors="replace")[:_ERROR_TEXT_MAX_CHARS]
        return upstream.status, _wrap(f"Provider {provider!r} answered {upstream.status}: {text}")
    return upstream.status, body


def _wrap(message: str) -> bytes:
    return _encode({"error": {"message": message, "type": "upstream_error", "param": None, "code": "upstream_error"}})
