"""Orders of one group (the legs of a basket) as one trade: opened, filled, settled, and its profit.

The same shares may belong to several groups, so a group's money is counted beside the portfolio's.
"""

from typing import Final

from msgspec import Struct, field

from predsurv.core.events import Fill, MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, ZERO_SIZE, Money, Price, Size, notional, notional_up
from predsurv.core.orders import PlaceOrder

GROUPS_KEPT_MAX: Final = 10_000
"""Groups kept; beyond it the oldest is dropped."""


class OrderGroup(Struct):
    """One group of orders, opened at ``opened`` (ns UTC).

    ``instruments`` are those of the orders it began with, ``held`` its shares now by instrument.
    ``bought`` are all that it bought. ``cash`` is its proceeds less its cost and fees (micros); ``sets`` the largest
    number of complete sets it ever held; ``filled`` that it ever traded; ``settled`` that everything it held was paid
    out or sold again.
    """

    name: str
    strategy: StrategyName
    opened: int
    instruments: dict[InstrumentKey, None]
    held: dict[InstrumentKey, int]
    cash: Money = ZERO_MONEY
    sets: Size = ZERO_SIZE
    filled: bool = False
    settled: bool = False
    bought: dict[InstrumentKey, int] = field(default_factory=dict)


class OrderGroups:
    """Order groups by name, oldest first."""

    def __init__(self) -> None:
        self._groups: dict[str, OrderGroup] = {}
        self._by_market: dict[tuple[VenueName, MarketId], dict[str, None]] = {}
        self._payouts: dict[tuple[VenueName, MarketId], dict[InstrumentId, Price]] = {}

    def place(self, command: PlaceOrder, ts: int) -> None:
        """Add an order to its group, if it has one, opening the group at ``ts`` when it is new."""
        if command.group is None:
            return
        group = self._groups.get(command.group)
        if group is None:
            group = OrderGroup(command.group, command.strategy, ts, {}, {})
            self._groups[command.group] = group
            if len(self._groups) > GROUPS_KEPT_MAX:
                del self._groups[next(iter(self._groups))]
        if command.side == "buy" and not group.filled:
            group.instruments[command.key] = None
        self._by_market.setdefault((command.key.venue, command.key.market_id), {})[command.group] = None

    def fill(self, name: str, fill: Fill) -> None:
        """Book a fill of one of the group's orders."""
        group = self._groups.get(name)
        if group is None:
            return
        bought = fill.side == "buy"
        amount = -notional_up(fill.price, fill.size) if bought else notional(fill.price, fill.size)
        group.cash = Money(group.cash + amount - fill.fee)
        group.filled = True
        group.settled = False
        if bought:
            group.bought[fill.key] = group.bought.get(fill.key, 0) + fill.size
        _change_held(group, fill.key, fill.size if bought else -fill.size)
        sets = min((group.held.get(key, 0) for key in group.instruments), default=0)
        group.sets = Size(max(group.sets, sets))
        self._pay_late(group, fill.key)

    def fail(self, name: str, fill: Fill) -> None:
        """Take back a fill of one of the group's orders that never came about.

        Of its sets remain as many as what it really bought can have made.
        """
        group = self._groups.get(name)
        if group is None:
            return
        bought = fill.side == "buy"
        amount = -notional_up(fill.price, fill.size) if bought else notional(fill.price, fill.size)
        group.cash = Money(group.cash - amount + fill.fee)
        if bought:
            group.bought[fill.key] -= fill.size
            most = min((group.bought.get(key, 0) for key in group.instruments), default=0)
            group.sets = Size(min(group.sets, most))
        _change_held(group, fill.key, -fill.size if bought else fill.size)
        self._pay_late(group, fill.key)

    def _pay_late(self, group: OrderGroup, key: InstrumentKey) -> None:
        market = (key.venue, key.market_id)
        if market in self._payouts:  # a fill announced, or taken back, after its market had resolved
            _pay(group, self._payouts[market], venue=key.venue, market_id=key.market_id)

    def settle(self, event: MarketResolved) -> None:
        """Pay out what groups hold in a resolved market; idempotent."""
        payouts = dict(event.payouts)
        market = (event.venue, event.market_id)
        if market in self._by_market:
            self._payouts[market] = payouts
        for name in self._by_market.get(market, {}):
            group = self._groups.get(name)
            if group is not None:
                _pay(group, payouts, venue=event.venue, market_id=event.market_id)

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again."""
        self._payouts.clear()

    def all(self) -> tuple[OrderGroup, ...]:
        """Return every group, oldest first."""
        return tuple(self._groups.values())


def _pay(group: OrderGroup, payouts: dict[InstrumentId, Price], *, venue: VenueName, market_id: MarketId) -> None:
    for key in [key for key in group.held if key.venue == venue and key.market_id == market_id]:
        price = payouts.get(key.instrument_id)
        if price is not None:
            size = group.held[key]
            paid = notional(price, Size(abs(size)))
            group.cash = Money(group.cash + (paid if size > 0 else -paid))
            _change_held(group, key, -size)


def _change_held(group: OrderGroup, key: InstrumentKey, change: int) -> None:
    size = group.held.get(key, 0) + change
    if size:
        group.held[key] = size
    else:
        group.held.pop(key, None)
    group.settled = group.filled and not group.held
