"""Random worlds in which our orders rest: what a fill model makes of the public data, and what really happens.

Others place, cancel and take at random; their commands do not depend on ours. The public data is that of an exchange
without our orders; trades are told before their level changes, or up to some commands after them, in one piece or for
each maker, on either outcome; now and then a snapshot replaces what was not told yet, or a gap tears the data.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from predsurv.core.events import BookDelta, BookSnapshot, Fill, Gap, MarketEvent, OrderRejected, Trade
from predsurv.core.ids import ClientOrderId, TradeId
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Approved, CancelOrder, Command, PlaceOrder, TimeInForce
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.state.market_cache import MarketCache
from tests.kit.price_time_exchange import BookSide, Execution, PriceTimeExchange
from tests.kit.trading_samples import ME, NO, START, YES, V, cents, market, shares

STEP: Final = 100_000_000
"""Time between two commands (ns)."""
_MARKET: Final = market(min_order_size=Size(1), fee=market().fee)


class WorldShape(NamedTuple):
    """What a world has, drawn by its seed. ``lag``: commands by which trades are told late; -1: before the change."""

    commands: int
    lag: int
    one_print: bool
    both_sides: bool
    takes: bool
    crossing: bool
    snapshots: bool
    gaps: bool
    venue_times: bool


class Difference(NamedTuple):
    """What one order of ours was filled by the model and in truth at the end, and its surplus at any time before."""

    name: str
    model: int
    truth: int
    surplus: int


class FillWorld:
    """One random world, played by ``play``; sizes in shares, prices in cents of the first outcome."""

    def __init__(self, seed: int, queue: QueueModel) -> None:
        self._rng = random.Random(seed)
        draw = self._rng.random
        self.shape = WorldShape(
            commands=self._rng.randrange(15, 60),
            lag=self._rng.choice((-1, 0, 0, 1, 2, 4)),
            one_print=draw() < 0.5,
            both_sides=draw() < 0.5,
            takes=draw() < 0.3,
            crossing=draw() < 0.5,
            snapshots=draw() < 0.4,
            gaps=draw() < 0.2,
            venue_times=True,
        )
        self.public, self.true = PriceTimeExchange(), PriceTimeExchange()
        self.log: list[str] = []
        self._now, self._count = START, 0
        self._cache = MarketCache({V})
        self._cache.add(_MARKET)
        self._simulator = FillSimulator(self._cache, 0, lambda _: None, queue)
        self._shown: dict[tuple[BookSide, int], int] = {}
        self._late: list[tuple[int, Trade]] = []
        self._own: list[str] = []
        self._sent: dict[str, tuple[BookSide, int]] = {}
        self._model: dict[str, int] = {}
        self._surplus: dict[str, int] = {}
        self._rejected: set[str] = set()

    def play(self) -> list[Difference]:
        """Run the world and return what it says of each of our orders."""
        for side, prices in (("bid", (49, 48, 47)), ("ask", (51, 52, 53))):
            for price in prices:
                self._others("bid" if side == "bid" else "ask", price, self._size())
        self._tell(self._snapshot())
        for number in range(self.shape.commands):
            self._now += STEP
            self._command(number)
            self._tell_late(number)
        self._tell_late(1 << 30)
        return [
            Difference(name, self._model.get(name, 0), self.true.filled.get(name, 0), self._surplus.get(name, 0))
            for name in self._own
        ]

    def _command(self, number: int) -> None:
        draw = self._rng.random()
        if draw < 0.22:
            self._place_own()
        elif draw < 0.27:
            self._cancel_own()
        elif draw < 0.5:
            self._place_other(number)
        elif draw < 0.62:
            self._cancel_other()
        elif draw < 0.96 or not (self.shape.snapshots or self.shape.gaps):
            self._take(number)
        elif self.shape.gaps and self._rng.random() < 0.5:
            self._tell(Gap(YES, self._now, "disconnect", 1))
            self._shown.clear()
            self._take(number, told=False)
            self._tell(self._snapshot())
        elif self.shape.snapshots:
            self._take(number, told=False)
            self._tell(self._snapshot())

    def _size(self) -> int:
        return self._rng.choice((1, 2, 3, 5, 8, 10, 13, 20))

    def _between(self, low: int, high: int) -> int:
        return self._rng.randint(min(low, high), max(low, high))

    def _side(self) -> BookSide:
        return "bid" if self._rng.random() < 0.5 else "ask"

    def _place_own(self) -> None:
        side: BookSide = self._side() if self.shape.both_sides else "bid"
        takes = self.shape.takes and self._rng.random() < 0.3
        opposite = self.public.best("ask" if side == "bid" else "bid")
        if takes:
            price = self._rng.randrange(47, 54)
        elif side == "bid":
            price = self._between(45, 50 if opposite is None else min(opposite - 1, 53))
        else:
            price = self._between(50 if opposite is None else max(opposite + 1, 47), 55)
        modelled = {str(each.command.client_order_id) for each in self._simulator.resting()}
        resting = [each for each in self._own if each in modelled or self.true.resting(each) is not None]
        if any(self._meets(each, side, price) for each in resting):
            return  # no venue lets an account trade with itself
        self._count += 1
        name, size = f"own{self._count}", self._size()
        tif: TimeInForce = self._rng.choice(_TAKES) if takes else "gtc"
        post_only = not takes and self._rng.random() < 0.7
        mirrored = self._rng.random() < 0.3
        self._own.append(name)
        self._sent[name] = side, price
        self.log.append(f"own {name} {side} {price} {size} {tif} {post_only}")
        if not (post_only and self.true.crosses(side, price)):
            fillable = sum(
                n
                for p, n in self.true.levels("ask" if side == "bid" else "bid")
                if (p <= price if side == "bid" else p >= price)
            )
            if tif != "fok" or fillable >= size:
                self.true.place(name, side, price, size, rests=tif == "gtc")
        buys = (side == "bid") != mirrored
        self._send(
            PlaceOrder(
                ClientOrderId(name), ME, NO if mirrored else YES, "buy" if buys else "sell",
                cents(100 - price if mirrored else price), shares(size), tif, post_only,
            )
        )  # fmt: skip

    def _meets(self, name: str, side: BookSide, price: int) -> bool:
        resting = self._sent[name]
        if resting[0] == side:
            return False
        return resting[1] <= price if side == "bid" else resting[1] >= price

    def _cancel_own(self) -> None:
        if self._own:
            name = self._rng.choice(self._own)
            self.log.append(f"cancel {name}")
            self.true.cancel(name)
            self._send(CancelOrder(ClientOrderId(name), YES))

    def _place_other(self, number: int) -> None:
        side = self._side()
        opposite = self.public.best("ask" if side == "bid" else "bid")
        if self.shape.crossing and self._rng.random() < 0.3:
            self._others(side, self._rng.randrange(46, 55), self._size(), number)
            return
        if side == "bid":
            price = self._between(45, 51 if opposite is None else min(opposite - 1, 53))
        else:
            price = self._between(49 if opposite is None else max(opposite + 1, 47), 55)
        if not self.public.crosses(side, price):
            self._others(side, price, self._size(), number)

    def _others(self, side: BookSide, price: int, size: int, number: int = 0) -> None:
        self._count += 1
        name = f"other{self._count}"
        self.log.append(f"{name} {side} {price} {size}")
        self.true.place(name, side, price, size)
        self._tell_changes(self.public.place(name, side, price, size), number)

    def _cancel_other(self) -> None:
        names = self.public.names()
        if names:
            name = self._rng.choice(names)
            self.log.append(f"cancel {name}")
            self.public.cancel(name)
            self.true.cancel(name)
            self._tell_changes([], 0)

    def _take(self, number: int, *, told: bool = True) -> None:
        side, size = self._side(), self._size() * self._rng.choice((1, 1, 2, 3))
        price = self._rng.choice((44, 47, 48, 49, 50)) if side == "ask" else self._rng.choice((56, 53, 52, 51, 50))
        self._count += 1
        self.log.append(f"take {side} {price} {size} told {told}")
        self.true.place(f"taker{self._count}", side, price, size, rests=False)
        executions = self.public.place(f"taker{self._count}", side, price, size, rests=False)
        self._tell_changes(executions, number, told=told)

    def _tell_changes(self, executions: Sequence[Execution], number: int, *, told: bool = True) -> None:
        prints = list(self._prints(executions))
        if self.shape.lag < 0:
            for each in prints:
                self._tell(each)
        else:
            for each in prints:  # late, and in order
                earliest = self._late[-1][0] if self._late else 0
                self._late.append((max(number + self._rng.randrange(self.shape.lag + 1), earliest), each))
        if told:
            for change in self._changes():
                self._tell(change)

    def _prints(self, executions: Sequence[Execution]) -> Iterator[Trade]:
        merged: list[Execution] = []
        for each in executions:
            if self.shape.one_print and merged and merged[-1].price == each.price:
                merged[-1] = merged[-1]._replace(size=merged[-1].size + each.size)
            else:
                merged.append(each)
        for each in merged:
            self._count += 1
            mirrored = self._rng.random() < 0.3
            sells = (each.side == "bid") != mirrored
            yield Trade(
                NO if mirrored else YES, self._now, self._now if self.shape.venue_times else None,
                cents(100 - each.price if mirrored else each.price), shares(each.size),
                "sell" if sells else "buy", TradeId(f"t{self._count}"),
            )  # fmt: skip

    def _changes(self) -> Iterator[BookDelta]:
        now = {(side, price): size for side in _SIDES for price, size in self.public.levels(side)}
        changed = [place for place in self._shown if now.get(place) != self._shown[place]]
        changed += [place for place in now if place not in self._shown]
        changed.sort(key=lambda place: now.get(place, 0))  # removed levels first: the book is never crossed
        for side, price in changed:
            size = now.get((side, price), 0)
            yield BookDelta(YES, self._now, None, 1, None, side, cents(price), shares(size))
        self._shown = now

    def _snapshot(self) -> BookSnapshot:
        self._shown = {(side, price): size for side in _SIDES for price, size in self.public.levels(side)}
        bids, asks = (
            tuple((cents(price), shares(size)) for price, size in self.public.levels(side)) for side in _SIDES
        )
        return BookSnapshot(YES, self._now, None, 1, None, bids, asks)

    def _tell_late(self, number: int) -> None:
        due = [trade for at, trade in self._late if at <= number]
        self._late = [(at, trade) for at, trade in self._late if at > number]
        for each in due:
            self._tell(Trade(each.key, self._now, each.ts_venue, each.price, each.size, each.taker_side, each.trade_id))

    def _tell(self, event: MarketEvent) -> None:
        self.log.append(_brief(event))
        self._count_fills(list(self._simulator.due(event.ts_recv)))
        self._cache.apply(event)
        self._count_fills(list(self._simulator.observe(event)))

    def _send(self, command: Command) -> None:
        self._simulator.submit(Approved(self._now, command))
        self._count_fills(list(self._simulator.due(self._now)))

    def _count_fills(self, answers: Sequence[object]) -> None:
        for answer in answers:
            if isinstance(answer, Fill):
                name = str(answer.client_order_id)
                self.log.append(f"  FILL {name} {answer.size // MICROS}")
                self._model[name] = self._model.get(name, 0) + answer.size // MICROS
                surplus = self._model[name] - self.true.filled.get(name, 0)
                self._surplus[name] = max(self._surplus.get(name, 0), surplus)
            elif isinstance(answer, OrderRejected):
                self.log.append(f"  rejected {answer.client_order_id} {answer.reason}")


def _brief(event: MarketEvent) -> str:
    if isinstance(event, BookDelta):
        return f"  delta {event.side} {event.price // 10_000} -> {event.size // MICROS}"
    if isinstance(event, Trade):
        late = (event.ts_recv - (event.ts_venue or event.ts_recv)) // STEP
        what = f"{event.key.instrument_id} {event.price // 10_000} x {event.size // MICROS} {event.taker_side}"
        return f"  trade {what}, {late} late"
    return f"  {type(event).__name__}"


_TAKES: Final[tuple[TimeInForce, ...]] = ("ioc", "gtc", "fok")
_SIDES: Final[tuple[BookSide, BookSide]] = ("bid", "ask")
