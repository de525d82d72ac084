"""Two price-time exchanges under the same commands of others: one without our orders, and one in which they rest.

A fill simulator sees the public data of the first, and what it fills is compared with what the second does. Who plays
says what happens, and when the public trades of it are told.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from predsurv.core.events import BookDelta, BookSnapshot, Fill, MarketEvent, OrderRejected, Trade
from predsurv.core.ids import ClientOrderId, OrderSide, TradeId
from predsurv.core.num import MICROS, Size, complement
from predsurv.core.orders import Approved, CancelOrder, Command, PlaceOrder, TimeInForce
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.state.market_cache import MarketCache
from tests.kit.price_time_exchange import BookSide, Execution, PriceTimeExchange
from tests.kit.trading_samples import ME, NO, START, YES, V, cents, market, shares

SIDES: Final[tuple[BookSide, BookSide]] = ("bid", "ask")
_MARKET: Final = market(min_order_size=Size(1), fee=market().fee)


class Difference(NamedTuple):
    """What one order of ours was filled by the model and in truth at the end, and its surplus at any time before."""

    name: str
    model: int
    truth: int
    surplus: int


class OwnOrder(NamedTuple):
    """An order of ours, in terms of the first outcome's book; ``mirrored``: sent for the second outcome."""

    name: str
    side: BookSide
    price: int
    size: int
    tif: TimeInForce = "gtc"
    post_only: bool = False
    mirrored: bool = False


