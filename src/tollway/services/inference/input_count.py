"""Count the input tokens of a request that is not sent: an estimate with the public tokenizer."""

from tollway.chat.items import items_of
from tollway.identity.principal import Principal
from tollway.providers.openai_compatible.prompt import prompt_texts
from tollway.providers.usage.estimate import estimate_all
from tollway.routing.call import Call
from tollway.services.inference.dialogue_wish import read_wish
from tollway.services.inference.dialogues import Dialogues
from tollway.services.inference.fair_thread import FairThread

_ITEM_TOKENS = 4
"""What a chat template adds to each item."""
_REQUEST_TOKENS = 3
"""And to the whole."""


class InputCount:
    """Counts, beside the event loop."""

    def __init__(self, dialogues: Dialogues, counting: FairThread) -> None:
        self._dialogues = dialogues
        self._counting = counting

    async def count(self, call: Call, principal: Principal) -> int:
        """Tokens of a request with what went before it.

        Raises:
            NotFoundError, ContentNotKeptError, InvalidRequestError, DatabaseUnavailableError: see `Dialogues.recalled`.
            RateLimitedError, OverloadedError: see `FairThread`.
        """
        added = items_of(call.fields.get("input"))
        call, _ = await self._dialogues.recalled(call, read_wish(call, principal), principal, added)
        items = len(items_of(call.fields.get("input")))
        tokens = await self._counting.run(principal.organization_id, lambda: estimate_all(prompt_texts(call)))
        return tokens + items * _ITEM_TOKENS + _REQUEST_TOKENS
