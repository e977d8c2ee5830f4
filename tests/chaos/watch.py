"""Hold what the provider billed against the budgets, all the time."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.books import Books, price_pico
from chaos.cast import Budget, Request
from chaos.provider import Billed

_INTERVAL_S = 0.1


@dataclass
class Spending:
    """What the provider billed within one hard budget.

    Attributes:
        amount: pico-dollars: what was set last.
        ceiling: pico-dollars that may not be passed: the highest amount that may be in force anywhere.
        highest: the highest amount there ever was.
        spent: pico-dollars by subject.
        lowered_s: since when the ceiling is in force (monotonic clock): what was sent before may still be billed.
    """

    budget: Budget
    amount: int
    ceiling: int
    highest: int
    spent: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))
    lowered_s: float = 0.0

    def add(self, request: Request, billed: Billed) -> str | None:
        """Count one call; what is wrong, if it is one too many."""
        if not self.budget.scope.counts(request):
            return None
        subject = self.budget.scope.subject(request)
        self.spent[subject] += price_pico(billed)
        if request.began_s < self.lowered_s and self.spent[subject] <= self.highest:
            self.ceiling = max(self.ceiling, self.spent[subject])
        if self.spent[subject] <= self.ceiling:
            return None
        return (
            f"budget {self.budget.name!r} {list(subject)} is overspent: the provider billed {self.spent[subject]} of "
            f"{self.ceiling} pico-dollars, the last {price_pico(billed)} for {request.mark}"
        )

    def allow(self, amount: int) -> None:
        """This amount may come into force now, here earlier and there later."""
        self.ceiling = max(self.ceiling, amount)
        self.highest = max(self.highest, amount)

    def lower(self, amount: int) -> None:
        """A lower amount is in force everywhere by now: what is spent stays, nothing sent now may add to it."""
        self.ceiling = max(amount, *self.spent.values(), 0)
        self.lowered_s = time.monotonic()


class Watch:
    """The continuous check.

    Attributes:
        spendings: of each hard budget that is charged the upper bound where nobody counts, by name.
        broken: what went wrong, each with its moment.
    """

    def __init__(self, books: Books, sent: Mapping[str, Request], budgets: tuple[Budget, ...]) -> None:
        self._books = books
        self._sent = sent
        watched = (budget for budget in budgets if budget.hard and budget.strict and budget.outlasts_a_run)
        self.spendings = {
            budget.name: Spending(budget, budget.amount, budget.amount, budget.amount) for budget in watched
        }
        self.broken: list[str] = []

    async def run(self) -> None:
        """Look several times a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_INTERVAL_S)

    def look(self) -> None:
        """Count what the provider billed since the last look."""
        for billed in self._books.read_on():
            for spending in self.spendings.values():
                if broken := spending.add(self._sent[billed.mark], billed):
                    self.broken.append(broken)
