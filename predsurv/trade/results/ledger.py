"""The fold of a run's journal entries into tallies by strategy and instrument.

It uses the account's own arithmetic, so that its sums are the account's to the micro-dollar.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Final, NamedTuple

from msgspec import Struct, field

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillConfirmed,
    FillFailed,
    OrderRejected,
    RebatePaid,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName, VenueName
from predsurv.core.num import Money, notional, notional_up
from predsurv.core.orders import PlaceOrder, Position
from predsurv.core.reconciliation import Correction, PositionCorrected
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.failing import FailingFills
from predsurv.engine.account.portfolio import Portfolio, Settlement
from predsurv.trade.journal import (
    MOCK_MODE,
    AccountCorrected,
    AccountUpdated,
    CommandSent,
    Entry,
    MarketSettled,
    RebateBooked,
    RunStarted,
)
from predsurv.trade.results.fill_outcomes import FillOutcomes
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
    ``trips`` counts round trips, ``outcomes`` follows fills that may fail; those are in round trips when confirmed.
    """

    def __init__(self, opening: Opening, event_of: EventOf) -> None:
        self.lines: defaultdict[LineKey, Tally] = defaultdict(Tally)
        self.opening = tuple(OwnedPosition(*each) for each in opening.portfolio.positions.all())
        self._portfolio = opening.portfolio
        self._funds: int = sum(self.cash().values())
        self._strategies: dict[ClientOrderId, StrategyName] = dict(opening.orders)
        self.trips = RoundTrips(event_of)
        self.outcomes = FillOutcomes()
        self._failing = FailingFills(self._portfolio)
        for owned in self.opening:
            where = LineKey(owned.strategy, owned.position.key)
            self.lines[where]
            self.trips.move(*where, owned.position.size, 0)

    def apply(self, entry: Entry) -> None:
        """Fold one entry in."""
        if isinstance(entry, AccountUpdated):
            self._answer(entry.event)
        elif isinstance(entry, CommandSent):
            if isinstance(command := entry.decision.approved.command, PlaceOrder):
                self._order(command)
        elif isinstance(entry, MarketSettled):
            self.outcomes.on_settled(entry.event)
            self._pay(self._portfolio.settle(entry.event))
        elif isinstance(entry, RebateBooked):
            self._portfolio.credit(entry.event)
            _line_of(self.lines, entry.event).rebates += entry.event.amount
        elif isinstance(entry, AccountCorrected):
            self._correct(entry.event)
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

    def _correct(self, event: Correction) -> None:
        """Take what came or went by another way than trading for funds, so that it is no profit of anybody."""
        if isinstance(event, PositionCorrected):
            held = self._portfolio.positions.size_of(event.strategy, event.key)
            self.lines[LineKey(event.strategy, event.key)]
            self.trips.move(event.strategy, event.key, event.size - held, 0)
        self._funds += self._portfolio.credit(event)

    def _order(self, command: PlaceOrder) -> None:
        self._strategies[command.client_order_id] = command.strategy
        self._portfolio.followed.add((command.key.venue, command.key.market_id))  # as the account does
        if len(self._strategies) > ORDERS_KNOWN_MAX:
            del self._strategies[next(iter(self._strategies))]
        line = self.lines[LineKey(command.strategy, command.key)]
        line.orders += 1
        line.ordered += command.size

    def _answer(self, event: AccountEvent) -> None:
        if isinstance(event, FillConfirmed | FillFailed):
            self._end(event)
            return
        strategy = self._strategies.get(event.client_order_id)
        if strategy is None:
            return
        if isinstance(event, Fill):
            self._fill(strategy, event)
        elif isinstance(event, OrderRejected):
            self.lines[LineKey(strategy, event.key)].rejected += 1

    def _end(self, event: FillConfirmed | FillFailed) -> None:
        """Take note of what became of a fill that was only matched."""
        if isinstance(event, FillConfirmed):
            self._portfolio.unconfirmed.confirm(event.key, event.trade_id)
            self.outcomes.on_confirmed(event)
            self.trips.confirm(event.key, event.trade_id)
            return
        for failed in self._failing.on_failure(event):
            line = self.lines[LineKey(failed.strategy, failed.fill.key)]
            line.realised -= failed.realised
            line.paid -= failed.paid
            if self.trips.fail(failed):
                _count(line, failed.fill, -1)
                self.outcomes.on_failed(failed.fill)
            else:  # an earlier run counted it and paid its fee
                self._funds += failed.fill.fee

    def _fill(self, strategy: StrategyName, fill: Fill) -> None:
        where, line = LineKey(strategy, fill.key), self.lines[LineKey(strategy, fill.key)]
        realised, held = _standing(self._portfolio, where)
        settlements = self._portfolio.fill(strategy, fill)
        # A fill of a market that has already resolved is paid out at once, or takes back what was paid.
        late = [each for each in settlements if each.strategy == strategy]
        gained = _standing(self._portfolio, where)[0] - realised - sum(each.paid - each.cost for each in late)
        moved = _standing(self._portfolio, where)[1] - held + sum(each.size for each in late)
        _count(line, fill, 1)
        line.realised += gained
        self.outcomes.on_fill(fill)
        if fill.unconfirmed:
            self.trips.await_end(strategy, fill, moved, gained - fill.fee)
        else:
            self.trips.move(*where, moved, gained - fill.fee)
        self._pay(settlements)

    def _pay(self, settlements: Iterable[Settlement]) -> None:
        for each in settlements:
            line = self.lines[LineKey(each.strategy, each.key)]
            line.paid += each.paid
            line.realised += each.paid - each.cost
            self.trips.move(each.strategy, each.key, -each.size, each.paid - each.cost)


def _standing(portfolio: Portfolio, where: LineKey) -> tuple[int, int]:
    """Return the profit that a strategy realised, and its shares of an instrument."""
    pnl, position = portfolio.pnl.get(where.strategy), portfolio.positions.get(*where)
    return 0 if pnl is None else pnl.realised, 0 if position is None else position.size


def _line_of(lines: Mapping[LineKey, Tally], event: RebatePaid) -> Tally:
    """Return a line of the market that a rebate is of: what traded there earned it, whichever outcome it was."""
    for where, line in lines.items():
        if (where.strategy, where.key.venue, where.key.market_id) == (event.strategy, event.venue, event.market_id):
            return line
    raise BrokenInvariant(f"a rebate of {event.market_id}, where {event.strategy} has ordered nothing")


def _count(line: Tally, fill: Fill, times: int) -> None:
    """Add what a fill bought or sold and paid, or take it away."""
    line.fills += times
    line.maker_fills += times * fill.maker
    line.filled += times * fill.size
    line.fees_assumed += times * fill.fee_assumed
    line.fees += times * max(fill.fee, 0)
    line.rebates += times * max(-fill.fee, 0)
    if fill.side == "buy":
        line.acquired += times * fill.size
        line.bought += times * notional_up(fill.price, fill.size)
    else:
        line.sold += times * notional(fill.price, fill.size)


def fold(opening: Opening, entries: Iterable[Entry], event_of: EventOf) -> Ledger:
    """Return the ledger of a run's entries."""
    ledger = Ledger(opening, event_of)
    for entry in entries:
        ledger.apply(entry)
    return ledger
