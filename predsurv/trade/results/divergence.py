"""How a live run and its paper twin differ: order by order, in fills, prices, times and profit. Pure.

Both decided on the same events, so a decision that both took is of the same instant. What follows from other fills
differs, and is matched by what it wants.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillFailed,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, TradeId
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.trade.journal import AccountUpdated, CommandSent, Entry

MATCHED_WITHIN: Final = 2_000_000_000
"""Orders of one strategy, instrument and side that were decided no further apart (ns) are taken for the same."""

OrderEnd = Literal["filled", "cancelled", "rejected", "unknown", "open"]

_ENDS: Final[dict[type, OrderEnd]] = {
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnknown: "unknown",
    OrderAccepted: "open",
}


class OrderOutcome(Struct):
    """What became of one order, which was decided at ``ts`` (ns UTC).

    ``filled`` shares, without fills that failed, cost or brought ``value`` and ``fees`` (micros); ``first_fill``: when
    the first was told, ns UTC.
    """

    command: PlaceOrder
    ts: int
    end: OrderEnd = "open"
    filled: int = 0
    value: int = 0
    fees: int = 0
    first_fill: int | None = None

    @property
    def price(self) -> Price | None:
        """The average price of its fills, micros; None without any."""
        return Price(self.value // self.filled) if self.filled else None


class OrderPair(NamedTuple):
    """The same order in both runs, or one that only one of them had; ``order``: the live run's where it had it."""

    order: OrderOutcome
    live: OrderOutcome | None
    paper: OrderOutcome | None

    @property
    def worse(self) -> Price | None:
        """How much worse (micros a share) the live run's price was; None unless both traded."""
        if self.live is None or self.paper is None:
            return None
        there, here = self.live.price, self.paper.price
        if there is None or here is None:
            return None
        return Price(there - here if self.order.command.side == "buy" else here - there)

    @property
    def later(self) -> int | None:
        """How much later (ns) the live run's first fill was told; None unless both traded."""
        live, paper = self.live, self.paper
        if live is None or paper is None or live.first_fill is None or paper.first_fill is None:
            return None
        return live.first_fill - paper.first_fill

    @property
    def differs(self) -> bool:
        """Whether there is anything to tell: one is missing, traded otherwise, or at another price."""
        if self.live is None or self.paper is None:
            return True
        return self.live.filled != self.paper.filled or bool(self.worse)


class Divergence(Struct, frozen=True):
    """Every order of both runs, in the order in which they were decided."""

    pairs: tuple[OrderPair, ...]

    def count(self, *, live: bool, paper: bool) -> int:
        """Return how many orders these runs had, and no other."""
        return sum((each.live is not None, each.paper is not None) == (live, paper) for each in self.pairs)

    def traded(self, *, live: bool, paper: bool) -> int:
        """Return how many orders that both had traded in these runs, and no other."""
        both = (each for each in self.pairs if each.live is not None and each.paper is not None)
        return sum(
            (bool(each.live and each.live.filled), bool(each.paper and each.paper.filled)) == (live, paper)
            for each in both
        )

    def slippage(self) -> Money:
        """Return what the live run paid more, or was paid less, for shares that both runs traded; micros."""
        found = 0
        for each in self.pairs:
            if each.worse is not None and each.live is not None and each.paper is not None:
                found += each.worse * min(each.live.filled, each.paper.filled) // MICROS
        return Money(found)

    def shared(self) -> Size:
        """Return the shares that both runs traded of the same orders."""
        both = (each for each in self.pairs if each.live is not None and each.paper is not None)
        return Size(sum(min(each.live.filled, each.paper.filled) for each in both if each.live and each.paper))

    def delays(self) -> tuple[int, ...]:
        """Return how much later (ns) each first fill of the live run was told, ascending."""
        return tuple(sorted(each.later for each in self.pairs if each.later is not None))


def divergence(live: Iterable[Entry], paper: Iterable[Entry]) -> Divergence:
    """Compare the journals of a live run and of its twin."""
    pairs = _paired(tuple(outcomes(live)), tuple(outcomes(paper)))
    return Divergence(tuple(sorted(pairs, key=lambda each: each.order.ts)))


def outcomes(entries: Iterable[Entry]) -> Iterable[OrderOutcome]:
    """Return what became of the orders of a journal, in the order in which they were placed."""
    found: dict[ClientOrderId, OrderOutcome] = {}
    trades: dict[TradeId, Fill] = {}
    for entry in entries:
        if isinstance(entry, AccountUpdated):
            order = found.get(entry.event.client_order_id)
            if order is not None:
                _apply(order, entry.event, trades)
        elif isinstance(entry, CommandSent):
            command = entry.decision.approved.command
            if isinstance(command, PlaceOrder):
                found[command.client_order_id] = OrderOutcome(command, entry.decision.approved.ts)
    return found.values()


def _apply(order: OrderOutcome, event: AccountEvent, trades: dict[TradeId, Fill]) -> None:
    if isinstance(event, Fill):
        trades[event.trade_id] = event
        _add(order, event, 1)
        order.first_fill = order.first_fill or event.ts_recv
    elif isinstance(event, FillFailed):
        failed = trades.pop(event.trade_id, None)
        if failed is not None:
            _add(order, failed, -1)
    elif order.end != "filled":
        order.end = _ENDS.get(type(event), order.end)


def _add(order: OrderOutcome, fill: Fill, times: int) -> None:
    order.filled += times * fill.size
    order.value += times * fill.size * fill.price
    order.fees += times * fill.fee
    if order.filled >= order.command.size:
        order.end = "filled"
    elif order.end == "filled":
        order.end = "open"


def _paired(live: Sequence[OrderOutcome], paper: Sequence[OrderOutcome]) -> Iterator[OrderPair]:
    """Pair what is the same to the last digit and instant, then what is alike, nearest first."""
    waiting: defaultdict[Hashable, deque[OrderOutcome]] = defaultdict(deque)
    for each in paper:
        waiting[_same(each)].append(each)
    alone: list[OrderOutcome] = []
    taken: set[int] = set()
    for each in live:
        if queue := waiting[_same(each)]:
            found = queue.popleft()
            taken.add(id(found))
            yield OrderPair(each, each, found)
        else:
            alone.append(each)
    yield from _alike(alone, [each for each in paper if id(each) not in taken])


def _alike(live: Sequence[OrderOutcome], paper: Sequence[OrderOutcome]) -> Iterator[OrderPair]:
    """Pair orders of one strategy, instrument and side by time; what is left is alone."""
    left: defaultdict[Hashable, list[OrderOutcome]] = defaultdict(list)
    for each in paper:
        left[_alike_key(each)].append(each)
    for each in live:
        near = left[_alike_key(each)]
        best = min(near, key=lambda other: abs(other.ts - each.ts), default=None)
        if best is None or abs(best.ts - each.ts) > MATCHED_WITHIN:
            yield OrderPair(each, each, None)
        else:
            near.remove(best)
            yield OrderPair(each, each, best)
    for rest in left.values():
        for each in rest:
            yield OrderPair(each, None, each)


def _same(order: OrderOutcome) -> Hashable:
    command = order.command
    wanted = (command.price, command.size, command.tif, command.post_only, command.expires)
    return (order.ts, command.strategy, command.key, command.side, wanted)


def _alike_key(order: OrderOutcome) -> Hashable:
    return (order.command.strategy, order.command.key, order.command.side)
