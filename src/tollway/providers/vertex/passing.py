"""A request in Anthropic's own format at Vertex AI: the caller's bytes, with the model in the address instead.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude and
…/claude/count-tokens, where the model stays in the body.
"""

import msgspec
from msgspec.structs import replace

from tollway.json_object import decode_object
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.vertex.address import CLAUDE_VERSION, MAKER_OF_CLAUDE, vertex_url
from tollway.routing.catalog import Deployment

_COUNT = "count_tokens"
_COUNTER = "count-tokens"
"""Counting is asked of a model of this name."""
_VERSION_FIELD = "anthropic_version"
_encode = msgspec.json.Encoder().encode


def at_vertex(
    request: UpstreamRequest, deployment: Deployment, *, surface: str, model: str, stream: bool
) -> UpstreamRequest:
    """The request at Vertex AI's address.

    Args:
        request: for Anthropic itself.
        deployment: who is asked.
        surface: name of the surface.
        model: its name at Vertex AI.
        stream: whether the answer comes as a stream.
    """
    fields = decode_object(request.body)
    fields.setdefault(_VERSION_FIELD, msgspec.Raw(_encode(CLAUDE_VERSION)))
    if surface == _COUNT:
        asked, method = _COUNTER, "rawPredict"
    else:
        asked, method = model, "streamRawPredict" if stream else "rawPredict"
        fields.pop("model", None)
    url = vertex_url(deployment, publisher=MAKER_OF_CLAUDE, model=asked, method=method)
    return replace(request, url=url, body=_encode(fields))
