"""Public trades in terms of the book in which they happened, each once.

Polymarket tells a trade on the outcome that the taker traded, so one told on the second outcome works the first one's
book: at 1 − price, with the taker on the other side. Feeds drop the second telling of a trade that a venue tells on
both outcomes; recordings made with both, and those of one instrument by two recorders, are protected here, where a
trade that counts twice would fill orders twice.
"""

from typing import Final

from msgspec.structs import replace

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.num import complement
from predsurv.engine.fills.told_trades import ToldTrades, TradeIdentity
from predsurv.state.market_cache import MarketCache

TOLD_KEPT_MAX: Final = 1_000
"""Trades remembered at least to recognise their second telling, and twice as many at most."""
ECHO_AFTER_MAX: Final = 2_000_000_000
"""How long (ns) after the first telling the second may arrive."""
IDS_KEPT_MAX: Final = 1 << 16
"""Ids of trades remembered at least, and twice as many at most; two recorders may receive a trade some time apart."""


class PrimaryTrades:
    """The trades told so far, as far as another telling of them may follow."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self.told = ToldTrades(IDS_KEPT_MAX, TOLD_KEPT_MAX, ECHO_AFTER_MAX)

    def once(self, trade: Trade) -> Trade | None:
        """Return the trade in terms of its primary instrument's book; None for one told before, on either outcome."""
        if trade.trade_id is not None and self.told.knows(trade.key, trade.trade_id, trade.ts_venue):
            return None
        if self._cache.mirror_of(trade.key) is None:
            return trade
        primary = self._cache.primary_of(trade.key)
        converted = trade if primary == trade.key else _complemented(trade, primary)
        identity = TradeIdentity(primary, converted.price, converted.size, converted.taker_side, converted.ts_venue)
        return None if self.told.is_echo(identity, trade.key, trade.ts_recv) else converted


def _complemented(trade: Trade, primary: InstrumentKey) -> Trade:
    sides: dict[OrderSide | None, OrderSide | None] = {"buy": "sell", "sell": "buy", None: None}
    return replace(trade, key=primary, price=complement(trade.price), taker_side=sides[trade.taker_side])
