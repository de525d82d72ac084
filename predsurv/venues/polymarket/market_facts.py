"""What the venue tells on one token although it holds for the market, and so for both: trades and tick sizes."""

from hashlib import blake2b
from typing import Final

import msgspec

from predsurv.core.events import MarketChange, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey, MarketId, OrderSide, TradeId
from predsurv.core.num import Price, complement, format_micros, parse_price, parse_size
from predsurv.venues.parsing import venue_time
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.polymarket.subscriptions import HeardToken

_TAKER: Final[dict[str, OrderSide]] = {"BUY": "buy", "SELL": "sell"}


def read_trade(
    key: InstrumentKey, message: wire.LastTrade, ts_recv: int, shared: PolymarketSharedState
) -> Trade | None:
    """Return a trade, None when it was published before."""
    trade_id = _trade_id(message)
    # Sizes of trades hardly ever repeat, so they are not cached.
    price, size, ts_venue = shared.prices[message.price], parse_size(message.size), venue_time(message.timestamp)
    trade = Trade(key, ts_recv, ts_venue, price, size, _TAKER.get(message.side), trade_id)
    return trade if shared.told_trades.add(trade, message.transaction_hash) else None


def _trade_id(message: wire.LastTrade) -> TradeId:
    """Return an id made of all fields of a trade, as the venue gives none.

    One transaction can hold several trades, so its hash alone would merge them.
    """
    fields = (
        f"{message.asset_id}|{message.side}|{message.price}|{message.size}"
        f"|{message.timestamp}|{message.transaction_hash}"
    )
    return TradeId(blake2b(fields.encode(), digest_size=16).hexdigest())


class ToldTicks:
    """The last change of each market's tick size: it is one for both tokens, and may be told on either or both."""

    def __init__(self) -> None:
        self._last: dict[MarketId, tuple[int, Price]] = {}

    def read(
        self, key: InstrumentKey, message: wire.TickSizeChange, ts_recv: int, shared: PolymarketSharedState
    ) -> MarketChange | None:
        """Return a change of the tick size, None when it changes nothing or was told before."""
        tick = shared.prices[message.new_tick_size]
        old = shared.prices[message.old_tick_size] if message.old_tick_size else None
        told = (message.timestamp, tick)
        if tick == old or self._last.get(key.market_id) == told:
            return None
        self._last[key.market_id] = told
        value = msgspec.json.encode({"old": message.old_tick_size, "new": message.new_tick_size}).decode()
        ts_venue = venue_time(message.timestamp)
        return MarketChange(VENUE, key.market_id, key.instrument_id, ts_recv, ts_venue, "tick_size", value, None, tick)


class MirrorReader:
    """Reads what concerns a market out of the messages about a mirror; its books and quotes are of no use.

    ``verifier`` follows the books of the wanted tokens, of which the same facts are part.
    """

    def __init__(self, shared: PolymarketSharedState, told_ticks: ToldTicks, verifier: HashVerifier) -> None:
        self._shared = shared
        self._told_ticks = told_ticks
        self._enqueue = verifier.enqueue

    def read(self, heard: HeardToken, message: wire.AboutToken, ts_recv: int) -> MarketEvent | None:
        """Return the event of ``message``, None when it is of no use or was told before."""
        event: MarketEvent | None
        if isinstance(message, wire.LastTrade):
            event = read_trade(heard.key, message, ts_recv, self._shared)
        elif isinstance(message, wire.TickSizeChange):
            event = self._told_ticks.read(heard.key, message, ts_recv, self._shared)
        else:
            return None
        self._enqueue(_of_wanted(heard, message))
        return event


def _of_wanted(heard: HeardToken, message: wire.LastTrade | wire.TickSizeChange) -> wire.BookMessage:
    """Return what a message about a mirror says of the book that is followed."""
    token = heard.wanted.instrument_id
    if isinstance(message, wire.LastTrade):
        return wire.MirrorTrade(token, format_micros(complement(parse_price(message.price))))
    return msgspec.structs.replace(message, asset_id=token)
