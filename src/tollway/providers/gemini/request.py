"""The body of a request to generateContent."""

from typing import Any

from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest
from tollway.providers.field_names import field_name
from tollway.providers.gemini.config import write_config
from tollway.providers.gemini.contents import ContentWriter
from tollway.providers.gemini.model import NEW_RULES_FROM, generation
from tollway.providers.gemini.tools import SEARCH_FIELD, write_tools
from tollway.providers.wire_names import GEMINI

OWN_FIELDS = {
    "safetySettings": "safetySettings",
    "safety_settings": "safetySettings",
    "cachedContent": "cachedContent",
    "cached_content": "cachedContent",
    "labels": "labels",
    "modelArmorConfig": "modelArmorConfig",
}
"""Fields that are Gemini's by their name, and mean that whatever dialect they come in → their name there."""
_NO_SUCH_FIELDS = ("min_p", "logit_bias", "verbosity", "prediction")


def build_body(chat: ChatRequest, *, model: str, base_url: str, on_vertex: bool, losses: Losses) -> dict[str, Any]:
    """Everything but the service tier, which is not told in the body everywhere."""
    body: dict[str, Any] = ContentWriter(model=model, base_url=base_url, losses=losses).write(chat)
    announces = not on_vertex and generation(model) >= NEW_RULES_FROM
    body |= write_tools(chat, losses, announces=announces)
    config = write_config(chat, model=model, losses=losses)
    if config:
        body["generationConfig"] = config
    for name in _NO_SUCH_FIELDS:
        if getattr(chat, name):
            losses.lose(field_name(chat.source, name))
    for name, value in chat.extras.items():
        if name in OWN_FIELDS or chat.source == GEMINI:
            body[OWN_FIELDS.get(name, name)] = value
        elif name != SEARCH_FIELD:
            losses.lose(name)
    return body
