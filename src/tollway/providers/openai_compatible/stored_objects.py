"""Files and batches at a provider: what is read of them. Pure.

Source: https://platform.openai.com/docs/api-reference/files, …/batch and …/batch/request-output.
"""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from tollway.chat.items import is_id
from tollway.json_object import MALFORMED, tolerant
from tollway.ledger.usage import Usage
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.address import url_of
from tollway.providers.auth import auth_headers
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.openai import parse_usage
from tollway.routing.catalog import Deployment

_OK = range(200, 300)
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class StoredObject(msgspec.Struct, frozen=True):
    """What is read of a file or batch.

    Attributes:
        id: at the provider.
        purpose: of a file.
        status: of a batch.
        output_file_id, error_file_id: of a batch.
    """

    id: str
    purpose: str | None = None
    status: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def ended(self) -> bool:
        """Whether a batch changes no more; a file's status does not matter."""
        return self.status in _ENDED


class _Body(msgspec.Struct):
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Response(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    response: _Response | None = None


_decode_object = tolerant(msgspec.json.Decoder(StoredObject).decode)
_decode_line = tolerant(msgspec.json.Decoder(_Line).decode)
_decode_body = tolerant(msgspec.json.Decoder(_Body).decode)


class Result(msgspec.Struct, frozen=True):
    """One answer of a batch. Attributes: model: that answered; usage: ``None`` if it is not told."""

    model: str
    usage: Usage | None


def object_request(
    deployment: Deployment, spec: ProviderSpec, path: tuple[str, ...], body: bytes, content_type: str
) -> UpstreamRequest:
    """The request for what lies at a path, for instance ``("files", "file-1", "content")``."""
    headers = {"content-type": content_type} if content_type else {}
    headers |= {"accept-encoding": "identity"} | auth_headers(spec.auth_for(deployment), deployment)
    place = "".join(f"/{quote(part, safe='')}" for part in path)
    return UpstreamRequest(url=url_of(deployment, spec, place, ""), headers=headers, body=body)


def read_object(body: bytes) -> StoredObject | None:
    """A file or batch as the provider tells it; ``None`` if it is none."""
    try:
        told = _decode_object(body)
    except MALFORMED:
        return None
    named = (told.id, *filter(None, (told.output_file_id, told.error_file_id, told.purpose)))
    return told if all(map(is_id, named)) else None


def read_results(body: bytes, spec: ProviderSpec) -> Iterator[Result]:
    """The answers in a file of results, one a line; what was refused is not billed, and what is no answer left out."""
    for line in body.splitlines():
        try:
            response = _decode_line(line).response if line.strip() else None
            answer = _decode_body(response.body) if response is not None and response.status_code in _OK else None
        except MALFORMED:
            continue
        if answer is not None:
            parsed = parse_usage(answer.usage, convention=spec.usage)
            yield Result(answer.model or "", parsed.usage if parsed is not None else None)
