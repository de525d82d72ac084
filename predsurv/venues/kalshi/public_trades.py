"""Public trades as each outcome of their market sees them, streamed or polled."""

from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.events import Trade
from predsurv.core.ids import ID_CHARS_MAX, OrderSide, TradeId
from predsurv.core.num import Size, complement
from predsurv.venues.kalshi.books import MarketBook, NumberCache
from predsurv.venues.kalshi.rest_wire import TradeRow
from predsurv.venues.kalshi.wire import TradeBody, cents

_TAKER: Final[dict[str, OrderSide]] = {"bid": "buy", "ask": "sell", "yes": "buy", "no": "sell"}
_FLIPPED: Final[dict[OrderSide, OrderSide]] = {"buy": "sell", "sell": "buy"}


def trade_events(
    body: TradeBody | TradeRow, book: MarketBook | None, numbers: NumberCache, ts_recv: int, ts_venue: int | None
) -> list[Trade]:
    """Return a public trade, block trades included, as each wanted outcome of its market sees it.

    A taker who buys NO at q sells YES at 1 − q. Raises WireError or ValueError.
    """
    if book is None:
        return []
    if body.yes_price_dollars or not body.no_price_dollars:
        yes_price = numbers.prices[body.yes_price_dollars or cents(body.yes_price)]
    else:
        yes_price = numbers.no_prices[body.no_price_dollars]
    size = numbers.sizes[body.count_fp or str(body.count)]
    if size <= 0:
        raise WireError("trade of nothing")
    taker = _TAKER.get(body.taker_book_side or body.taker_outcome_side or body.taker_side or "")
    trade_id = TradeId(body.trade_id[:ID_CHARS_MAX]) if body.trade_id else None
    events = []
    for key, mirrored in book.keys.items():
        price = complement(yes_price) if mirrored else yes_price
        side = _FLIPPED[taker] if mirrored and taker else taker
        events.append(Trade(key, ts_recv, ts_venue, price, Size(size), side, trade_id))
    return events
