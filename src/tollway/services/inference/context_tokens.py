"""How much a model can take in."""

from tollway.errors import TollwayError
from tollway.identity.principal import Principal
from tollway.routing.resolve import resolve
from tollway.services.inference.planner import sheet_of
from tollway.services.live_catalog import LiveCatalog


class ContextTokens:
    """Knows it from routes and prices."""

    def __init__(self, live: LiveCatalog) -> None:
        self._live = live

    def of(self, model: str, principal: Principal) -> int:
        """Tokens of the largest context behind a name; 0 if none is known, or nothing is behind it."""
        try:
            _, candidates = resolve(model, principal, self._live.catalog)
            prices = self._live.price_book
        except TollwayError:
            return 0
        found = 0
        for candidate in candidates:
            sheet = sheet_of(candidate, principal.organization_id, prices)
            found = max(found, candidate.target.context_tokens or (sheet.context_tokens if sheet is not None else 0))
        return found
