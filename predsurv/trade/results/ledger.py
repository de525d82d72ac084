"""The fold of a run's journal entries into tallies by strategy and instrument.

It uses the account's own arithmetic, so that its sums are the account's to the micro-dollar.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Final, NamedTuple

from msgspec import Struct, field

from predsurv.core.events import AccountEvent, Fill, MarketResolved, OrderRejected
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName, VenueName
from predsurv.core.num import Money, Size, notional, notional_up
from predsurv.core.orders import PlaceOrder, Position
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Portfolio
from predsurv.trade.journal import MOCK_MODE, AccountUpdated, CommandSent, Entry, MarketSettled, RunStarted
from predsurv.trade.results.tally import Tally
from predsurv.trade.results.trips import EventOf, RoundTrips

ORDERS_KNOWN_MAX: Final = 100_000
"""Orders whose strategy is remembered; beyond it the oldest is forgotten, as brokers and account do."""


class OwnedPosition(Struct, frozen=True, array_like=True):
    """A strategy's shares of one instrument."""

    strategy: StrategyName
    position: Position


class Opening(Struct, frozen=True):
    """What an account owned when a run began; ``orders`` are the live ones with their strategies.

    ``portfolio`` is a copy that one ledger goes on with.
    """

    portfolio: Portfolio = field(default_factory=lambda: Portfolio({}))
    orders: tuple[tuple[ClientOrderId, StrategyName], ...] = ()


def opening_of(account: TradingAccount) -> Opening:
    """Return what ``account`` owns now."""
    orders = tuple((order.client_order_id, order.strategy) for order in account.orders.live())
    return Opening(deepcopy(account.portfolio), orders)


class LineKey(NamedTuple):
    """One strategy in one instrument."""

    strategy: StrategyName
    key: InstrumentKey


class Ledger:
    """Folds a run's entries, in order, into ``lines``: tallies by strategy and instrument, without what is still held.

    ``event_of`` names the event of a market; ``opening``: what the account owned before.
    ``trips`` counts round trips.
    """

    def __init__(self, opening: Opening, event_of: EventOf) -> None:
        self.lines: dict[LineKey, Tally] = {}
        self.opening = tuple(OwnedPosition(*each) for each in opening.portfolio.positions.all())
        self._portfolio = opening.portfolio
        self._funds: int = sum(self.cash().values())
        self._strategies: dict[ClientOrderId, StrategyName] = dict(opening.orders)
        self.trips = RoundTrips(event_of)
        for owned in self.opening:
            where = LineKey(owned.strategy, owned.position.key)
            self._line(*where)
            self.trips.move(*where, owned.position.size, 0)

    def apply(self, entry: Entry) -> None:
        """Fold one entry in."""
        if isinstance(entry, AccountUpdated):
            self._answer(entry.event)
        elif isinstance(entry, CommandSent):
            if isinstance(command := entry.decision.approved.command, PlaceOrder):
                self._order(command)
        elif isinstance(entry, MarketSettled):
            self._settle(entry.event)
        elif isinstance(entry, RunStarted):
            self._start(entry)

    def positions(self) -> Iterator[OwnedPosition]:
        """Yield what is held."""
        return (OwnedPosition(strategy, position) for strategy, position in self._portfolio.positions.all())

    def cash(self) -> dict[VenueName, Money]:
        """Return the cash at each venue."""
        return {venue: self._portfolio.cash(venue) for venue in self._portfolio.venues()}

    def funds(self) -> Money:
        """Return the cash at the start, with the starting cash of venues that had none."""
        return Money(self._funds)

    def _start(self, entry: RunStarted) -> None:
        if entry.mode == MOCK_MODE:
            self._portfolio.forget_payouts()  # as the account does
        for venue, cash in entry.cash:
            if venue not in self._portfolio.venues():
                self._portfolio.fund(venue, cash)
                self._funds += cash

    def _order(self, command: PlaceOrder) -> None:
        self._strategies[command.client_order_id] = command.strategy
        if len(self._strategies) > ORDERS_KNOWN_MAX:
            del self._strategies[next(iter(self._strategies))]
        line = self._line(command.strategy, command.key)
        line.orders += 1
        line.ordered += command.size

    def _answer(self, event: AccountEvent) -> None:
        strategy = self._strategies.get(event.client_order_id)
        if strategy is None:
            return
        if isinstance(event, Fill):
            self._fill(strategy, event)
        elif isinstance(event, OrderRejected):
            self._line(strategy, event.key).rejected += 1

    def _fill(self, strategy: StrategyName, fill: Fill) -> None:
        where, line = LineKey(strategy, fill.key), self._line(strategy, fill.key)
        before = self._realised(strategy)
        settlements = self._portfolio.fill(strategy, fill)
        # A fill of a market that has already resolved is paid out at once: that part has its own cost.
        late = sum(each.paid - each.cost for each in settlements if each.strategy == strategy)
        gained = self._realised(strategy) - before - late
        line.fills += 1
        line.maker_fills += fill.maker
        line.filled += fill.size
        line.fees_assumed += fill.fee_assumed
        line.realised += gained
        line.fees += max(fill.fee, 0)
        line.rebates += max(-fill.fee, 0)
        if fill.side == "buy":
            line.acquired += fill.size
            line.bought += notional_up(fill.price, fill.size)
        else:
            line.sold += notional(fill.price, fill.size)
        self.trips.move(*where, fill.size if fill.side == "buy" else -fill.size, gained - fill.fee)
        for each in settlements:
            self._pay(LineKey(each.strategy, each.key), each.size, each.paid, each.cost)

    def _settle(self, event: MarketResolved) -> None:
        for each in self._portfolio.settle(event):
            self._pay(LineKey(each.strategy, each.key), each.size, each.paid, each.cost)

    def _pay(self, where: LineKey, size: Size, paid: Money, cost: Money) -> None:
        line = self._line(*where)
        line.paid += paid
        line.realised += paid - cost
        self.trips.move(*where, -size, paid - cost)

    def _realised(self, strategy: StrategyName) -> int:
        pnl = self._portfolio.pnl.get(strategy)
        return 0 if pnl is None else pnl.realised

    def _line(self, strategy: StrategyName, key: InstrumentKey) -> Tally:
        return self.lines.setdefault(LineKey(strategy, key), Tally())


def fold(opening: Opening, entries: Iterable[Entry], event_of: EventOf) -> Ledger:
    """Return the ledger of a run's entries."""
    ledger = Ledger(opening, event_of)
    for entry in entries:
        ledger.apply(entry)
    return ledger
