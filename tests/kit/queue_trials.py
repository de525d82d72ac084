"""Resting orders on the made-up exchange: what really fills, and what each queue model makes of its public data.

One exchange takes the orders, one of the same seed knows nothing of them; the models see the second. Orders rest for
a while at a level of their own exchange, never two in one group of markets at a time; what orders do to the exchange
makes the two differ after a while, so that ratios of many orders are compared, not single ones.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from predsurv.core.events import AccountEvent, BookDelta, BookSnapshot, Fill, MarketEvent, Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide, Side, StrategyName, TradeId
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Approved, CancelOrder, PlaceOrder
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.exchange.accounts import Holding
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.market_group import MarketGroup
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeTrade
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


class QueueTrial:
    """One world of ``rounds`` rounds; ``filled`` by model and ``truth`` are micros of a share of ``sent`` in all."""

    def __init__(self, seed: int, rounds: int) -> None:
        self.sent = self.truth = self.orders = 0
        self.filled: dict[QueueModel, int] = dict.fromkeys(MODELS, 0)
        self._rng, self._rounds = random.Random(seed), rounds
        self._public, self._real = Exchange(seed, MARKETS, RATE), Exchange(seed, MARKETS, RATE)
        self._account = self._real.open_account(1_000_000_000 * MICROS)
        self._events = self._account.publisher.subscribe()
        self._cache = MarketCache({self._public.markets()[0].venue})
        for market in self._public.markets():
            self._cache.add(market)
        self._simulators = {model: FillSimulator(self._cache, 0, lambda _: None, model) for model in MODELS}
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
            names = [self._send(f"{number}.{choice.book}", choice, now) for choice in self._choices()]
            self._advance(now + RESTS)
            for name, key in filter(None, names):
                self._cancel(name, key, now + RESTS)
            self._advance(now + ROUND)

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
                self._real.submit(self._account, command)
                continue
            for simulator in self._simulators.values():
                simulator.submit(Approved(now, command))
                list(simulator.due(now))
        self.sent, self.orders = self.sent + choice.size, self.orders + 1
        return client_id, key

    def _hold(self, key: InstrumentKey, size: int) -> None:
        """Give the account shares to sell: where they come from does not matter here."""
        self._account.holdings.setdefault(key, Holding()).size += size

    def _cancel(self, name: ClientOrderId, key: InstrumentKey, now: int) -> None:
        self._real.submit(self._account, CancelOrder(name, key))
        for simulator in self._simulators.values():
            simulator.submit(Approved(now, CancelOrder(name, key)))
            list(simulator.due(now))

    def _advance(self, until: int) -> None:
        self._real.advance(until)
        self.truth += sum(each.size for each in self._taken() if isinstance(each, Fill))
        for event in self._told(self._public.advance(until)):
            self._show(event)

    def _taken(self) -> list[AccountEvent]:
        events = list(self._events.events)
        self._events.events.clear()
        return events

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
