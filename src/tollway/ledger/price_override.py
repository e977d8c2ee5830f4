"""A price that an organization, or the whole installation, sets over the base book."""

import msgspec

ANY = "*"
"""In `PriceOverride.provider` or `PriceOverride.model`: all of them."""


class PriceOverride(msgspec.Struct, frozen=True, kw_only=True):
    """The price of a model, or of all models, of a provider for a span of time. Pure data.

    Attributes:
        id: UUID of the row; charges refer to it as ``override:<id>``.
        organization_id: whose override it is; ``None``: it holds for all organizations.
        provider: the provider's name within the organization (for an installation-wide override the price book's
            name of the provider does as well), or ``*``.
        model: exact model name, or ``*``.
        rates: kind of usage → pico-dollars per million units. A kind that is not named keeps its base price.
        tiers: kind → ascending ``(above, price)`` pairs, as in `tollway.ledger.price.Rate`.
        valid_from: epoch seconds from which it holds, ``None``: always has.
        valid_to: epoch seconds at which it ends, ``None``: never.
        source: where the price was read, for instance a contract or a page.
        note: free text.
    """

    id: str
    organization_id: str | None
    provider: str
    model: str
    rates: dict[str, int]
    tiers: dict[str, tuple[tuple[int, int], ...]] = {}
    valid_from: float | None = None
    valid_to: float | None = None
    source: str = ""
    note: str = ""

    @property
    def specificity(self) -> tuple[bool, bool, bool]:
        """Sorts overrides from general to particular: the organization's own first, then by provider, then by model."""
        return (self.organization_id is not None, self.provider != ANY, self.model != ANY)

    def holds_at(self, at: float) -> bool:
        """Whether the span of time includes `at` (epoch seconds)."""
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)
