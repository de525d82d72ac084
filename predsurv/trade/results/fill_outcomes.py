"""What became of fills that were matched before they were settled, and what the failure of more of them would cost."""

from collections.abc import Iterator, Mapping
from heapq import nlargest
from typing import Final

from msgspec import Struct

from predsurv.core.events import Fill, FillConfirmed, MarketResolved
from predsurv.core.ids import InstrumentKey, TradeId
from predsurv.core.market import settles_later
from predsurv.core.num import MICROS, Money, Price, notional, notional_up
from predsurv.trade.results.valuing import Mark

FILLS_KEPT_MAX: Final = 1_000_000
"""Fills kept for what their failure would cost; beyond it that is not known."""


class SettlementResult(Struct, frozen=True):
    """Fills of venues that settle them later: how many are final, failed, and open; money in micros.

    ``failed_notional`` and ``open_notional`` are price times size of those fills, rounded down for each.

    ``worst`` is the profit if as many more fills had failed as did, those that hurt most, and ``worst_all`` the profit
    if every fill had that brought anything: a bound from below, whichever fills fail. A fill brought what its shares
    were paid, or are worth at the best bid in the end (their price where no book is known), above their cost and fee,
    and the rebate that it earned; what was sold counts with the other sign. A sale of shares whose purchase failed
    counts as if they had been bought at their worth in the end. None where there were too many fills to know.
    """

    final: int
    failed: int
    failed_notional: Money
    open: int
    open_notional: Money
    worst: Money | None
    worst_all: Money | None


class _CountedFill(Struct, frozen=True):
    """A fill that can have failed: its signed shares, the money it moved with its rebate, and its price; micros."""

    key: InstrumentKey
    shares: int
    cash: int
    price: Price
    notional: int


class FillOutcomes:
    """Follows the fills of one run."""

    def __init__(self) -> None:
        self._kept: dict[tuple[InstrumentKey, TradeId], _CountedFill] = {}
        self._open: set[tuple[InstrumentKey, TradeId]] = set()
        self._payouts: dict[InstrumentKey, Price] = {}
        self._fills = self._failed = self._failed_notional = 0

    def on_fill(self, fill: Fill) -> None:
        """Take note of a fill."""
        if not settles_later(fill.key.venue):
            return
        self._fills += 1
        if fill.unconfirmed:
            self._open.add((fill.key, fill.trade_id))
        self._kept[fill.key, fill.trade_id] = _kept(fill)
        if len(self._kept) > FILLS_KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def on_confirmed(self, event: FillConfirmed) -> None:
        """Take note that a fill is final."""
        self._open.discard((event.key, event.trade_id))

    def on_failed(self, fill: Fill) -> None:
        """Take note that a fill never came about."""
        trade = (fill.key, fill.trade_id)
        self._open.discard(trade)
        self._kept.pop(trade, None)
        self._failed += 1
        self._failed_notional += notional(fill.price, fill.size)

    def on_settled(self, event: MarketResolved) -> None:
        """Take note of what the shares of a market are worth for good."""
        for instrument_id, price in event.payouts:
            self._payouts[InstrumentKey(event.venue, event.market_id, instrument_id)] = price

    def result(self, profit: Money, marks: Mapping[InstrumentKey, Mark]) -> SettlementResult | None:
        """Return what became of the fills of a run with ``profit``; None where it had none that could fail."""
        if not self._fills:
            return None
        kept = self._fills - self._failed == len(self._kept)
        brought = sorted(self._brought(marks)) if kept else []
        return SettlementResult(
            final=self._fills - self._failed - len(self._open),
            failed=self._failed,
            failed_notional=Money(self._failed_notional),
            open=len(self._open),
            open_notional=Money(sum(self._kept[each].notional for each in self._open if each in self._kept)),
            worst=Money(profit - sum(nlargest(self._failed, brought))) if kept else None,
            worst_all=Money(profit - sum(brought)) if kept else None,
        )

    def _brought(self, marks: Mapping[InstrumentKey, Mark]) -> Iterator[int]:
        """Yield what each fill brought that brought anything."""
        for each in self._kept.values():
            worth = self._payouts.get(each.key)
            if worth is None:
                mark = marks.get(each.key)
                worth = each.price if mark is None else (mark.bid or Price(0))
            brought = each.cash + each.shares * worth // MICROS
            if brought > 0:
                yield brought


def _kept(fill: Fill) -> _CountedFill:
    bought = fill.side == "buy"
    money = -notional_up(fill.price, fill.size) if bought else notional(fill.price, fill.size)
    return _CountedFill(
        fill.key,
        fill.size if bought else -fill.size,
        money - fill.fee + fill.rebate,
        fill.price,
        notional(fill.price, fill.size),
    )
