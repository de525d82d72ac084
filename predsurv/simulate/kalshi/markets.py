"""The markets and books of the underlying venue in Kalshi's terms; a client's books are compared with these."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, OrderSide, Side
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Price
from predsurv.simulate.kalshi.candles import CandleHistory, TradeSample
from predsurv.simulate.kalshi.trading_state import TradingState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

TRADES_KEPT_MAX: Final = 10_000
_HUNDREDTH: Final = 10_000
"""Micros in a hundredth of a contract."""
_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_INVALID_IN_TICKER = re.compile(r"[^A-Z0-9.-]")


class ChannelMessage(NamedTuple):
    """A message to the subscribers of ``channel``; ``ticker`` None: of all markets.

    ``body`` is the ``msg`` of a frame of type ``kind``, and ``encoded`` its JSON.
    """

    channel: str
    ticker: str | None
    kind: str
    body: dict[str, Any]
    encoded: bytes


class KalshiListing(Struct):
    """A listed market: one ``outcome`` of a ``market`` of the underlying venue."""

    ticker: str
    event: str
    series: str
    market: Market
    outcome: Outcome
    is_multi_outcome: bool
    """Whether the market has several outcomes, which makes it an event here."""
    result: str = ""
    payout: Price | None = None
    settled_at: int | None = None
    """ns UTC."""
    contracts_traded: int = 0
    """Since the start, in hundredths."""
    created_at: int = 0
    """ns UTC."""
    updated_at: int = 0
    """When anything but quotes and trades changed last, ns UTC."""
    market_type: str = "binary"
    floor: str = ""
    """The ``settlement_floor_dollars`` of a market with a floor."""
    exchange_index: int = 0
    last_price: int = 0
    """Of the last trade (micros), 0 before the first one."""
    last_size: int = 0
    """Of the last trade, in hundredths."""


class BidLevel(NamedTuple):
    """A level of one side's bids: all ``sizes`` of the side, its ``name`` (``yes`` or ``no``) and the price."""

    sizes: dict[int, int]
    name: str
    price: int