class TwinExchanges:
    """Both exchanges and the model; sizes in shares, prices in cents of the first outcome, ``now`` in ns UTC.

    ``one_print``: the matches of a taker at one price are one public trade. ``log`` is what happened, line by line.
    """

    def __init__(self, queue: QueueModel = "pessimistic", *, one_print: bool = True) -> None:
        self.public, self.true = PriceTimeExchange(), PriceTimeExchange()
        self.log: list[str] = []
        self.now = START
        self.own: list[OwnOrder] = []
        self.cache = MarketCache({V})
        self.cache.add(_MARKET)
        self.simulator = FillSimulator(self.cache, 0, lambda _: None, queue)
        self._one_print, self._count = one_print, 0
        self._shown: dict[tuple[BookSide, int], int] = {}
        self._model: dict[str, int] = {}
        self._surplus: dict[str, int] = {}

    def open_with(self, *levels: tuple[BookSide, int, int]) -> None:
        """Let others place orders, each (side, price, size), and tell the book."""
        for side, price, size in levels:
            self.others(side, price, size)
        self.tell(self.snapshot())

    def others(self, side: BookSide, price: int, size: int, *, rests: bool = True) -> list[Execution]:
        """Let somebody else place an order, or take with ``rests`` unset, in both; return its public matches."""
        self._count += 1
        name = f"other{self._count}"
        self.log.append(f"{name} {side} {price} {size}{'' if rests else ', takes'}")
        self.true.place(name, side, price, size, rests=rests)
        return self.public.place(name, side, price, size, rests=rests)

    def cancel_others(self, name: str) -> None:
        """Let somebody else cancel an order in both."""
        self.log.append(f"cancel {name}")
        self.public.cancel(name)
        self.true.cancel(name)

    def reduce_others(self, name: str, size: int) -> None:
        """Let somebody else reduce an order by ``size`` in both; nothing of it is left where it was no larger."""
        self.log.append(f"reduce {name} by {size}")
        for exchange in (self.public, self.true):
            order = exchange.resting(name)
            if order is not None and order.left > size:
                order.left -= size
            else:
                exchange.cancel(name)

    def send(self, order: OwnOrder) -> None:
        """Send an order of ours to the exchange in which ours rest, and to the model."""
        name, side, price, size, tif, post_only, mirrored = order
        self.own.append(order)
        self.log.append(f"own {name} {side} {price} {size} {tif}{' post-only' if post_only else ''}")
        if not (post_only and self.true.crosses(side, price)) and not (tif == "fok" and self._offered(order) < size):
            self.true.place(name, side, price, size, rests=tif == "gtc")
        buys = (side == "bid") != mirrored
        key, own_price = (NO, 100 - price) if mirrored else (YES, price)
        order_side: OrderSide = "buy" if buys else "sell"
        client_id = ClientOrderId(name)
        self._submit(PlaceOrder(client_id, ME, key, order_side, cents(own_price), shares(size), tif, post_only))

    def cancel(self, name: str) -> None:
        """Cancel an order of ours in both."""
        self.log.append(f"cancel {name}")
        self.true.cancel(name)
        self._submit(CancelOrder(ClientOrderId(name), YES))

    def may_rest(self, order: OwnOrder) -> bool:
        """Return whether an order of ours rests by the model or in truth."""
        modelled = {str(each.command.client_order_id) for each in self.simulator.resting()}
        return order.name in modelled or self.true.resting(order.name) is not None

    def prints(self, executions: Sequence[Execution]) -> list[Trade]:
        """Return the public trades of some matches."""
        merged: list[Execution] = []
        for each in executions:
            if self._one_print and merged and merged[-1].price == each.price:
                merged[-1] = merged[-1]._replace(size=merged[-1].size + each.size)
            else:
                merged.append(each)
        return [self._print(each) for each in merged]

    def tell_changes(self) -> None:
        """Tell the levels of the public exchange that have changed since they were told."""
        now = {(side, price): size for side in SIDES for price, size in self.public.levels(side)}
        changed = [place for place in self._shown if now.get(place) != self._shown[place]]
        changed += [place for place in now if place not in self._shown]
        changed.sort(key=lambda place: now.get(place, 0))  # removed levels first: the book is never crossed
        self._shown = now
        for side, price in changed:
            self.tell(BookDelta(YES, self.now, None, 1, None, side, cents(price), shares(now.get((side, price), 0))))

    def snapshot(self) -> BookSnapshot:
        """Return the whole public book; its levels count as told."""
        self._shown = {(side, price): size for side in SIDES for price, size in self.public.levels(side)}
        bids, asks = (tuple((cents(price), shares(size)) for price, size in self.public.levels(side)) for side in SIDES)
        return BookSnapshot(YES, self.now, None, 1, None, bids, asks)

    def tell(self, event: MarketEvent) -> None:
        """Tell the model something; trades are received now."""
        if isinstance(event, Trade):
            event = replace(event, ts_recv=self.now)
        self.log.append(_brief(event))
        self._count_fills(list(self.simulator.due(event.ts_recv)))
        self.cache.apply(event)
        self._count_fills(list(self.simulator.observe(event)))

    def differences(self) -> list[Difference]:
        """Return what both say of each of our orders."""
        return [
            Difference(name, self._model.get(name, 0), self.true.filled.get(name, 0), self._surplus.get(name, 0))
            for name in (each.name for each in self.own)
        ]

    def _print(self, each: Execution) -> Trade:
        self._count += 1
        side: OrderSide = "sell" if each.side == "bid" else "buy"
        return Trade(YES, self.now, self.now, cents(each.price), shares(each.size), side, TradeId(f"t{self._count}"))

    def _offered(self, order: OwnOrder) -> int:
        levels = self.true.levels("ask" if order.side == "bid" else "bid")
        return sum(n for p, n in levels if (p <= order.price if order.side == "bid" else p >= order.price))

    def _submit(self, command: Command) -> None:
        self.simulator.submit(Approved(self.now, command))
        self._count_fills(list(self.simulator.due(self.now)))

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


def mirrored(trade: Trade) -> Trade:
    """Return the same public trade as it is told on the second outcome."""
    sides: dict[OrderSide | None, OrderSide | None] = {"buy": "sell", "sell": "buy", None: None}
    return replace(trade, key=NO, price=complement(trade.price), taker_side=sides[trade.taker_side])


def _brief(event: MarketEvent) -> str:
    if isinstance(event, BookDelta):
        return f"  delta {event.side} {event.price // 10_000} -> {event.size // MICROS}"
    if isinstance(event, Trade):
        late = (event.ts_recv - (event.ts_venue or event.ts_recv)) / 1e9
        what = f"{event.key.instrument_id} {event.price // 10_000} x {event.size // MICROS} {event.taker_side}"
        return f"  trade {what}, {late:g} s late"
    return f"  {type(event).__name__}"
