"""Counts of a run for its summary: events, and per strategy signals, orders, fills and baskets."""

from collections import Counter

from msgspec import Struct, field

from predsurv.core.events import Event, Tick
from predsurv.core.ids import StrategyName
from predsurv.core.num import Money
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.step import Step


class StrategyStats(Struct):
    """One strategy's counts of what is in no journal."""

    signals: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    intents: int = 0


class RunStats:
    """Counts of a run by strategy; ``first`` and ``last`` event in ns UTC, 0 before any."""

    def __init__(self) -> None:
        self.events = 0
        self.ticks = 0
        self.first = self.last = 0
        self.strategies: dict[StrategyName, StrategyStats] = {}

    def of(self, strategy: StrategyName) -> StrategyStats:
        """Return a strategy's counts, adding them when it has none yet."""
        return self.strategies.setdefault(strategy, StrategyStats())

    def count_event(self, event: Event) -> None:
        """Count an event or a tick."""
        if isinstance(event, Tick):
            self.ticks += 1
            return
        self.events += 1
        self.first = self.first or event.ts_recv
        self.last = max(self.last, event.ts_recv)

    def count_passed(self, count: int, last: int) -> None:
        """Count market events that nobody was told of, the last of them at ``last`` (ns UTC); not the very first."""
        self.events += count
        self.last = max(self.last, last)

    def count_step(self, step: Step) -> None:
        """Count the approved and refused intents of a step."""
        for decision in step.decisions:
            if decision.intent is not None:
                self._count_intent(decision.intent.strategy, decision.intent.signal)
        for refused in step.refusals:
            self._count_intent(refused.intent.strategy, refused.intent.signal)
            self.of(refused.intent.strategy).refusals[refused.reason] += 1

    def _count_intent(self, strategy: StrategyName, signal: str) -> None:
        self.of(strategy).intents += 1
        self.of(strategy).signals[signal] += 1


class BasketStats(Struct):
    """Baskets of one strategy: ``found`` are those it ordered, ``filled`` those of them that ever held a complete set.

    ``settled`` are the filled ones that hold nothing any more. ``pnl`` (micros, after fees) is of every
    basket that holds nothing any more, incomplete ones included.
    """

    found: int = 0
    filled: int = 0
    settled: int = 0
    pnl: Money = Money(0)


def basket_stats(account: TradingAccount, since: int = 0) -> dict[StrategyName, BasketStats]:
    """Return the counts by strategy of the baskets opened at or after ``since`` (ns UTC)."""
    by_strategy: dict[StrategyName, BasketStats] = {}
    for group in account.groups.all():
        if group.opened < since:
            continue
        stats = by_strategy.setdefault(group.strategy, BasketStats())
        stats.found += 1
        stats.filled += group.sets > 0
        if group.settled:
            stats.settled += group.sets > 0
            stats.pnl = Money(stats.pnl + group.cash)
    return by_strategy
