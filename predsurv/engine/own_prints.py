"""Public trades that are our own fills: a venue that really executes our orders prints them for everybody.

Strategies and simulated fills must not take them for the volume of others. A print is matched with a fill by its trade
id, once, whichever of the two comes first; where the print has none, by book, price, taker and time with a fill before
it. Where our fill is but a part of a print the rest is that of others. A print that is told before its fill has been
heard by then, and nothing takes that back: who has to know finds its id again in the fill.
"""

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import Fill, Trade
from predsurv.core.ids import InstrumentKey, OrderSide, TradeId, VenueName
from predsurv.core.num import Price, Size, complement
from predsurv.state.market_cache import MarketCache

PRINTED_WITHIN: Final = 10_000_000_000
"""How long (ns) after a fill its print may be told."""
FILLS_KEPT_MAX: Final = 10_000
"""Fills whose prints are waited for; beyond it the oldest is forgotten."""
PRINTS_KEPT_MAX: Final = 10_000
"""Prints whose fills may still be told; beyond it the oldest is forgotten."""
_OPPOSITE: Final[dict[OrderSide, OrderSide]] = {"buy": "sell", "sell": "buy"}


class _OwnFill(Struct):
    """A fill in the terms of its book: ``taker`` is who took, ``left`` what of it was not printed yet; micros, ns."""

    trade_id: TradeId
    key: InstrumentKey
    price: Price
    taker: OrderSide
    left: int
    ts: int


class _HeardPrint(Struct):
    """A print at ``ts`` (ns UTC) of which ``left`` (micros) was matched with no fill of ours yet."""

    left: int
    ts: int


class _Placed(NamedTuple):
    """Where something trades: the instrument that has the book, and price and side there."""

    key: InstrumentKey
    price: Price
    side: OrderSide


class OwnPrints:
    """Tells the volume of others from ours in the prints of the venues that execute our orders: ``executing``."""

    def __init__(self, cache: MarketCache, executing: AbstractSet[VenueName]) -> None:
        self._cache, self._executing = cache, executing
        self._fills: deque[_OwnFill] = deque(maxlen=FILLS_KEPT_MAX)
        self._heard: dict[tuple[VenueName, TradeId], _HeardPrint] = {}
        self._last: tuple[Trade, Trade | None] | None = None

    def on_fill(self, fill: Fill) -> None:
        """Match a fill with its print if that was told before, else wait for it."""
        if fill.key.venue not in self._executing:
            return
        left = fill.size - self._printed_before(fill)
        if not left:
            return
        key, price, side = self._in_book(fill.key, fill.price, fill.side)
        taker = _OPPOSITE[side] if fill.maker else side
        self._fills.append(_OwnFill(fill.trade_id, key, price, taker, left, fill.ts_recv))

    def others(self, trade: Trade) -> Trade | None:
        """Return what of a public trade was not ours, None for nothing: the trade itself where none of it was.

        Asked again of the same event it answers the same.
        """
        if trade.key.venue not in self._executing:
            return trade
        if self._last is None or self._last[0] is not trade:
            self._last = (trade, self._without_ours(trade))
        return self._last[1]

    def _printed_before(self, fill: Fill) -> int:
        """Return how much of a fill was in prints told before it."""
        heard = self._heard.get((fill.key.venue, fill.trade_id))
        if heard is None or heard.ts + PRINTED_WITHIN < fill.ts_recv:
            return 0
        printed = min(heard.left, fill.size)
        heard.left -= printed
        return printed

    def _without_ours(self, trade: Trade) -> Trade | None:
        while self._fills and self._fills[0].ts + PRINTED_WITHIN < trade.ts_recv:
            self._fills.popleft()
        left = int(trade.size)
        for fill in [each for each in self._fills if self._is_print_of(each, trade)]:
            printed = min(left, fill.left)
            left -= printed
            fill.left -= printed
            if trade.trade_id is None:
                break  # by its looks a print is that of one fill at most
        self._fills = deque((each for each in self._fills if each.left), FILLS_KEPT_MAX)
        if trade.trade_id is not None and left:
            self._keep(trade.key.venue, trade.trade_id, _HeardPrint(left, trade.ts_recv))
        if left == trade.size:
            return trade
        return replace(trade, size=Size(left)) if left else None

    def _keep(self, venue: VenueName, trade_id: TradeId, heard: _HeardPrint) -> None:
        """Remember what was heard as the volume of others."""
        before = self._heard.pop((venue, trade_id), None)
        if before is not None:
            heard.left += before.left  # told in pieces
        self._heard[venue, trade_id] = heard
        if len(self._heard) > PRINTS_KEPT_MAX:
            del self._heard[next(iter(self._heard))]

    def _is_print_of(self, fill: _OwnFill, trade: Trade) -> bool:
        if trade.trade_id is not None:
            return trade.trade_id == fill.trade_id
        side = trade.taker_side or fill.taker
        key, price, taker = self._in_book(trade.key, trade.price, side)
        same_taker = trade.taker_side is None or taker == fill.taker
        return (key, price) == (fill.key, fill.price) and same_taker

    def _in_book(self, key: InstrumentKey, price: Price, side: OrderSide) -> _Placed:
        """Return instrument, price and side in the terms of the book in which an instrument trades."""
        primary = self._cache.primary_of(key)
        return _Placed(key, price, side) if primary == key else _Placed(primary, complement(price), _OPPOSITE[side])
