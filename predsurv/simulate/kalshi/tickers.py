"""The channel ``ticker``: the best quotes, the last trade and what was traded of a market, whenever that changes."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import (
    ChannelMessage,
    KalshiMarkets,
    channel_message,
    contracts_text,
    dollars_text,
)
from predsurv.simulate.kalshi.rest_rows import iso_text
from predsurv.venues.kalshi.subscriptions import BOOKS, TRADES

TICKERS: Final = "ticker"
_MS: Final = 1_000_000


class _Quote(NamedTuple):
    """What a message of the channel tells, prices in micros and sizes in hundredths of contracts."""

    bid: int
    bid_size: int
    ask: int
    ask_size: int
    last: int
    traded: int


class TickerChannel:
    """Makes the messages of the channel from those of the books and trades."""

    def __init__(self, markets: KalshiMarkets) -> None:
        self._markets = markets
        self._told: dict[str, _Quote] = {}

    def after(self, messages: Sequence[ChannelMessage], now: int) -> list[ChannelMessage]:
        """Return a message for each market of ``messages`` whose quote is another; ``now`` in ns UTC."""
        found: list[ChannelMessage] = []
        for ticker in dict.fromkeys(each.ticker for each in messages if each.channel in (BOOKS, TRADES)):
            if ticker is None:
                continue
            quote = self._quote(ticker)
            if self._told.get(ticker) != quote:
                self._told[ticker] = quote
                found.append(self._message(ticker, quote, now))
        return found

    def _quote(self, ticker: str) -> _Quote:
        book, listed = self._markets.books[ticker], self._markets.listed[ticker]
        bid, no_bid = max(book.yes, default=0), max(book.no, default=0)
        return _Quote(
            bid,
            book.yes.get(bid, 0),
            MICROS - no_bid,
            book.no.get(no_bid, 0),
            listed.last_price,
            listed.contracts_traded,
        )

    def _message(self, ticker: str, quote: _Quote, now: int) -> ChannelMessage:
        listed = self._markets.listed[ticker]
        interest = (listed.market.open_interest or 0) // 10_000
        volume = (listed.market.volume or 0) // 10_000 + quote.traded
        body: dict[str, Any] = {
            "market_ticker": ticker,
            "market_id": ticker.lower(),
            "price_dollars": dollars_text(quote.last),
            "yes_bid_dollars": dollars_text(quote.bid),
            "yes_ask_dollars": dollars_text(quote.ask),
            "yes_bid_size_fp": contracts_text(quote.bid_size),
            "yes_ask_size_fp": contracts_text(quote.ask_size),
            "last_trade_size_fp": contracts_text(listed.last_size),
            "volume_fp": contracts_text(volume),
            "open_interest_fp": contracts_text(interest),
            "dollar_volume": volume // 100,
            "dollar_open_interest": interest // 100,
            "ts": now // 1_000_000_000,
            "ts_ms": now // _MS,
            "time": iso_text(now),
        }
        return channel_message(TICKERS, ticker, "ticker", body)