class KalshiBook:
    """YES and NO bids: hundredths of contracts by price in micros, NO bids at NO prices."""

    __slots__ = ("no", "yes")

    def __init__(self) -> None:
        self.yes: dict[int, int] = {}
        self.no: dict[int, int] = {}

    def bid_level(self, side: Side, price: int) -> BidLevel:
        """Return the bid that a level of the YES instrument (``side``, ``price`` in micros) corresponds to."""
        return BidLevel(self.yes, "yes", price) if side == "bid" else BidLevel(self.no, "no", MICROS - price)

    def levels(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return bids and asks of YES, sizes by price in micros, as they have to be in a client's book."""
        bids = {price: size * _HUNDREDTH for price, size in self.yes.items()}
        asks = {MICROS - price: size * _HUNDREDTH for price, size in self.no.items()}
        return bids, asks


class KalshiMarkets:
    """All markets by ticker, their books, and the last trades (newest first).

    While ``trading`` is not open, books stay as they are and there are no trades. So they do in a market whose close
    time has passed: the venue says nothing then, and the last quotes stand until it settles, which it does
    ``settles_after`` (ns) after its outcome was determined.
    """

    def __init__(self, settles_after: int = 0) -> None:
        self._settles_after = settles_after
        self._settling: deque[tuple[int, str]] = deque()  # time (ns UTC) and ticker, in order
        self.trading = TradingState()
        self.fee_changes: list[dict[str, Any]] = []
        """The rows of ``/series/fee_changes``."""
        self.event_fee_changes: list[dict[str, Any]] = []
        """Those of ``/events/fee_changes``."""
        self.listed: dict[str, KalshiListing] = {}
        self.books: dict[str, KalshiBook] = {}
        self.candles = CandleHistory()
        self.trades: deque[dict[str, Any]] = deque(maxlen=TRADES_KEPT_MAX)
        self._tickers: dict[InstrumentKey, str] = {}
        self.instruments: dict[str, InstrumentKey] = {}
        """Those of the underlying venue, by ticker."""
        self.tickers_by_market: dict[str, list[str]] = {}
        self.close_times: dict[str, int] = {}
        """Those that were moved, ns UTC by market."""

    def add(self, market: Market, at: int = 0) -> None:
        """List a market, or update its record, ``at`` (ns UTC, 0: when it was fetched).

        Of two outcomes only the first is listed, as its YES.
        """
        if market.market_id in self.close_times:
            market = replace(market, close_time=self.close_times[market.market_id])
        known = self.tickers_by_market.get(market.market_id)
        if known is not None:
            for ticker in known:
                self.listed[ticker].market = market
                self.listed[ticker].updated_at = at or market.fetched_at
            return
        keys = market.primary_keys(mirrored=True)
        event = "KX" + _upper(market.event_id)
        for key, outcome in zip(keys, market.outcomes, strict=False):
            is_multi_outcome = len(keys) > 1
            ticker = "KX" + _upper(outcome.instrument_id if is_multi_outcome else market.market_id)
            self._tickers[key] = ticker
            self.instruments[ticker] = key
            self.tickers_by_market.setdefault(market.market_id, []).append(ticker)
            series = event.partition("-")[0]
            listing = KalshiListing(ticker, event, series, market, outcome, is_multi_outcome)
            listing.created_at = listing.updated_at = at or market.fetched_at
            self.listed[ticker] = listing
            self.books[ticker] = KalshiBook()

    def keys(self) -> frozenset[InstrumentKey]:
        """Return the instruments of the underlying venue whose books are listed and not settled."""
        return frozenset(key for key, ticker in self._tickers.items() if self.listed[ticker].settled_at is None)

    def book(self, ticker: str) -> KalshiBook | None:
        """Return the book of a market, None for an unknown or settled one."""
        listed = self.listed.get(ticker)
        return None if listed is None or listed.settled_at is not None else self.books[ticker]

    def apply(self, event: MarketEvent) -> Iterator[ChannelMessage]:
        """Apply an event of the underlying venue and yield the resulting messages."""
        if isinstance(event, BookDelta | BookSnapshot | Trade) and not self._trades(event):
            return
        match event:
            case BookDelta():
                stamp = event.ts_venue or event.ts_recv
                yield from self._set_level(self._tickers[event.key], event.side, event.price, event.size, stamp)
            case BookSnapshot():
                yield from self._replace_book(event)
            case Trade():
                yield from self._add_trade(event)
            case MarketChange():
                yield from self._change_market(event)
            case MarketResolved():
                yield from self._settle(event)
            case _:
                pass

    def _trades(self, event: BookDelta | BookSnapshot | Trade) -> bool:
        """Return whether the market of ``event`` is listed and was open at its time."""
        ticker = self._tickers.get(event.key)
        if ticker is None or not self.trading.is_open:
            return False
        ends = self.listed[ticker].market.close_time
        return ends is None or (event.ts_venue or event.ts_recv) < ends

    def _set_level(self, ticker: str, side: Side, yes_price: int, size: int, ts: int) -> Iterator[ChannelMessage]:
        sizes, name, price = self.books[ticker].bid_level(side, yes_price)
        new, old = size // _HUNDREDTH, sizes.get(price, 0)
        if new == old:
            return
        if new:
            sizes[price] = new
        else:
            del sizes[price]
        body = {
            "market_ticker": ticker,
            "market_id": ticker.lower(),
            "price_dollars": dollars_text(price),
            "delta_fp": contracts_text(new - old),
            "side": name,
            "ts_ms": ts // _MS,
        }
        yield channel_message(BOOKS, ticker, "orderbook_delta", body)

    def _replace_book(self, event: BookSnapshot) -> Iterator[ChannelMessage]:
        ticker = self._tickers[event.key]
        book = self.books[ticker]
        new: dict[tuple[Side, int], int] = {("bid", price): size for price, size in event.bids}
        new |= {("ask", price): size for price, size in event.asks}
        old: list[tuple[Side, int]] = [("bid", price) for price in book.yes]
        old += [("ask", MICROS - price) for price in book.no]
        for side, price in old:
            if (side, price) not in new:
                yield from self._set_level(ticker, side, price, 0, event.ts_recv)
        for (side, price), size in new.items():
            yield from self._set_level(ticker, side, price, size, event.ts_recv)

    def _add_trade(self, event: Trade) -> Iterator[ChannelMessage]:
        ticker, size = self._tickers[event.key], event.size // _HUNDREDTH
        if not size:
            return
        listed, book = self.listed[ticker], self.books[ticker]
        listed.contracts_traded += size
        listed.last_price, listed.last_size = event.price, size
        ts = event.ts_venue or event.ts_recv
        bid, ask = max(book.yes, default=0), MICROS - max(book.no, default=0)
        self.candles.add(TradeSample(ticker, ts, event.price, size, bid, ask))
        body = {
            "trade_id": public_trade_id(event, len(self.trades) + 1),
            "market_ticker": ticker,
            "yes_price_dollars": dollars_text(event.price),
            "no_price_dollars": dollars_text(MICROS - event.price),
            "count_fp": contracts_text(size),
            **_taker_fields(event.taker_side),
            "is_block_trade": False,
            "ts": ts // _S,
            "ts_ms": ts // _MS,
        }
        self.trades.appendleft(body)
        yield channel_message(TRADES, ticker, "trade", body)

    def _change_market(self, event: MarketChange) -> Iterator[ChannelMessage]:
        if event.market is None:
            return
        self.add(event.market, event.ts_venue or event.ts_recv)
        for ticker in self.tickers_by_market[event.market_id]:
            body = _lifecycle_body(self.listed[ticker], event)
            if body is None:
                continue
            kind = "event_fee_update" if event.kind == "fee" else "market_lifecycle_v2"
            yield channel_message(LIFECYCLE, None, kind, body)

    def _settle(self, event: MarketResolved) -> Iterator[ChannelMessage]:
        ts = (event.ts_venue or event.ts_recv) // _S
        payouts = dict(event.payouts)
        for ticker in self.tickers_by_market.get(event.market_id, ()):
            listed = self.listed[ticker]
            payout = payouts.get(InstrumentId(listed.outcome.instrument_id), Price(0))
            listed.payout, listed.updated_at = payout, ts * _S
            listed.result = "scalar" if event.void or payout not in (0, MICROS) else "yes" if payout else "no"
            determined = {
                "market_ticker": ticker,
                "event_type": "determined",
                "determination_ts": ts,
                "result": listed.result,
                "settlement_value": dollars_text(payout),
            }
            yield channel_message(LIFECYCLE, None, "market_lifecycle_v2", determined)
            self._settling.append((ts * _S + self._settles_after, ticker))
        if not self._settles_after:
            yield from self.settle(ts * _S)

    def settle(self, now: int) -> Iterator[ChannelMessage]:
        """Settle the markets whose time has come at ``now`` (ns UTC) and yield the messages."""
        while self._settling and self._settling[0][0] <= now:
            at, ticker = self._settling.popleft()
            self.listed[ticker].settled_at = self.listed[ticker].updated_at = at
            settled = {"market_ticker": ticker, "event_type": "settled", "settled_ts": at // _S}
            yield channel_message(LIFECYCLE, None, "market_lifecycle_v2", settled)


def public_trade_id(event: Trade, number: int) -> str:
    """Return the id of a trade of the underlying venue, which numbers it ``t123``; ``number`` where it does not."""
    if event.trade_id is not None and event.trade_id[1:].isdigit():
        number = int(event.trade_id[1:])
    return f"{number:08x}-0000-4000-8000-000000000000"


def move_close(markets: KalshiMarkets, ticker: str, close_time: int, at: int) -> ChannelMessage:
    """Move the close time of a market (ns UTC) ``at`` a time and return the message."""
    market = markets.listed[ticker].market
    markets.close_times[market.market_id] = close_time
    markets.add(market, at)
    body = {"market_ticker": ticker, "event_type": "close_date_updated", "close_ts": close_time // _S}
    return channel_message(LIFECYCLE, None, "market_lifecycle_v2", body)


def channel_message(channel: str, ticker: str | None, kind: str, body: dict[str, Any]) -> ChannelMessage:
    """Return a message, encoded once for all subscribers."""
    return ChannelMessage(channel, ticker, kind, body, msgspec.json.encode(body))


def dollars_text(price: int) -> str:
    """Return a price (micros) as the venue writes it: ``0.4400``."""
    return f"{price // MICROS}.{price % MICROS // 100:04d}"


def contracts_text(hundredths: int) -> str:
    """Return hundredths of contracts as the venue writes them: ``-12.50``."""
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"


def price_ranges(tick_size: int) -> list[dict[str, str]]:
    """Return the price grid with steps of ``tick_size`` micros."""
    return [{"start": "0.0000", "end": "1.0000", "step": dollars_text(tick_size)}]


class SeriesFee(NamedTuple):
    """The fee of a series, as the venue writes it."""

    fee_type: str
    multiplier: str


def series_fee(listed: KalshiListing) -> SeriesFee:
    """Return the fee of a market's series: some series charge makers too, some charge no fee."""
    if listed.market.category == "sports":
        return SeriesFee("quadratic_with_maker_fees", "1")
    return SeriesFee("quadratic", "0" if listed.market.category == "geopolitics" else "1")


def _upper(name: str) -> str:
    return _INVALID_IN_TICKER.sub("-", name.upper())


def _taker_fields(side: OrderSide | None) -> dict[str, str]:
    if side is None:
        return {}
    outcome = "yes" if side == "buy" else "no"
    return {
        "taker_side": outcome,
        "taker_outcome_side": outcome,
        "taker_book_side": "bid" if side == "buy" else "ask",
    }


def _lifecycle_body(listed: KalshiListing, event: MarketChange) -> dict[str, Any] | None:
    """Return the announcement of a change, None for changes that the venue does not announce (such as closing)."""
    market = listed.market
    ticker: dict[str, Any] = {"market_ticker": listed.ticker}
    match event.kind:
        case "created":
            metadata = {"name": listed.outcome.label, "title": market.question, "event_ticker": listed.event}
            grid = {"price_level_structure": "linear_cent", "price_ranges": price_ranges(market.tick_size)}
            close = (market.close_time or 0) // _S
            times = {"event_type": "created", "open_ts": event.ts_recv // _S, "close_ts": close}
            return {**ticker, **times, "additional_metadata": metadata, **grid}
        case "activated":
            return {**ticker, "event_type": "activated"}
        case "paused":
            return {**ticker, "event_type": "deactivated", "is_deactivated": True}
        case "tick_size":
            grid = {"price_level_structure": "deci_cent", "price_ranges": price_ranges(market.tick_size)}
            return {**ticker, "event_type": "price_level_structure_updated", **grid}
        case "fee":
            return {"event_ticker": listed.event, "fee_type_override": "quadratic", "fee_multiplier_override": 1}
        case "rules":
            return {**ticker, "event_type": "metadata_updated"}
        case _:
            return None
