"""The account at market prices, and the loss since the UTC day began."""

from typing import Final

from predsurv.core.ids import InstrumentKey
from predsurv.core.num import ZERO_MONEY, Money, Price, notional
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks

DAY: Final = 86_400 * 1_000_000_000


class Valuation:
    """Cash plus positions at the best bid; money and prices in micros, times ns UTC.

    ``day_ends``: when the UTC day in hand is over, 0 before the first.
    """

    def __init__(self, account: TradingAccount, books: AvailableBooks) -> None:
        self._account, self._books = account, books
        self.day_ends = 0
        self._day_equity = ZERO_MONEY

    def equity(self) -> Money:
        """Return cash plus positions at their mark, or at cost where there is none."""
        total: int = self._cash()
        for position in self._account.portfolio.positions.totals():
            mark = self.mark(position.key)
            total += position.cost if mark is None else notional(mark, position.size)
        return Money(total)

    def mark(self, key: InstrumentKey) -> Price | None:
        """Return the best bid of the last known book, 0 without bids; of a crossed one its ask.

        None before any book, and of an empty one, as a market has that closed and is not settled. It depends on nothing
        but the events so far: asking for it changes no later answer.
        """
        book = self._books.last_known(key)
        if book is None:
            return None
        bid, ask = book.best_bid(), book.best_ask()
        if bid is None:
            return Price(0)
        return bid[0] if ask is None else min(bid[0], ask[0])

    def begin_day(self, ts: int, equity: Money) -> None:
        """Measure the loss of the UTC day that ``ts`` is in from ``equity``."""
        self.day_ends = (ts // DAY + 1) * DAY
        self._day_equity = equity

    def roll_day(self, now: int) -> Money | None:
        """Begin a new day when ``now`` is in one, and return its starting equity; else None."""
        if now < self.day_ends:
            return None
        self.begin_day(now, self.equity())
        return self._day_equity

    def deposit(self, amount: Money) -> None:
        """Take note of money that came (negative: went) by another way than trading: it is no gain of the day."""
        self._day_equity = Money(self._day_equity + amount)

    def day_loss_max(self) -> Money:
        """Return what the day's loss would be if everything held were worth nothing: a bound that costs little."""
        return max(Money(self._day_equity - self._cash()), ZERO_MONEY)

    def worth_at_loss(self, loss: Money) -> int:
        """Return what everything held is worth at most, micros, when the day's loss is ``loss`` or more."""
        return self._day_equity - self._cash() - loss

    def _cash(self) -> int:
        return self._account.portfolio.cash()

    def day_loss(self) -> Money:
        """Return what was lost since the day began, never negative."""
        return max(Money(self._day_equity - self.equity()), ZERO_MONEY)
