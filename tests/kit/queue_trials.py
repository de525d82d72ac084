"""Resting orders on the made-up exchange: what really fills, and what each queue model makes of its public data.

Orders rest for a while at a level of the exchange, never two in one group of markets at a time. What the models see is
either the data of the same exchange less our order, which tells what the estimate of its place in the queue is worth;
or that of one of the same seed that knows nothing of it, as in a backtest. What others do because of the order is then
missing, and makes the two differ after a while, so that ratios of many orders are compared, not single ones.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import structs

from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Fill,
    MarketChange,
    MarketEvent,
    OrderRejected,
    Trade,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide, Side, StrategyName, TradeId
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Approved, CancelOrder, PlaceOrder
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.exchange.accounts import Holding
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.market_group import MarketGroup
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeTrade
from predsurv.exchange.world import SECOND
from predsurv.state.market_cache import MarketCache

MODELS: Final[tuple[QueueModel, ...]] = ("pessimistic", "proportional", "optimistic")
MARKETS: Final = 80
RATE: Final = 600
RESTS: Final = 8 * SECOND
ROUND: Final = 10 * SECOND
_WARM: Final = 5 * SECOND
_LEVELS: Final = 3
_TRADER: Final = StrategyName("trial")


class _Choice(NamedTuple):
    """One order to come: the book, the side, how many levels behind the best, the size."""

    group: int
    book: int
    side: Side
    depth: int
    size: Size


class _Place(NamedTuple):
    """A level of a book."""

    book: int
    side: Side
    price: Price


class QueueTrial:
    """One world of ``rounds`` rounds; ``filled`` by model and ``truth`` are micros of a share of ``sent`` in all.

    ``apart``: the models see an exchange that knows nothing of the orders, else the one in which they rest, less them.
    ``lag``: how long (ns) after its level change a trade is told; None: before it.
    """

    def __init__(self, seed: int, rounds: int, *, apart: bool = True, lag: int | None = None) -> None:
        self.sent = self.truth = self.orders = 0
        self.filled: dict[QueueModel, int] = dict.fromkeys(MODELS, 0)
        self._rng, self._rounds, self._lag = random.Random(seed), rounds, lag
        self._late: list[Trade] = []
        self._real = Exchange(seed, MARKETS, RATE)
        self._public = Exchange(seed, MARKETS, RATE) if apart else self._real
        self._own: dict[_Place, int] = {}  # what rests of our orders
        self._places: dict[ClientOrderId, _Place] = {}
        self._account = self._real.open_account(1_000_000_000 * MICROS)
        self._events = self._account.publisher.subscribe()
        self._cache = MarketCache({self._public.markets()[0].venue})
        for market in self._public.markets():
            self._cache.add(market)
        self._simulators = self._fresh_simulators()
        ends = _WARM + rounds * ROUND
        self._groups = [
            group for group in self._public.groups if group.interval and group.spec.kind != "multi"
            and group.spec.closes_at > ends
        ]  # fmt: skip
        self._keys = {
            book.index: self._key(group, index) for group in self._groups for index, book in enumerate(group.books)
        }

    def play(self) -> None:
        """Run every round."""
        self._advance(ORIGIN + _WARM)
        for index in self._keys:
            self._show(self._snapshot(index))
        for number in range(self._rounds):
            now = ORIGIN + _WARM + number * ROUND
            if self._public is self._real:
                self._simulators = self._fresh_simulators()  # what our fills displaced is still in the data
            names = [self._send(f"{number}.{choice.book}", choice, now) for choice in self._choices()]
            self._advance(now + RESTS)
            for name, key in filter(None, names):
                self._cancel(name, key, now + RESTS)
            self._advance(now + ROUND)

    def _fresh_simulators(self) -> dict[QueueModel, FillSimulator]:
        return {model: FillSimulator(self._cache, 0, lambda _: None, model) for model in MODELS}

    def _choices(self) -> Iterator[_Choice]:
        for number, group in enumerate(self._groups):
            book = self._rng.choice(group.books).index
            side: Side = "bid" if self._rng.random() < 0.5 else "ask"
            size = Size(self._rng.choice((5, 10, 20, 40)) * MICROS)
            yield _Choice(number, book, side, self._rng.randrange(_LEVELS), size)

    def _send(self, name: str, choice: _Choice, now: int) -> tuple[ClientOrderId, InstrumentKey] | None:
        """Send an order to both worlds, each at its own price; none where either has no such level."""
        key = self._keys[choice.book]
        prices = []
        for exchange in (self._public, self._real):
            levels = exchange.book(key).bids if choice.side == "bid" else exchange.book(key).asks
            if len(levels) <= choice.depth:
                return None
            prices.append(levels[choice.depth][0])
        side: OrderSide = "buy" if choice.side == "bid" else "sell"
        if side == "sell":
            self._hold(key, choice.size)
        client_id = ClientOrderId(name)
        for price, simulated in zip(prices, (True, False), strict=True):
            command = PlaceOrder(client_id, _TRADER, key, side, price, choice.size, "gtc", post_only=True)
            if not simulated:
                place = self._places[client_id] = _Place(choice.book, choice.side, price)
                self._own[place] = choice.size
                self._real.submit(self._account, command)
                continue
            for simulator in self._simulators.values():
                simulator.submit(Approved(now, command))
                _none_rejected(simulator.due(now))
        self.sent, self.orders = self.sent + choice.size, self.orders + 1
        return client_id, key

    def _hold(self, key: InstrumentKey, size: int) -> None:
        """Give the account shares to sell: where they come from does not matter here."""
        self._account.holdings.setdefault(key, Holding()).size += size

    def _cancel(self, name: ClientOrderId, key: InstrumentKey, now: int) -> None:
        self._real.submit(self._account, CancelOrder(name, key))
        self._own.pop(self._places.pop(name))
        for simulator in self._simulators.values():
            simulator.submit(Approved(now, CancelOrder(name, key)))
            list(simulator.due(now))

    def _advance(self, until: int) -> None:
        while events := self._real.advance(until, 1):
            for fill in self._taken():
                if isinstance(fill, Fill):
                    self.truth += fill.size
                    self._own[self._places[fill.client_order_id]] -= fill.size
            if self._public is self._real:
                self._tell_all(map(self._less_ours, events))
        if self._public is not self._real:
            self._tell_all(self._public.advance(until))
        self._tell_late(until)

    def _less_ours(self, event: TapeEvent) -> TapeEvent:
        if not isinstance(event, LevelChange):
            return event
        ours = self._own.get(_Place(event.book, event.side, event.price), 0)
        return structs.replace(event, size=Size(max(event.size - ours, 0)))

    def _tell_all(self, events: Iterable[TapeEvent]) -> None:
        for event in self._told(events):
            self._tell(event)

    def _taken(self) -> list[AccountEvent]:
        events = list(self._events.events)
        self._events.events.clear()
        _none_rejected(events)
        return events

    def _tell(self, event: MarketEvent) -> None:
        if self._lag is None:
            self._show(event)
        elif isinstance(event, Trade):
            self._late.append(structs.replace(event, ts_recv=event.ts_recv + self._lag))
        else:
            self._tell_late(event.ts_recv - 1)
            self._show(event)

    def _tell_late(self, until: int) -> None:
        """Tell the trades that come by ``until`` (ns UTC)."""
        while self._late and self._late[0].ts_recv <= until:
            self._show(self._late.pop(0))

    def _show(self, event: MarketEvent) -> None:
        self._cache.apply(event)
        for model, simulator in self._simulators.items():
            self.filled[model] += sum(each.size for each in simulator.observe(event) if isinstance(each, Fill))

    def _told(self, events: Iterable[TapeEvent]) -> Iterator[MarketEvent]:
        for event in events:
            if isinstance(event, LevelChange) and event.book in self._keys:
                key = self._keys[event.book]
                yield BookDelta(key, event.ts, event.ts, 1, event.book_seq, event.side, event.price, event.size)
            elif isinstance(event, TapeTrade) and event.book in self._keys:
                key, trade_id = self._keys[event.book], TradeId(f"t{event.seq}")
                yield Trade(key, event.ts, event.ts, event.price, event.size, event.taker_side, trade_id)
            elif isinstance(event, TapeLifecycle) and event.kind == "tick_size":
                market, tick = event.market, event.market.tick_size
                yield MarketChange(
                    market.venue, market.market_id, None, event.ts, event.ts, "tick_size", event.value, tick_size=tick
                )

    def _snapshot(self, book: int) -> BookSnapshot:
        state = self._public.book(self._keys[book])
        return BookSnapshot(state.key, state.ts, state.ts, 1, state.seq, state.bids, state.asks)

    def _key(self, group: MarketGroup, index: int) -> InstrumentKey:
        """Return the first instrument that trades in a group's book."""
        wanted = group.books[index].index
        for market in self._public.markets():
            location = self._public.directory.locate(market.key(0))
            if location is not None and location.book == wanted:
                return market.key(0)
        raise LookupError(f"no market trades in book {wanted}")


def _none_rejected(events: Iterable[AccountEvent]) -> None:
    rejected = [event for event in events if isinstance(event, OrderRejected)]
    assert not rejected, rejected
