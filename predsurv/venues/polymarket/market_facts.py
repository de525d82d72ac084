"""What the venue tells on one token although it holds for the market, and so for both: trades and tick sizes."""

import re
from hashlib import blake2b
from typing import Final

import msgspec

from predsurv.core.events import MarketChange, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey, OrderSide, TradeId
from predsurv.core.num import complement, format_micros, parse_price, parse_size
from predsurv.venues.parsing import malformed, venue_time
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.rest_comparison import BookSummary
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.polymarket.subscriptions import HeardToken

TICK_LAG: Final = 60_000_000_000
"""How long (ns) REST may show an older tick size than the stream has told."""

# The tick follows the levels, so it is looked for at the end only.
_TICK: Final = re.compile(rb'"tick_size"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}"([0-9.]{1,24})"')
_TICK_FROM_END: Final = 200

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


def read_tick_change(
    key: InstrumentKey, message: wire.TickSizeChange, ts_recv: int, shared: PolymarketSharedState
) -> MarketChange | None:
    """Return a change of the tick size, None when it changes nothing: it may be told on either token or both."""
    tick = shared.prices[message.new_tick_size]
    old = shared.prices[message.old_tick_size] if message.old_tick_size else None
    known = shared.ticks.get(key.market_id)
    if not shared.ticks.state(key.market_id, tick, ts_recv, message.timestamp) or (known is None and tick == old):
        return None
    value = msgspec.json.encode({"old": message.old_tick_size, "new": message.new_tick_size}).decode()
    ts_venue = venue_time(message.timestamp)
    return MarketChange(VENUE, key.market_id, key.instrument_id, ts_recv, ts_venue, "tick_size", value, None, tick)


def opening_tick(book: bytes) -> str:
    """Return the tick size that a book in its present form states, "" for one that does not: one after a trade."""
    match = _TICK.search(book, max(len(book) - _TICK_FROM_END, 0))
    return "" if match is None else match[1].decode()


def read_stated_tick(key: InstrumentKey, text: str, ts_recv: int, shared: PolymarketSharedState) -> MarketChange | None:
    """Return a change to the tick size that a book states, None when it states none or the one known before.

    Raises ValueError when it is no price.
    """
    tick = shared.prices[text] if text else None
    if tick is None or not shared.ticks.state(key.market_id, tick, ts_recv):
        return None
    value = msgspec.json.encode({"new": text, "stated_in": "book"}).decode()
    return MarketChange(VENUE, key.market_id, key.instrument_id, ts_recv, None, "tick_size", value, None, tick)


def read_rest_book(
    key: InstrumentKey, summary: BookSummary, ts_recv: int, shared: PolymarketSharedState
) -> MarketChange | None:
    """Return a change to what REST's book states of its market, None when it states nothing new.

    REST may be behind the stream: within ``TICK_LAG`` the tick that the stream told holds. Raises ValueError when a
    value is unreadable.
    """
    market_id, known = key.market_id, shared.ticks.get(key.market_id)
    tick = shared.prices[summary.tick_size] if summary.tick_size else None
    least = parse_size(summary.min_order_size) if summary.min_order_size else None
    if known is not None and ts_recv - known.ts_recv < TICK_LAG:
        tick = known.tick
    if tick is None:
        return None
    news = shared.ticks.state(market_id, tick, ts_recv) if known is None or known.tick != tick else False
    news |= least is not None and shared.ticks.state_least(market_id, least)
    if not news:
        return None
    value = msgspec.json.encode({"new": format_micros(tick), "stated_in": "rest"}).decode()
    change = MarketChange(VENUE, market_id, key.instrument_id, ts_recv, None, "tick_size", value, None, tick)
    return msgspec.structs.replace(change, min_order_size=least)


def append_stated_tick(
    key: InstrumentKey, text: str, ts_recv: int, out: list[MarketEvent], shared: PolymarketSharedState
) -> None:
    """Append what a book states of the tick size, where that is news; an unreadable tick costs no book."""
    try:
        change = read_stated_tick(key, text, ts_recv, shared)
    except ValueError as error:
        out.append(malformed(VENUE, text.encode(), error, ts_recv))
        return
    if change is not None:
        out.append(change)


class MirrorReader:
    """Reads what concerns a market out of the messages about a mirror; its books and quotes are of no use.

    ``verifier`` follows the books of the wanted tokens, of which the same facts are part.
    """

    def __init__(self, shared: PolymarketSharedState, verifier: HashVerifier) -> None:
        self._shared = shared
        self._enqueue = verifier.enqueue

    def read(self, heard: HeardToken, message: wire.AboutToken, ts_recv: int) -> MarketEvent | None:
        """Return the event of ``message``, None when it is of no use or was told before."""
        event: MarketEvent | None
        if isinstance(message, wire.LastTrade):
            event = read_trade(heard.key, message, ts_recv, self._shared)
        elif isinstance(message, wire.TickSizeChange):
            event = read_tick_change(heard.key, message, ts_recv, self._shared)
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
