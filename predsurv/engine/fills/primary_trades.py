"""Public trades in terms of the book in which they happened, each once.

Polymarket tells a trade on the outcome that the taker traded, so one told on the second outcome works the first one's
book: at 1 − price, with the taker on the other side. Feeds drop the second telling of a trade that a venue tells on
both outcomes; recordings made with both, and those of one instrument by two recorders, are protected here, where a
trade that counts twice would fill orders twice.
"""

from typing import Final, NamedTuple

from msgspec.structs import replace

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, OrderSide, TradeId
from predsurv.core.num import Price, Size, complement
from predsurv.state.market_cache import MarketCache

TOLD_KEPT_MAX: Final = 1_000
"""Trades remembered at least to recognise their second telling, and twice as many at most."""
ECHO_AFTER_MAX: Final = 2_000_000_000
"""How long (ns) after the first telling the second may arrive."""
IDS_KEPT_MAX: Final = 1 << 16
"""Ids of trades remembered at least, and twice as many at most; two recorders may receive a trade some time apart."""


_Told = tuple[InstrumentKey, int, int]
"""The outcome on which a trade was told, how many equal ones, and when it was received last (ns UTC)."""


class _Identity(NamedTuple):
    """What both tellings of a trade have in common, in terms of the first outcome's book."""

    key: InstrumentKey
    price: Price
    size: Size
    taker_side: OrderSide | None
    ts_venue: int | None


class RememberedTrades(NamedTuple):
    """What is remembered of trades: plain dicts, as a compiled replay keeps them as ``PrimaryTrades`` does.

    Each is what came lately and what came before that, which is forgotten once there is enough of what came lately.
    """

    ids: list[dict[tuple[InstrumentKey, TradeId, int | None], None]]
    identities: list[dict["_Identity", _Told]]
    ids_kept: int
    identities_kept: int
    echo_after_max: int


class PrimaryTrades:
    """The trades told so far, as far as another telling of them may follow."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self.told = RememberedTrades([{}, {}], [{}, {}], IDS_KEPT_MAX, TOLD_KEPT_MAX, ECHO_AFTER_MAX)

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
        ids = self.told.ids
        if entry in ids[0] or entry in ids[1]:
            return True
        ids[0][entry] = None
        if len(ids[0]) >= self.told.ids_kept:
            ids[:] = {}, ids[0]
        return False

    def _is_echo(self, identity: _Identity, trade: Trade) -> bool:
        identities = self.told.identities
        where = identities[0] if identity in identities[0] else identities[1]
        key, count, ts_recv = where.pop(identity, (trade.key, 0, 0))
        if trade.ts_recv - ts_recv > self.told.echo_after_max:
            key, count = trade.key, 0
        if key == trade.key:
            identities[0][identity] = (key, count + 1, trade.ts_recv)
        elif count > 1:
            identities[0][identity] = (key, count - 1, ts_recv)
        if len(identities[0]) >= self.told.identities_kept:
            identities[:] = {}, identities[0]
        return key != trade.key


def _complemented(trade: Trade, primary: InstrumentKey) -> Trade:
    sides: dict[OrderSide | None, OrderSide | None] = {"buy": "sell", "sell": "buy", None: None}
    return replace(trade, key=primary, price=complement(trade.price), taker_side=sides[trade.taker_side])
