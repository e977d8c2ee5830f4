"""Where Vertex AI has a model.

Sources: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations and
https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude.
"""

from urllib.parse import quote

from tollway.routing.catalog import Deployment

SPECIAL_HOSTS = (
    ("global", "aiplatform.googleapis.com"),
    ("us", "aiplatform.us.rep.googleapis.com"),
    ("eu", "aiplatform.eu.rep.googleapis.com"),
)
"""Locations that are no single region have hosts of their own; a provider's address holds them already."""
MAKER_OF_CLAUDE = "anthropic"
CLAUDE_VERSION = "vertex-2023-10-16"
"""Of Anthropic's format as Vertex AI wants it named in the body."""
_TUNED = "endpoints/"
"""A model that was tuned is asked at its endpoint; its name is then ``endpoints/123``."""


def vertex_url(deployment: Deployment, *, publisher: str, model: str, method: str) -> str:
    """The address of a method of a model.

    Args:
        deployment: with the options ``region`` and ``project``.
        publisher: maker of the model, for instance ``google``.
        model: its name, for instance ``gemini-2.5-pro``.
        method: for instance ``generateContent``.
    """
    region, project = deployment.options.get("region", ""), deployment.options.get("project", "")
    place = f"{deployment.base_url}/projects/{quote(project, safe=':')}/locations/{quote(region, safe='')}"
    if model.startswith(_TUNED):
        return f"{place}/{_TUNED}{quote(model.removeprefix(_TUNED), safe='')}:{method}"
    return f"{place}/publishers/{publisher}/models/{quote(model, safe='@')}:{method}"
