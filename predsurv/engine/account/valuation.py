"""What everything is worth now, and how much of it was lost since the UTC day began.

Kept apart from the ledger, which knows what things cost: worth needs books, and books can be
missing.
"""

from typing import Final

from predsurv.core.ids import InstrumentKey
from predsurv.core.num import ZERO_MONEY, Money, Price, notional
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.visible import VisibleBooks

DAY: Final = 86_400 * 1_000_000_000


class Valuation:
    """Cash plus holdings at the best bid; money and prices in micros, times ns UTC."""

    def __init__(self, ledger: TradingAccount, sight: VisibleBooks) -> None:
        self._ledger, self._sight = ledger, sight
        self._marks: dict[InstrumentKey, Price] = {}
        self._day_ends = 0
        self._day_equity = ZERO_MONEY

    def equity(self) -> Money:
        """Return cash plus holdings at the best bid, or where it last was, or else at cost."""
        portfolio = self._ledger.portfolio
        total: int = sum(portfolio.cash(venue) for venue in portfolio.venues())
        for position in portfolio.lots.positions():
            mark = self.mark(position.key)
            total += position.cost if mark is None else notional(mark, position.size)
        return Money(total)

    def mark(self, key: InstrumentKey) -> Price | None:
        """Return the best bid of the trusted book, 0 when nobody bids, the last one known in a gap."""
        book = self._sight.book(key)
        if book is not None:
            best = book.best_bid()
            self._marks[key] = Price(0) if best is None else best[0]
        return self._marks.get(key)

    def begin_day(self, ts: int, equity: Money) -> None:
        """Let losses of the day that ``ts`` is in count from ``equity``."""
        self._day_ends = (ts // DAY + 1) * DAY
        self._day_equity = equity

    def turn_day(self, now: int) -> Money | None:
        """Begin a new day when ``now`` is in one; return the equity it begins with."""
        if now < self._day_ends:
            return None
        self.begin_day(now, self.equity())
        return self._day_equity

    def day_loss(self) -> Money:
        """Return what was lost since the day began, never negative."""
        return max(Money(self._day_equity - self.equity()), ZERO_MONEY)
