"""What we hold, what it cost, and what it has earned, to the last micro-dollar.

Kept apart because it answers to one law: cash + cost of what is held + fees − realised = what we
began with, whatever happens.
"""

from collections.abc import Mapping

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, Money, Price, Size, notional, notional_up
from predsurv.engine.account.positions import Positions


class Earnings(Struct):
    """What a strategy made: ``realised`` before fees, ``fees`` paid; micros of a dollar."""

    realised: Money = ZERO_MONEY
    fees: Money = ZERO_MONEY


class Settlement(Struct, frozen=True, array_like=True):
    """One strategy's shares of one outcome turned into money: ``paid`` for what cost ``cost``."""

    strategy: StrategyName
    key: InstrumentKey
    size: Size
    cost: Money
    paid: Money


class Portfolio:
    """Cash by venue, shares by instrument and strategy; sizes, costs and cash in micros.

    Costs are average costs without fees; buying rounds a fraction of a micro-dollar up, selling
    and payouts round it down. Holdings are never negative: to be short, hold the other outcome.
    """

    def __init__(self, cash: Mapping[VenueName, Money]) -> None:
        self.lots = Positions()
        self.earnings: dict[StrategyName, Earnings] = {}
        self._cash: dict[VenueName, int] = dict(cash)
        self._payouts: dict[tuple[VenueName, MarketId], Mapping[InstrumentId, Price]] = {}
        self._traded: dict[tuple[VenueName, MarketId], None] = {}

    def endow(self, venue: VenueName, cash: Money) -> None:
        """Put the first cash into a venue; one that has had some keeps what it has."""
        self._cash.setdefault(venue, cash)

    def check(self, strategy: StrategyName, fill: Fill) -> None:
        """Raise BrokenInvariant for a sale of more than the strategy holds."""
        if fill.side == "buy":
            return
        held = self.lots.held(strategy, fill.key)
        if held is None or held.size < fill.size:
            raise BrokenInvariant(
                f"fill {fill.trade_id} sells {fill.size} of {fill.key}, more than {strategy} holds; "
                "reconcile the account with the venue"
            )

    def fill(self, strategy: StrategyName, fill: Fill) -> tuple[Settlement, ...]:
        """Book a trade of ours; returns a settlement when its market had already resolved.

        Raises BrokenInvariant, changing nothing, for a sale of more than the strategy holds.
        """
        self.check(strategy, fill)
        key, earned = fill.key, self._earned(strategy)
        if fill.side == "buy":
            cost = notional_up(fill.price, fill.size)
            self.lots.add(strategy, key, fill.size, cost)
            self._move(key.venue, -cost - fill.fee)
        else:
            proceeds = notional(fill.price, fill.size)
            earned.realised = Money(earned.realised + proceeds - self.lots.take(strategy, key, fill.size))
            self._move(key.venue, proceeds - fill.fee)
        earned.fees = Money(earned.fees + fill.fee)
        self._traded[key.venue, key.market_id] = None
        payouts = self._payouts.get((key.venue, key.market_id))
        return () if payouts is None else self._pay(key, payouts)

    def settle(self, event: MarketResolved) -> tuple[Settlement, ...]:
        """Pay out a resolved market's shares (win, loss, void or scalar); idempotent.

        An outcome that the event does not name stays held: nothing is known of what it pays.
        """
        market = (event.venue, event.market_id)
        payouts = dict(event.payouts)
        if market in self._traded:
            self._payouts[market] = payouts  # a fill may still be announced late
        return tuple(done for key in self.lots.keys_of(*market) for done in self._pay(key, payouts))

    def traded(self, venue: VenueName, market_id: MarketId) -> bool:
        """Return whether anything of this market was ever bought or sold."""
        return (venue, market_id) in self._traded

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again: only a made-up venue lists them twice."""
        self._payouts.clear()

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at ``venue``, claimed by orders in flight or not."""
        return Money(self._cash.get(venue, 0))

    def venues(self) -> tuple[VenueName, ...]:
        """Return the venues that have cash, in the order given."""
        return tuple(self._cash)

    def _pay(self, key: InstrumentKey, payouts: Mapping[InstrumentId, Price]) -> tuple[Settlement, ...]:
        price = payouts.get(key.instrument_id)
        if price is None:
            return ()
        settled = []
        for strategy, position in self.lots.holders(key):
            paid = notional(price, position.size)
            earned = self._earned(strategy)
            earned.realised = Money(earned.realised + paid - self.lots.take(strategy, key, position.size))
            self._move(key.venue, paid)
            settled.append(Settlement(strategy, key, Size(position.size), position.cost, paid))
        return tuple(settled)

    def _move(self, venue: VenueName, amount: int) -> None:
        self._cash[venue] = self._cash.get(venue, 0) + amount

    def _earned(self, strategy: StrategyName) -> Earnings:
        return self.earnings.setdefault(strategy, Earnings())
