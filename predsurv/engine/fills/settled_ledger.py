"""Shares and money at a venue that settles fills one after the other, each by what was there before it."""

from collections.abc import Iterator

from predsurv.core.events import Fill
from predsurv.core.ids import VenueName
from predsurv.core.num import Price
from predsurv.engine.account.holding import InstrumentHolding
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.unconfirmed import Owner


class SettledLedger:
    """Begins with what is settled of ``portfolio`` at ``venue``, which it leaves as it is.

    Payouts of shares that are not settled count when the next fill of their holding is settled: later than they may
    be, never earlier.
    """

    def __init__(self, portfolio: Portfolio, venue: VenueName) -> None:
        self._unconfirmed = portfolio.unconfirmed
        self._cash = portfolio.cash(venue) - self._unconfirmed.cash_since(venue)
        self._holdings: dict[Owner, InstrumentHolding] = {}
        self._done: dict[Owner, Iterator[Fill | Price]] = {}

    def settle(self, owner: Owner, fill: Fill) -> bool:
        """Book the next fill that is not confirmed, in the order in which they were told; False where it cannot be.

        Whoever leaves one out means that it failed.
        """
        holding = self._reached(owner, fill)
        if not holding.covers(fill):
            return False
        after = holding.copy()
        after.fill(fill)
        cash = self._cash + after.cash - holding.cash
        if cash < min(self._cash, 0):
            return False
        self._holdings[owner], self._cash = after, cash
        return True

    def _reached(self, owner: Owner, fill: Fill) -> InstrumentHolding:
        """Return a holding as it stands before ``fill``."""
        if owner not in self._holdings:
            self._holdings[owner], self._done[owner] = self._unconfirmed.since(owner)
        holding = self._holdings[owner]
        before = holding.cash
        for done in self._done[owner]:
            if not isinstance(done, Fill):
                holding.pay(done)
            elif done.trade_id == fill.trade_id:
                break
        self._cash += holding.cash - before
        return holding
