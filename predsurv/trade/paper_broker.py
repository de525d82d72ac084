"""The paper broker: the fill simulator with the account that a venue would keep for us."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    BrokerEvent,
    Fill,
    FillFailed,
    LevelConsumed,
    MarketEvent,
    MarketResolved,
    RebatePaid,
)
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName, VenueName
from predsurv.core.market import NO_FEE
from predsurv.core.num import notional_up
from predsurv.core.orders import AccountSnapshot, Approved, Order, PlaceOrder
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.rebates import RebateAccruals
from predsurv.engine.account.unconfirmed import Owner
from predsurv.engine.books.consumed import ConsumptionBooked, HeededBook, SimulatedEvent
from predsurv.engine.fills.fill_factory import KNOWN_IDS_MAX
from predsurv.engine.fills.latencies import InTransit, Latencies, LatencyDraws
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.settlement import SettlementTerms, TradeSettlement
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.engine.fills.told_trades import ToldTrades
from predsurv.state.market_cache import MarketCache

EVENTS_KEPT_MAX: Final = 10_000
"""Account events kept for a consumer of ``events``; beyond it the oldest is dropped."""


class PaperSettings(Struct, frozen=True):
    """The venue that is simulated, how long messages take, the model of its queues, and how it settles fills."""

    venue: VenueName
    latencies: Latencies
    queue: QueueModel = "proportional"
    settlement: SettlementTerms = SettlementTerms()


class PaperBroker:
    """``ports.Broker`` in the time of the events: nothing happens between two of them.

    Its driver calls ``due`` before and ``observe`` after each market event, with the event applied to
    ``cache`` in between, and processes what they yield: what orders consume when it happens, for the journal, and again
    when word of it arrives. ``events`` yields what concerns the account to other consumers.
    ``portfolio`` is changed by its fills, by what becomes of them, and by nothing else; ``consumed`` is what an earlier
    run has taken of levels, ``accrued`` what it had earned in rebates.
    """

    def __init__(
        self,
        settings: PaperSettings,
        cache: MarketCache,
        portfolio: Portfolio,
        consumed: Iterable[LevelConsumed] = (),
        accrued: RebateAccruals | None = None,
    ) -> None:
        self._venue, self._cache, self._portfolio = settings.venue, cache, portfolio
        self._latencies = LatencyDraws(settings.latencies)
        self._simulator = FillSimulator(cache, settings.latencies.send, self._check_funds, settings.queue)
        for each in consumed:
            if each.key.venue == settings.venue:
                self._simulator.consumed.set(each)
        self._settlement = TradeSettlement(
            settings.venue,
            settings.settlement,
            cache=cache,
            portfolio=portfolio,
            accrued=RebateAccruals() if accrued is None else accrued,
        )
        self._told_last = 0
        self._answers: InTransit[BrokerEvent] = InTransit()
        self._booked: deque[ConsumptionBooked] = deque()  # at most one for each level, until the next is received
        self._strategies: dict[ClientOrderId, StrategyName] = {}
        self._events: deque[AccountEvent] = deque(maxlen=EVENTS_KEPT_MAX)
        self._more = asyncio.Event()
        self._closed = False
        self._now = 0

    async def submit(self, command: Approved) -> None:
        """Send a command; it arrives ``latency`` after it was approved."""
        if isinstance(command.command, PlaceOrder):
            self._strategies[command.command.client_order_id] = command.command.strategy
            if len(self._strategies) > KNOWN_IDS_MAX:
                del self._strategies[next(iter(self._strategies))]
        self._simulator.submit(command, self._latencies.draw(self._latencies.constant.send))

    @property
    def under_way(self) -> int:
        """The number of answers that have not arrived yet."""
        return len(self._answers)

    def due(self, ts: int) -> Iterator[SimulatedEvent]:
        """Yield the answers that arrive up to ``ts`` (ns UTC), while the venue goes on to that time."""
        while (at := self.next_at) <= ts:
            self._now = max(self._now, at)
            if self._answers.next_at > at:
                self._settle(at)
                for event in self._simulator.due(at):
                    self._answer(event)
                self._tell_consumed(at)
            yield from self._received(at)
        self._now = max(self._now, ts)

    def observe(self, event: MarketEvent) -> Iterator[SimulatedEvent]:
        """Yield what a market event, already in the cache, does to our orders, and settle resolved markets."""
        self._latencies.observe(event)
        for outcome in self._simulator.observe(event):
            self._answer(outcome)
        self._tell_consumed(event.ts_recv)
        if isinstance(event, MarketResolved):
            self._portfolio.settle(event)
        yield from self._received(event.ts_recv)

    @property
    def next_at(self) -> int:
        """Return the time (ns UTC) of the next thing that ``due`` has to do."""
        return min(self._simulator.next_at, self._answers.next_at, self._settlement.next_at)

    @property
    def may_skip(self) -> bool:
        """Return whether it need not observe everything: not where latencies are those of the recorded events."""
        return not self._latencies.constant.recorded

    def heeded(self, key: InstrumentKey) -> Iterator[HeededBook]:
        """Yield which market events of a book have to be observed, the same until it is ``touched``."""
        return self._simulator.heeded(key)

    @property
    def touched(self) -> tuple[dict[InstrumentKey, None], ...]:
        """The books of which something else may be ``heeded`` than before, for who follows them to clear."""
        return self._simulator.touched

    @property
    def heeded_version(self) -> int:
        """A number that grows whenever observing an event may have made more to be ``heeded`` than before."""
        return self._answers.sent + self._simulator.displaced_version

    @property
    def told_trades(self) -> ToldTrades:
        """What it remembers of public trades, those included that are not observed."""
        return self._simulator.primary_trades.told

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield account events until closed; of those not consumed in time the last ``EVENTS_KEPT_MAX``."""
        while self._events or not self._closed:
            while self._events:
                yield self._events.popleft()
            self._more.clear()
            if not self._closed:
                await self._more.wait()

    async def snapshot(self) -> AccountSnapshot:
        """Return the paper account."""
        return AccountSnapshot(
            self._now,
            self._portfolio.cash(self._venue),
            tuple(each for each in self._portfolio.positions.totals() if each.key.venue == self._venue),
            self._simulator.open_orders(),
        )

    async def aclose(self) -> None:
        """End ``events``; safe to call twice."""
        self._closed = True
        self._more.set()

    def _answer(self, event: AccountEvent) -> None:
        """Book what has happened at the venue, and send us word of it."""
        if isinstance(event, Fill):
            event = self._settlement.match(self._strategies[event.client_order_id], event)
        constant = self._latencies.constant
        latency = self._latencies.draw(constant.fill if isinstance(event, Fill) else constant.ack)
        self._tell_consumed(event.ts_recv)  # of the same instant, the book is told first
        arrival = event.ts_recv + latency
        if isinstance(event, Fill) and event.unconfirmed:
            arrival = max(arrival, self._told_last)  # it may sell what was bought or came back just before
        self._told_last = max(self._told_last, arrival)
        self._answers.send(event, arrival)

    def _settle(self, ts: int) -> None:
        """Send word of what is settled by ``ts`` (ns UTC), which arrives after everything that led to it.

        Where a fill failed the venue takes out what rests and is not covered any more.
        """
        for outcome in self._settlement.due(ts):
            if isinstance(outcome, FillFailed):
                for order, reason in uncovered(self._simulator.open_orders(), self._portfolio):
                    for event in self._simulator.revoke(order.client_order_id, ts, reason):
                        self._answer(event)
            latency = self._latencies.draw(self._latencies.constant.ack)
            self._told_last = max(self._told_last, ts + latency)
            self._answers.send(outcome, self._told_last)

    def close_books(self) -> Iterator[BrokerEvent]:
        """Yield what is still to come of fills, and rebates of the day so far: where no time follows to wait for it."""
        yield from self._settlement.close(self._now)

    def _tell_consumed(self, ts: int) -> None:
        for each in self._simulator.consumed.take_changes(ts):
            self._booked.append(ConsumptionBooked(each))
            self._answers.send(each, ts + self._latencies.draw(self._latencies.constant.echo))

    def _received(self, ts: int) -> Iterator[SimulatedEvent]:
        """Yield what was booked, before word of any fill that did it, and what has arrived by ``ts`` (ns UTC)."""
        while self._booked:
            yield self._booked.popleft()
        while self._answers.next_at <= ts:
            arrival, event = self._answers.receive()
            event = replace(event, ts_recv=arrival)
            if not isinstance(event, LevelConsumed | RebatePaid):
                self._events.append(event)
                self._more.set()
            yield event

    def _check_funds(self, command: PlaceOrder) -> str | None:
        open_orders = [each for each in self._simulator.open_orders() if each.side == command.side]
        if command.side == "sell":
            position = self._portfolio.positions.get(command.strategy, command.key)
            selling = sum(each.remaining for each in open_orders if _same_shares(each, command))
            enough = position is not None and position.size - selling >= command.size
            return None if enough else "insufficient_position"
        reserved = sum(notional_up(each.price, each.remaining) for each in open_orders)
        market = self._cache.market(command.key.venue, command.key.market_id)
        fee = taker_fee(NO_FEE if market is None else market.fee, command.price, command.size)
        cost = notional_up(command.price, command.size) + fee
        return None if cost <= self._portfolio.cash(self._venue) - reserved else "insufficient_cash"


class UncoveredOrder(NamedTuple):
    """An order that an account could not carry out, and why."""

    order: Order
    reason: str


def uncovered(orders: Sequence[Order], portfolio: Portfolio) -> Iterator[UncoveredOrder]:
    """Yield the orders of one venue, the last first, that shares and cash do not cover beside those before them."""
    sold, spent = Counter[Owner](), 0
    found: list[UncoveredOrder] = []
    for order in orders:
        if order.side == "sell":
            owner = Owner(order.strategy, order.key)
            sold[owner] += order.remaining
            if sold[owner] > portfolio.positions.size_of(*owner):
                sold[owner] -= order.remaining
                found.append(UncoveredOrder(order, "insufficient_position"))
        else:
            spent += notional_up(order.price, order.remaining)
            if spent > portfolio.cash(order.key.venue):
                spent -= notional_up(order.price, order.remaining)
                found.append(UncoveredOrder(order, "insufficient_cash"))
    yield from reversed(found)


def _same_shares(one: Order, other: PlaceOrder) -> bool:
    return one.key == other.key and one.strategy == other.strategy
