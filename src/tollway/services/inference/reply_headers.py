"""The headers and error bodies that callers get. Names are allow-listed: nothing of a provider passes by default."""

from tollway.errors import UpstreamError
from tollway.providers.transport import Upstream
from tollway.routing.failure import Failure
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.quota_headers import quota_headers

PASSED_HEADERS = frozenset(
    {"retry-after", "retry-after-ms", "x-should-retry", "openai-processing-ms", "openai-version", "openai-model"}
    | {"x-tollway-estimated"}
)
PASSED_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
"""Unless a limit of ours applies: then the caller is told of that."""
_REQUEST_IDS = frozenset({"x-request-id", "request-id"})
_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"
_REDIRECTS = range(300, 400)


def is_stream(upstream: Upstream, media_type: str) -> bool:
    """Whether the reply is a stream, and not a whole reply for all that was asked."""
    types = [value.lower() for name, value in upstream.headers if name == "content-type"]
    return any(each.startswith(media_type) for each in types)


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
    headers = request_ids(exchange)
    headers += [
        (b"x-tollway-provider", exchange.target.deployment.name.encode("latin-1", "replace")),
        (b"x-tollway-model", exchange.target.model.encode("latin-1", "replace")),
        (b"x-tollway-attempts", b"%d" % exchange.tried),
    ]
    if cost:
        headers.append((b"x-tollway-cost", cost.encode()))
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    made = failed or exchange.target.adapter.translates
    if made:
        headers.append((b"content-type", _EVENTS if length is None else _JSON))
    if failed:
        headers.append((b"x-tollway-error-source", b"upstream"))
    if exchange.dropped:
        headers.append((b"x-tollway-dropped", ", ".join(exchange.dropped).encode("latin-1", "replace")))
    limits = None
    if (claims := exchange.claims) is not None:
        headers += (limits := quota_headers(claims))
        if clamped := claims.demand.clamped:
            headers.append((b"x-tollway-clamped", b"max_tokens=%d" % clamped))
    return headers + _passed(upstream, content_type=not made, limits=not limits)


def request_ids(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The request's id, under the names that its caller may look for."""
    id_ = exchange.inbound.request_id.encode()
    if exchange.inbound.dialect.names_request_id:
        return [(b"x-request-id", id_), (b"request-id", id_)]
    return [(b"x-request-id", id_)]


def _passed(upstream: Upstream, *, content_type: bool, limits: bool) -> list[tuple[bytes, bytes]]:
    """The provider's own headers that go on."""
    headers = []
    for name, value in upstream.headers:
        if name == "content-type":
            if content_type:
                headers.append((b"content-type", value.encode("latin-1", "replace")))
        elif name in _REQUEST_IDS:
            headers.append((b"x-tollway-upstream-request-id", value.encode("latin-1", "replace")))
        elif name in PASSED_HEADERS or (limits and name.startswith(PASSED_PREFIXES)):
            headers.append((name.encode("latin-1"), value.encode("latin-1", "replace")))
    return headers


def error_reply(exchange: Exchange, failure: Failure, body: bytes) -> tuple[int, bytes]:
    """Status and body for the caller when a provider refused.

    A redirect is never followed and never passed on: it would send the caller, or our credential, elsewhere.
    """
    provider = exchange.target.deployment.name
    if failure.status in _REDIRECTS:
        fault = UpstreamError(
            f"Provider {provider!r} answered with a redirect ({failure.status}), which is not followed."
        )
        return fault.status, exchange.inbound.dialect.error_body(fault)
    return failure.status, exchange.target.adapter.error_body(failure, body, provider=provider)
