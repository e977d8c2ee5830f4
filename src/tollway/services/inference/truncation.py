"""Leave out the oldest items of a dialogue that is longer than a model's context, as ``truncation: auto`` asks for.

A call stays with its result, instructions stay, and the last item always does. Tokens are counted with the public
tokenizer, which is an estimate for most models, so that a part of the context is left free.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Raw

from tollway.chat.items import is_instruction, unit_end
from tollway.providers.openai_compatible.prompt import value_texts
from tollway.providers.usage.estimate import estimate_all

_FREE_PART = 16
"""One sixteenth of the context stays free: an estimate may be wrong by some percent."""
_DEFAULT_OUTPUT_TOKENS = 4_096
"""Room for an answer whose length the request does not bound."""
_ITEM_TOKENS = 8
"""What a chat template adds to each item."""


async def fit(
    items: Sequence[Raw],
    count: Callable[[Callable[[], list[Raw] | None]], Awaitable[list[Raw] | None]],
    *,
    body_bytes: int,
    context_tokens: int,
    output_tokens: int | None,
) -> list[Raw] | None:
    """The items that fit; ``None`` if all of them do.

    Args:
        items: the whole input.
        count: has tokens counted where that holds nothing up.
        body_bytes: of the request with them.
        context_tokens: of the model.
        output_tokens: the bound of the answer, ``None`` if it has none.

    Raises:
        RateLimitedError, OverloadedError: see `FairThread`.
    """
    reserved = min(output_tokens or _DEFAULT_OUTPUT_TOKENS, context_tokens // 2)
    room = context_tokens - reserved - context_tokens // _FREE_PART
    if body_bytes <= room:  # a token is at least one byte
        return None
    beside = (body_bytes - sum(len(item) for item in items)) // 3  # instructions and tools, roughly
    return await count(lambda: _fit(items, room - beside))


def _fit(items: Sequence[Raw], room: int) -> list[Raw] | None:
    counts = [estimate_all(value_texts(item)) + _ITEM_TOKENS for item in items]
    total = sum(counts)
    if total <= room:
        return None
    kept_instructions: list[Raw] = []
    position = 0
    while total > room and position < len(items) - 1:
        end = unit_end(items, position)
        if end >= len(items):
            break
        for number in range(position, end):
            if is_instruction(items[number]):
                kept_instructions.append(items[number])
            else:
                total -= counts[number]
        position = end
    return [*kept_instructions, *items[position:]]
