"""A trade is told once for its market, whichever outcome the taker bought."""

from typing import Any

import pytest

from predsurv.core.errors import WireError
from predsurv.core.events import Trade
from predsurv.venues.kalshi.books import MarketBook, NumberCache
from predsurv.venues.kalshi.public_trades import trade_events
from predsurv.venues.kalshi.wire import TradeBody
from tests.kit.kalshi_frames import NOW, A, key

YES, NO = key(A), key(A, no=True)


def told(*wanted: Any, **fields: Any) -> list[Trade]:
    """Return the trades of a message about 12 contracts; ``wanted`` outcomes hear it."""
    book = MarketBook(A)
    book.keys = {each: each == NO for each in wanted}
    body = TradeBody(A, trade_id="t", count_fp="12.00", **fields)
    return trade_events(body, book, NumberCache(), NOW, None)


@pytest.mark.parametrize(
    "taker",
    [
        {"taker_book_side": "ask", "taker_outcome_side": "no", "taker_side": "no"},
        {"taker_outcome_side": "no"},
        {"taker_side": "no"},
    ],
)
@pytest.mark.parametrize(
    "price",
    [
        {"yes_price_dollars": "0.4500", "no_price_dollars": "0.5500"},
        {"no_price_dollars": "0.5500"},
        {"yes_price": 45},
    ],
)
def test_who_buys_no_sells_yes(taker: dict[str, str], price: dict[str, Any]) -> None:
    (trade,) = told(YES, **taker, **price)
    assert (trade.key, trade.price, trade.size, trade.taker_side) == (YES, 450_000, 12_000_000, "sell")


def test_with_both_outcomes_recorded_both_have_it_under_one_id() -> None:
    yes, no = told(YES, NO, yes_price_dollars="0.4500", taker_outcome_side="no")
    assert (yes.price, yes.taker_side, no.price, no.taker_side) == (450_000, "sell", 550_000, "buy")
    assert yes.trade_id == no.trade_id


def test_a_market_that_is_not_watched_tells_nothing_and_a_trade_without_price_is_unreadable() -> None:
    assert told(yes_price_dollars="0.4500") == []
    with pytest.raises(WireError):
        told(YES, taker_outcome_side="no")
