"""What a run has spent, and whether it may spend more."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from verilabel.errors import UsageError
from verilabel.records.attempt import Usage
from verilabel.records.plan import Budget

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)

    def cost(self, usage: Usage) -> Decimal:
        """US dollars for one answer."""
        return (self.input * usage.input_tokens + self.output * usage.output_tokens) / MILLION


class Spending:
    """Requests, tokens and money so far, against a budget.

    A question is reserved before it is asked, so that a limit on requests is never passed; limits on tokens and money
    are known only after an answer, and may be passed by what is in flight.
    """

    def __init__(self, budget: Budget, prices: Prices | None) -> None:
        if budget.usd is not None and prices is None:
            raise UsageError(
                "a budget in money needs prices", hint="--price INPUT,OUTPUT in US dollars per million tokens"
            )
        self.budget = budget
        self.prices = prices or Prices()
        self.requests = self.input_tokens = self.output_tokens = 0
        self.usd = Decimal(0)
        self._most_usd = None if budget.usd is None else Decimal(budget.usd)

    def reserve(self) -> bool:
        """Count one more question, or return False where the budget is spent."""
        if self.spent:
            return False
        self.requests += 1
        return True

    @property
    def spent(self) -> bool:
        """True if a limit of the budget is reached."""
        budget = self.budget
        return (
            (budget.requests is not None and self.requests >= budget.requests)
            or (budget.tokens is not None and self.input_tokens + self.output_tokens >= budget.tokens)
            or (self._most_usd is not None and self.usd >= self._most_usd)
        )

    def note(self, usage: Usage | None) -> None:
        """Count what an answer used."""
        if usage is None:
            return
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.usd += self.prices.cost(usage)
