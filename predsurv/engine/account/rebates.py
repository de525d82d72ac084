"""What fills have earned in rebates and the venue has not paid yet, by the UTC day that it is for."""

from collections.abc import Iterator
from typing import NamedTuple

from predsurv.core.events import Fill, RebatePaid
from predsurv.core.ids import MarketId, StrategyName, VenueName
from predsurv.core.num import Money
from predsurv.engine.account.valuation import DAY


class _Earner(NamedTuple):
    """Whose fills in which market."""

    strategy: StrategyName
    venue: VenueName
    market_id: MarketId


class RebateAccruals:
    """Sums of ``Fill.rebate`` in micros by day, strategy and market."""

    def __init__(self) -> None:
        self._days: dict[int, dict[_Earner, int]] = {}

    @property
    def first_day(self) -> int | None:
        """The beginning (ns UTC) of the earliest day of which something is to be paid, None for none."""
        return min(self._days, default=None)

    def on_fill(self, strategy: StrategyName, fill: Fill) -> None:
        """Add what a fill earned, to the day it was told on."""
        self._add(fill.ts_recv // DAY * DAY, _earner(strategy, fill), fill.rebate)

    def on_failure(self, strategy: StrategyName, fill: Fill) -> None:
        """Take away what a fill had earned that never came about."""
        self._take(_earner(strategy, fill), fill.rebate, fill.ts_recv // DAY * DAY)

    def on_paid(self, event: RebatePaid) -> None:
        """Take away what was paid: of its day, and of days near it where fills were told on another."""
        self._take(_Earner(event.strategy, event.venue, event.market_id), event.amount, event.day)

    def due(self, until: int, ts: int) -> Iterator[RebatePaid]:
        """Yield what is to be paid of the days that ended by ``until``, told at ``ts`` (both ns UTC), and forget it."""
        for day in sorted(self._days):
            if day + DAY > until:
                return
            for earner, amount in self._days.pop(day).items():
                yield RebatePaid(earner.venue, earner.market_id, ts, earner.strategy, day, Money(amount))

    def of(self, venue: VenueName) -> "RebateAccruals":
        """Return a copy of what one venue is to pay."""
        found = RebateAccruals()
        for day, earners in self._days.items():
            for earner, amount in earners.items():
                if earner.venue == venue:
                    found._add(day, earner, amount)
        return found

    def _add(self, day: int, earner: _Earner, amount: int) -> None:
        if amount:
            of_day = self._days.setdefault(day, {})
            of_day[earner] = of_day.get(earner, 0) + amount

    def _take(self, earner: _Earner, amount: int, day: int) -> None:
        """Take ``amount`` away, first of ``day``, then of the days after and before it."""
        for each in sorted(self._days, key=lambda other: (other != day, other < day, other)):
            of_day = self._days[each]
            taken = min(amount, of_day.get(earner, 0))
            amount -= taken
            if taken == of_day.get(earner, 0):
                of_day.pop(earner, None)
            else:
                of_day[earner] -= taken
            if not of_day:
                del self._days[each]


def _earner(strategy: StrategyName, fill: Fill) -> _Earner:
    return _Earner(strategy, fill.key.venue, fill.key.market_id)
