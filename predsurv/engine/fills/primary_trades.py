"""Public trades in terms of the book in which they happened, each once.

Polymarket tells a trade on the outcome that the taker traded, so one told on the second outcome works the first one's
book: at 1 − price, with the taker on the other side. Feeds drop the second telling of a trade that a venue tells on
both outcomes; recordings made with both, and those of one instrument by two recorders, are protected here, where a
trade that counts twice would fill orders twice.
"""

from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, OrderSide, TradeId
from predsurv.core.num import Price, Size, complement
from predsurv.state.market_cache import MarketCache

TOLD_KEPT_MAX: Final = 1_000
"""Trades remembered to recognise their second telling; beyond it the oldest is dropped."""
ECHO_AFTER_MAX: Final = 2_000_000_000
"""How long (ns) after the first telling the second may arrive."""


IDS_KEPT_MAX: Final = 1 << 16
"""Ids of trades remembered; two recorders may receive a trade some time apart."""


class _Told(Struct, frozen=True):
    """The outcome on which a trade was told, how many equal ones, and when it was received last (ns UTC)."""

    key: InstrumentKey
    count: int
    ts_recv: int


class _Identity(NamedTuple):
    """What both tellings of a trade have in common, in terms of the first outcome's book."""

    key: InstrumentKey
    price: Price
    size: Size
    taker_side: OrderSide | None
    ts_venue: int | None


class PrimaryTrades:
    """The trades told so far, as far as another telling of them may follow."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self._told: dict[_Identity, _Told] = {}
        self._ids: dict[tuple[InstrumentKey, TradeId, int | None], None] = {}  # and the venue's time

    def once(self, trade: Trade) -> Trade | None:
        """Return the trade in terms of its primary instrument's book; None for one told before, on either outcome."""
        if self._has_known_id(trade):
            return None
        if self._cache.mirror_of(trade.key) is None:
            return trade
        primary = self._cache.primary_of(trade.key)
        converted = trade if primary == trade.key else _complemented(trade, primary)
        identity = _Identity(primary, converted.price, converted.size, converted.taker_side, converted.ts_venue)
        return None if self._is_echo(identity, trade) else converted

    def _has_known_id(self, trade: Trade) -> bool:
        if trade.trade_id is None:
            return False
        entry = trade.key, trade.trade_id, trade.ts_venue
        if entry in self._ids:
            return True
        self._ids[entry] = None
        if len(self._ids) > IDS_KEPT_MAX:
            del self._ids[next(iter(self._ids))]
        return False

    def _is_echo(self, identity: _Identity, trade: Trade) -> bool:
        told = self._told.pop(identity, None)
        if told is None or trade.ts_recv - told.ts_recv > ECHO_AFTER_MAX:
            told = _Told(trade.key, 0, 0)
        if told.key != trade.key:
            if told.count > 1:
                self._told[identity] = replace(told, count=told.count - 1)
            return True
        self._told[identity] = _Told(trade.key, told.count + 1, trade.ts_recv)
        if len(self._told) > TOLD_KEPT_MAX:
            del self._told[next(iter(self._told))]
        return False


def _complemented(trade: Trade, primary: InstrumentKey) -> Trade:
    sides: dict[OrderSide | None, OrderSide | None] = {"buy": "sell", "sell": "buy", None: None}
    return replace(trade, key=primary, price=complement(trade.price), taker_side=sides[trade.taker_side])
