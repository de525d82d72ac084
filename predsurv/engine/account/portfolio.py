"""Cash, positions and realised profit, exact to a micro-dollar.

Invariant: cash + cost of what is held + fees − realised profit − rebates = starting cash + what was corrected.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, MarketResolved, RebatePaid
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, StrategyName, TradeId, VenueName
from predsurv.core.num import ZERO_MONEY, Money, Price, Size
from predsurv.core.reconciliation import Correction, PositionCorrected
from predsurv.engine.account.holding import InstrumentHolding
from predsurv.engine.account.positions import Positions
from predsurv.engine.account.unconfirmed import Owner, UnconfirmedFills


class StrategyPnl(Struct):
    """A strategy's ``realised`` profit before fees, the ``fees`` it paid, and the ``rebates`` it was paid; micros."""

    realised: Money = ZERO_MONEY
    fees: Money = ZERO_MONEY
    rebates: Money = ZERO_MONEY


class Settlement(Struct, frozen=True, array_like=True):
    """The payout of one strategy's shares of one outcome: ``paid`` for what had cost ``cost``."""

    strategy: StrategyName
    key: InstrumentKey
    size: Size
    cost: Money
    paid: Money


class FailedFill(Struct, frozen=True):
    """A fill that never came about, and what its ``strategy`` has less (negative: more) of each for it; micros.

    ``paid`` is what settlements had paid, ``realised`` the profit before fees that everything had that was told since.
    """

    strategy: StrategyName
    fill: Fill
    size: int
    realised: int
    paid: int


class _Paid(Struct, frozen=True):
    """Shares of one strategy that were paid out at ``price``."""

    size: int
    cost: int
    price: Price | None


_UNPAID = _Paid(0, 0, None)


