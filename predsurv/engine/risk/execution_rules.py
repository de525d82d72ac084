"""What holds where orders are really executed: venues on hold, and outcomes that a venue takes for one position."""

from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import Market, nets_outcomes
from predsurv.engine.account.account import TradingAccount


class VenueRules(Struct, frozen=True):
    """The venues that are ``executing`` our orders really, and those where it is simulated that they are ``netting``.

    The latter take shares of one outcome for the sale of the other, as a venue does that really executes.
    """

    executing: AbstractSet[VenueName] = frozenset()
    netting: AbstractSet[VenueName] = frozenset()


ALL_SIMULATED: Final = VenueRules()


class ExecutionRules:
    """``held``: venues where nothing is placed for now, and why."""

    def __init__(self, account: TradingAccount) -> None:
        self.held: dict[VenueName, str] = {}
        self._account = account
        self._netting: frozenset[VenueName] = frozenset()

    def begin(self, rules: VenueRules) -> None:
        """Take note of what venues do; nothing is placed where they really execute before the first comparison."""
        self._netting = frozenset(filter(nets_outcomes, rules.executing | rules.netting))
        for venue in rules.executing:
            self.hold(venue, "its account was not compared with ours yet")

    def hold(self, venue: VenueName, reason: str) -> None:
        """Let nothing be placed at ``venue`` from now on; "" as the reason lifts that."""
        if reason:
            self.held[venue] = reason
        else:
            self.held.pop(venue, None)

    def is_netted(self, market: Market, key: InstrumentKey) -> bool:
        """Return whether a buy of ``key`` would be taken for a sale, because of what is or may be held beside it."""
        other = market.mirror_of(key) if market.venue in self._netting else None
        if other is None:
            return False
        buys = (order.side == "buy" for order in self._account.orders.working.of(other))
        return bool(self._account.portfolio.positions.by_strategy(other)) or any(buys)
