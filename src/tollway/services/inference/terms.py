"""The quotas that apply to one request, sorted by what they do to it."""

from collections.abc import Callable

import msgspec

from tollway.ledger.quota import Facts, Quota, Unit, WindowRef
from tollway.ledger.quota_book import QuotaBook
from tollway.ledger.settlement import Charges, charges
from tollway.ledger.window import named_window
from tollway.services.leases.shelf import Parts

_REMEMBERED_MAX = 20_000
"""Of each kind: about 10 MB."""


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What applies to a request.

    Attributes:
        book: where they stand.
        binding: the quotas that refuse, each with the request's subject.
        bounded: whether a hard budget relies on the bounds of the request.
        soft: the budgets that only count, each with its present window: nothing is leased of them.
        counting: what they are charged.
    """

    book: QuotaBook
    binding: Parts
    bounded: bool = False
    soft: tuple[tuple[Quota, WindowRef], ...] = ()
    counting: tuple[Charges, ...] = ()

    @property
    def counted(self) -> "Terms":
        """Those for one that asks no model: limits of requests in a time, and of tokens, of which it takes none.

        Limits of requests at a time are of the work of models; who has reached one may still look what comes of it.
        """
        apart = (Unit.USD, Unit.PARALLEL)
        return Terms(self.book, Parts([part for part in self.binding.parts if part[0].unit not in apart]))


Route = tuple[str, str, str, str]
"""What decides which quotas apply to requests that say nothing of their callers: the key, provider and model that are
asked, and the model's name as it was written."""


class TermsFinder:
    """Finds them, mostly in memory. Not for use from several threads at once."""

    def __init__(self) -> None:
        self._book: QuotaBook | None = None
        self._of_route: dict[Route, Terms] = {}
        self._fixed: dict[int, tuple[tuple[Quota, ...], Terms]] = {}
        self._windows: dict[tuple[str, int, str], tuple[int, WindowRef]] = {}

    def find_of_route(
        self, book: QuotaBook, route: Route, facts: Callable[[], Facts], now_us: Callable[[], int]
    ) -> Terms | None:
        """As `find`, of a request without end user and tags: its facts are only asked for if its route is not known."""
        if self._book is not book:
            self._book, self._of_route = book, {}
        terms = self._of_route.get(route)
        if terms is None:
            terms = self.find(book, facts(), now_us)
            if terms is not None and not terms.soft:
                if len(self._of_route) >= _REMEMBERED_MAX:
                    self._of_route.clear()
                self._of_route[route] = terms
        return terms

    def find(self, book: QuotaBook, facts: Facts, now_us: Callable[[], int]) -> Terms | None:
        """The terms of a request, ``None`` if nothing applies.

        Args:
            book: all quotas.
            facts: what the request is.
            now_us: the clock that windows follow, epoch microseconds.
        """
        quotas = book.applying(facts)
        if not quotas:
            return None
        fixed = self._fixed.get(id(quotas))
        if fixed is not None and fixed[0] is quotas and fixed[1].book is book:
            return fixed[1]
        terms = self._sorted(book, quotas, facts, now_us())
        if not terms.soft and not any(quota.each for quota in quotas):
            # The book gives the same tuple to all requests of a route; held here, no other one takes its identity.
            if len(self._fixed) >= _REMEMBERED_MAX:
                self._fixed.clear()
            self._fixed[id(quotas)] = (quotas, terms)
        return terms

    def _sorted(self, book: QuotaBook, quotas: tuple[Quota, ...], facts: Facts, now_us: int) -> Terms:
        binding = tuple([(quota, quota.subject(facts)) for quota in quotas if quota.binds])
        counting = [quota for quota in quotas if not quota.binds and quota.unit is Unit.USD]
        windows = tuple([(quota, self._window(quota, quota.subject(facts), now_us)) for quota in counting])
        bounded = any(quota.unit is Unit.USD for quota, _ in binding)
        return Terms(book, Parts(binding), bounded, windows, charges(windows, leased=False))

    def _window(self, quota: Quota, subject: str, now_us: int) -> WindowRef:
        key = (quota.id, quota.generation, subject)
        found = self._windows.get(key)
        if found is not None and found[1].start_us <= now_us < found[0]:
            return found[1]
        window, end_us = named_window(quota, subject, now_us)
        if len(self._windows) >= _REMEMBERED_MAX:
            self._windows.clear()
        self._windows[key] = (end_us, window)
        return window