class Portfolio:
    """Cash by venue, shares by instrument and strategy; sizes, costs and cash in micros.

    How fills and payouts move them is told in ``InstrumentHolding``. Positions are never negative: to be short, hold
    the other outcome. ``followed``: the markets whose payouts are remembered, for fills told after them: those traded
    or ordered in. ``payouts``: of those that resolved. ``unconfirmed``: the fills that may still fail.
    """

    def __init__(self, cash: Mapping[VenueName, Money]) -> None:
        self.positions = Positions()
        self.pnl = defaultdict[StrategyName, StrategyPnl](StrategyPnl)
        self.unconfirmed = UnconfirmedFills()
        self._cash: dict[VenueName, int] = dict(cash)
        self._total = sum(self._cash.values())  # as it is asked for at every tick
        self.payouts: dict[tuple[VenueName, MarketId], Mapping[InstrumentId, Price]] = {}
        self._paid: dict[Owner, _Paid] = {}
        self.followed: set[tuple[VenueName, MarketId]] = set()

    def fund(self, venue: VenueName, cash: Money) -> None:
        """Give a venue its starting cash; one that had cash before keeps what it has."""
        if venue not in self._cash:
            self._cash[venue] = cash
            self._total += cash

    def check(self, strategy: StrategyName, fill: Fill) -> None:
        """Raise BrokenInvariant for a sale of more than the strategy holds, or was paid for in a resolved market."""
        _holding(self.positions, self._paid, Owner(strategy, fill.key)).check(fill)

    def fill(self, strategy: StrategyName, fill: Fill) -> tuple[Settlement, ...]:
        """Book a fill; return its settlements when its market had already resolved.

        A sale that is told after its market had resolved takes back what its shares were paid. Raises BrokenInvariant,
        changing nothing, for a sale of more than the strategy holds, or was paid for.
        """
        owner = Owner(strategy, fill.key)
        before = _holding(self.positions, self._paid, owner)
        after = before.copy()
        after.fill(fill)
        self._change(owner, before, after)
        self.unconfirmed.on_fill(owner, before, fill)
        market = (fill.key.venue, fill.key.market_id)
        self.followed.add(market)
        payouts = self.payouts.get(market)
        return () if payouts is None else tuple(self._pay(fill.key, payouts))

    def fail(self, key: InstrumentKey, trade_id: TradeId) -> FailedFill:
        """Take a fill back that never came about: everything is as if it had never been told.

        Raises BrokenInvariant, changing nothing, for a fill that cannot fail any more or was never told, and where
        shares were sold that only this fill brought.
        """
        found = self.unconfirmed.find(key, trade_id)
        if found is None:
            raise BrokenInvariant(f"trade {trade_id} failed, and it was no fill that could; reconcile the account")
        told, left = self.unconfirmed.without(key, trade_id)
        self._change(found.owner, told, left)
        self.unconfirmed.forget(key, trade_id)
        paid = told.paid - left.paid
        return FailedFill(found.owner.strategy, found.fill, told.size - left.size, told.realised - left.realised, paid)

    def settle(self, event: MarketResolved) -> tuple[Settlement, ...]:
        """Pay out a resolved market's shares (win, loss, void or scalar); idempotent.

        Shares of an outcome without a payout in the event stay held.
        """
        market = (event.venue, event.market_id)
        payouts = dict(event.payouts)
        if market in self.followed:
            self.payouts[market] = payouts  # for fills that are announced late
        keys = (InstrumentKey(*market, each) for each in payouts)
        return tuple(done for key in keys for done in self._pay(key, payouts))

    def credit(self, event: RebatePaid | Correction) -> Money:
        """Book what came (or went) by another way than a trade; return what there is more (less), at cost; micros.

        A corrected position has no fills that may still fail: while it has, what is right is not known.
        """
        if isinstance(event, PositionCorrected):
            held = self.positions.get(event.strategy, event.key)
            self.positions.put(event.strategy, event.key, event.size, event.cost)
            self.followed.add((event.key.venue, event.key.market_id))
            return Money((event.cost if event.size else 0) - (0 if held is None else held.cost))
        before = self._cash.get(event.venue, 0)
        if isinstance(event, RebatePaid):
            pnl = self.pnl[event.strategy]
            pnl.rebates = Money(pnl.rebates + event.amount)
            cash = before + event.amount
        else:
            cash = event.cash
        self._cash[event.venue] = cash
        self._total += cash - before
        return Money(cash - before)

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again: only the mock venue lists the same markets twice."""
        self.payouts.clear()
        self._paid.clear()

    def cash(self, venue: VenueName | None = None) -> Money:
        """Return the cash at ``venue``, or at all together, including what is reserved for live orders."""
        return Money(self._total if venue is None else self._cash.get(venue, 0))

    def venues(self) -> tuple[VenueName, ...]:
        """Return the venues that have cash, in the order they were funded."""
        return tuple(self._cash)

    def _pay(self, key: InstrumentKey, payouts: Mapping[InstrumentId, Price]) -> Iterator[Settlement]:
        price = payouts.get(key.instrument_id)
        if price is None:
            return
        self.unconfirmed.on_payout(key, price)
        for strategy, position in self.positions.by_strategy(key):
            owner = Owner(strategy, key)
            before = _holding(self.positions, self._paid, owner)
            after = before.copy()
            after.pay(price)
            self._change(owner, before, after)
            yield Settlement(strategy, key, position.size, position.cost, Money(after.cash - before.cash))

    def _change(self, owner: Owner, before: InstrumentHolding, after: InstrumentHolding) -> None:
        """Let a holding be as ``after``, and book what moved since ``before``."""
        self.positions.put(*owner, Size(after.size), Money(after.cost))
        if after.paid_price is not None:
            self._paid[owner] = _Paid(after.paid_size, after.paid_cost, after.paid_price)
        pnl = self.pnl[owner.strategy]
        pnl.realised = Money(pnl.realised + after.realised - before.realised)
        pnl.fees = Money(pnl.fees + after.fees - before.fees)
        venue = owner.key.venue
        self._cash[venue] = self._cash.get(venue, 0) + after.cash - before.cash
        self._total += after.cash - before.cash


def _holding(positions: Positions, paid_out: Mapping[Owner, _Paid], owner: Owner) -> InstrumentHolding:
    position, paid = positions.get(*owner), paid_out.get(owner, _UNPAID)
    size, cost = (0, 0) if position is None else (position.size, position.cost)
    return InstrumentHolding(size, cost, paid_size=paid.size, paid_cost=paid.cost, paid_price=paid.price)
