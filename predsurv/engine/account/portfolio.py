"""Cash, positions and realised profit, exact to a micro-dollar.

Invariant: cash + cost of what is held + fees − realised profit = starting cash.
"""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, Money, Price, Size, notional, notional_up
from predsurv.engine.account.positions import Positions


class StrategyPnl(Struct):
    """A strategy's ``realised`` profit before fees, and the ``fees`` it paid; micros of a dollar."""

    realised: Money = ZERO_MONEY
    fees: Money = ZERO_MONEY


class Settlement(Struct, frozen=True, array_like=True):
    """The payout of one strategy's shares of one outcome: ``paid`` for what had cost ``cost``."""

    strategy: StrategyName
    key: InstrumentKey
    size: Size
    cost: Money
    paid: Money


class _Paid(Struct):
    """Shares of one strategy that were paid out at ``price``."""

    size: int
    cost: int
    price: Price


class Portfolio:
    """Cash by venue, shares by instrument and strategy; sizes, costs and cash in micros.

    Costs are average costs without fees; buying rounds a fraction of a micro-dollar up, selling
    and payouts round it down. Positions are never negative: to be short, hold the other outcome.
    ``followed``: the markets whose payouts are remembered, for fills told after them: those traded or ordered in.
    """

    def __init__(self, cash: Mapping[VenueName, Money]) -> None:
        self.positions = Positions()
        self.pnl = defaultdict[StrategyName, StrategyPnl](StrategyPnl)
        self._cash: dict[VenueName, int] = dict(cash)
        self._payouts: dict[tuple[VenueName, MarketId], Mapping[InstrumentId, Price]] = {}
        self._paid: dict[tuple[StrategyName, InstrumentKey], _Paid] = {}
        self._traded: dict[tuple[VenueName, MarketId], None] = {}
        self.followed: set[tuple[VenueName, MarketId]] = set()

    def fund(self, venue: VenueName, cash: Money) -> None:
        """Give a venue its starting cash; one that had cash before keeps what it has."""
        self._cash.setdefault(venue, cash)

    def check(self, strategy: StrategyName, fill: Fill) -> None:
        """Raise BrokenInvariant for a sale of more than the strategy holds, or was paid for in a resolved market."""
        if fill.side == "buy":
            return
        paid = self._paid.get((strategy, fill.key))
        if self.positions.size_of(strategy, fill.key) + (0 if paid is None else paid.size) < fill.size:
            raise BrokenInvariant(
                f"fill {fill.trade_id} sells {fill.size} of {fill.key}, more than {strategy} holds; "
                "reconcile the account with the venue"
            )

    def fill(self, strategy: StrategyName, fill: Fill) -> tuple[Settlement, ...]:
        """Book a fill; return its settlements when its market had already resolved.

        A sale that is told after its market had resolved takes back what its shares were paid. Raises BrokenInvariant,
        changing nothing, for a sale of more than the strategy holds, or was paid for.
        """
        self.check(strategy, fill)
        key, pnl = fill.key, self.pnl[strategy]
        if fill.side == "buy":
            cost = notional_up(fill.price, fill.size)
            self.positions.add(strategy, key, fill.size, cost)
            self._credit(key.venue, -cost - fill.fee)
        else:
            proceeds = notional(fill.price, fill.size)
            self._take_back(strategy, key, fill.size - self.positions.size_of(strategy, key))
            pnl.realised = Money(pnl.realised + proceeds - self.positions.remove(strategy, key, fill.size))
            self._credit(key.venue, proceeds - fill.fee)
        pnl.fees = Money(pnl.fees + fill.fee)
        self._traded[key.venue, key.market_id] = None
        self.followed.add((key.venue, key.market_id))
        payouts = self._payouts.get((key.venue, key.market_id))
        return () if payouts is None else self._pay(key, payouts)

    def settle(self, event: MarketResolved) -> tuple[Settlement, ...]:
        """Pay out a resolved market's shares (win, loss, void or scalar); idempotent.

        Shares of an outcome without a payout in the event stay held.
        """
        market = (event.venue, event.market_id)
        payouts = dict(event.payouts)
        if market in self.followed:
            self._payouts[market] = payouts  # for fills that are announced late
        return tuple(done for key in self.positions.instruments(*market) for done in self._pay(key, payouts))

    def has_traded(self, venue: VenueName, market_id: MarketId) -> bool:
        """Return whether anything of this market was ever bought or sold."""
        return (venue, market_id) in self._traded

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again: only the mock venue lists the same markets twice."""
        self._payouts.clear()
        self._paid.clear()

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at ``venue``, including what is reserved for live orders."""
        return Money(self._cash.get(venue, 0))

    def venues(self) -> tuple[VenueName, ...]:
        """Return the venues that have cash, in the order they were funded."""
        return tuple(self._cash)

    def _take_back(self, strategy: StrategyName, key: InstrumentKey, size: int) -> None:
        """Hold ``size`` shares again that were paid out, as if they never had been; none when it is not above 0."""
        if size <= 0:
            return
        paid = self._paid[strategy, key]
        cost, amount = Money(paid.cost * size // paid.size), notional(paid.price, Size(size))
        paid.size, paid.cost = paid.size - size, paid.cost - cost
        self.positions.add(strategy, key, Size(size), cost)
        pnl = self.pnl[strategy]
        pnl.realised = Money(pnl.realised - amount + cost)
        self._credit(key.venue, -amount)

    def _pay(self, key: InstrumentKey, payouts: Mapping[InstrumentId, Price]) -> tuple[Settlement, ...]:
        price = payouts.get(key.instrument_id)
        if price is None:
            return ()
        settlements = []
        for strategy, position in self.positions.by_strategy(key):
            paid = notional(price, position.size)
            pnl = self.pnl[strategy]
            pnl.realised = Money(pnl.realised + paid - self.positions.remove(strategy, key, position.size))
            self._credit(key.venue, paid)
            known = self._paid.setdefault((strategy, key), _Paid(0, 0, price))
            known.size, known.cost = known.size + position.size, known.cost + position.cost
            settlements.append(Settlement(strategy, key, Size(position.size), position.cost, paid))
        return tuple(settlements)

    def _credit(self, venue: VenueName, amount: int) -> None:
        self._cash[venue] = self._cash.get(venue, 0) + amount
