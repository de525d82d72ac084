"""What a run did, counted: the summary's numbers and the facts for metrics.

Kept apart from execution because counting must not be able to change a decision.
"""

from collections import Counter

from msgspec import Struct, field

from predsurv.core.events import AccountEvent, Event, Fill, OrderRejected, Tick
from predsurv.core.ids import StrategyName
from predsurv.core.num import Money, notional
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Step


class StrategyStats(Struct):
    """One strategy's counts; ``traded`` and ``fees`` in micros of a dollar."""

    signals: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    intents: int = 0
    orders: int = 0
    fills: int = 0
    rejected: int = 0
    traded: int = 0
    fees: int = 0


class RunStats:
    """Counts of a run by strategy; ``first`` and ``last`` event in ns UTC, ``equity_start`` in micros."""

    def __init__(self) -> None:
        self.events = 0
        self.ticks = 0
        self.first = self.last = 0
        self.equity_start = Money(0)
        self.strategies: dict[StrategyName, StrategyStats] = {}

    def of(self, strategy: StrategyName) -> StrategyStats:
        """Return a strategy's counts, starting them when they are new."""
        return self.strategies.setdefault(strategy, StrategyStats())

    def seen(self, event: Event) -> None:
        """Count an event in."""
        if isinstance(event, Tick):
            self.ticks += 1
            return
        self.events += 1
        self.first = self.first or event.ts_recv
        self.last = max(self.last, event.ts_recv)

    def decided(self, step: Step) -> None:
        """Count what a step let through and what it refused."""
        for decision in step.decisions:
            command, wish = decision.approved.command, decision.wish
            if wish is not None:
                self._wished(wish.strategy, wish.signal)
            if isinstance(command, PlaceOrder):
                self.of(command.strategy).orders += 1
        for refused in step.refusals:
            self._wished(refused.intent.strategy, refused.intent.signal)
            self.of(refused.intent.strategy).refusals[refused.reason] += 1

    def answered(self, event: AccountEvent, ledger: TradingAccount) -> None:
        """Count what a broker said about one of our orders."""
        order = ledger.blotter.order(event.client_order_id)
        if order is None:
            return
        tally = self.of(order.strategy)
        if isinstance(event, Fill):
            tally.fills += 1
            tally.traded += notional(event.price, event.size)
            tally.fees += event.fee
        elif isinstance(event, OrderRejected):
            tally.rejected += 1

    def _wished(self, strategy: StrategyName, signal: str) -> None:
        self.of(strategy).intents += 1
        self.of(strategy).signals[signal] += 1


class GroupCounts(Struct):
    """Baskets of one strategy: tried; with at least one complete set; of those, all paid out.

    ``pnl`` (micros, after fees) is of every basket that holds nothing any more, failed ones included.
    """

    found: int = 0
    filled: int = 0
    settled: int = 0
    pnl: Money = Money(0)


def count_baskets(ledger: TradingAccount, since: int = 0) -> dict[StrategyName, GroupCounts]:
    """Return the basket counts by strategy of those opened at or after ``since`` (ns UTC)."""
    counts: dict[StrategyName, GroupCounts] = {}
    for basket in ledger.baskets.all():
        if basket.opened < since:
            continue
        count = counts.setdefault(basket.strategy, GroupCounts())
        count.found += 1
        count.filled += basket.sets > 0
        if basket.settled:
            count.settled += basket.sets > 0
            count.pnl = Money(count.pnl + basket.cash)
    return counts
