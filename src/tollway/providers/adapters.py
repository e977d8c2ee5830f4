"""Which adapter asks a provider what came in at a surface."""

from collections.abc import Callable
from functools import partial

from tollway.chat.dialect import ChatDialect, Dialect
from tollway.chat.losses import Losses
from tollway.errors import NotSupportedByProviderError
from tollway.providers.adapter import Adapter
from tollway.providers.anthropic.adapter import AnthropicAdapter, CountAdapter
from tollway.providers.openai_compatible.adapter import OpenAIAdapter
from tollway.providers.openai_compatible.media_adapter import METERS, MediaAdapter
from tollway.providers.openai_compatible.responses_adapter import ResponsesAdapter
from tollway.providers.registry import ProviderSpec
from tollway.providers.token_count import TokenCount
from tollway.providers.translation import Translation
from tollway.providers.wires import WIRES
from tollway.routing.call import Call, Surface

_OPENAI = OpenAIAdapter()
PASSING: dict[str, Adapter] = {
    "chat": _OPENAI,
    "completions": _OPENAI,
    "embeddings": _OPENAI,
    "moderations": _OPENAI,
    "messages": AnthropicAdapter(),
    "count_tokens": CountAdapter(),
}
"""Surface → the adapter that passes its bytes on, to a provider that has the surface itself."""
PASSING_EACH: dict[str, Callable[[Call, str], Adapter]] = {
    "responses": lambda call, _: ResponsesAdapter(call),
    **{name: partial(MediaAdapter, meter) for name, meter in METERS.items()},
}
"""The same for surfaces whose replies are read by what was asked: one adapter for each request and model."""
MADE_HERE: dict[str, Callable[[ChatDialect, Call], Adapter]] = {"count_tokens": TokenCount}
"""Surfaces that are answered here, where the provider does not have them."""


def adapter_for(
    surface: Surface, dialect: Dialect, spec: ProviderSpec, call: Call, *, model: str, provider: str, drop: bool
) -> Adapter:
    """How to ask.

    Args:
        surface: where the request came in.
        dialect: that it speaks.
        spec: of the provider.
        call: the request.
        model: the name of the model at the provider: some serve models in several formats.
        provider: its name, for errors.
        drop: whether fields that the provider cannot be asked for are dropped.

    Raises:
        NotSupportedByProviderError: the provider has no such surface, and no translation stands in for it.
        InvalidRequestError: the request cannot be understood, which a translation must.
        UnsupportedFieldError: see `tollway.chat.losses`.
    """
    if surface.name in spec.surfaces_of(model):
        passing = PASSING.get(surface.name)
        return passing if passing is not None else PASSING_EACH[surface.name](call, model)
    if surface.name in MADE_HERE:
        return MADE_HERE[surface.name](dialect, call)  # type: ignore[arg-type]  # as below
    wire = WIRES.get(spec.dialect_of(model))
    if wire is None or not surface.translates:
        raise NotSupportedByProviderError(
            f"The provider {provider!r} has nothing like `{surface.path}`.",
            next_step="Ask a model of another provider; `GET /v1/models` lists what there is.",
            param="model",
        )
    assert_chat: ChatDialect = dialect  # type: ignore[assignment]  # a surface that translates has such a dialect
    return Translation(assert_chat, wire, call, losses=Losses(drop=drop, target=f"provider {provider!r}"))
