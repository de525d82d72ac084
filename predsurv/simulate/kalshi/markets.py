"""The markets and books behind the simulator, in Kalshi's words.

Kept apart from who is listening because a venue has one truth however many connections it has: it
is what the books of a client are compared with.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, OrderSide, Side
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Price
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

TRADES_KEPT: Final = 10_000
_HUNDREDTH: Final = 10_000
_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_ODD = re.compile(r"[^A-Z0-9.-]")


class ChannelMessage(NamedTuple):
    """Something to tell: ``body`` is the ``msg`` of a frame of type ``kind``; ``ticker`` None is for all."""

    channel: str
    ticker: str | None
    kind: str
    body: dict[str, Any]
    encoded: bytes


class KalshiMarketState(Struct):
    """One market of ours: an outcome of a market of the venue behind. ``bands`` follow its tick."""

    ticker: str
    event: str
    series: str
    market: Market
    outcome: Outcome
    several: bool
    """Whether its event is what the venue behind calls a market."""
    result: str = ""
    payout: Price | None = None
    settled: int | None = None
    traded: int = 0
    """Contracts since the start, in hundredths."""


class KalshiBook:
    """Bids of both sides, hundredths of contracts by price in micros; NO bids at NO prices."""

    __slots__ = ("no", "yes")

    def __init__(self) -> None:
        self.yes: dict[int, int] = {}
        self.no: dict[int, int] = {}

    def side(self, side: Side, price: int) -> tuple[dict[int, int], str, int]:
        """Return where a level of the YES scale is kept: the side's sizes, its name and its own price."""
        return (self.yes, "yes", price) if side == "bid" else (self.no, "no", MICROS - price)

    def levels(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return bids and asks of YES in micros: what a client's book has to be."""
        bids = {price: size * _HUNDREDTH for price, size in self.yes.items()}
        asks = {MICROS - price: size * _HUNDREDTH for price, size in self.no.items()}
        return bids, asks


class KalshiMarkets:
    """All markets by ticker, their books, and the last trades (newest first)."""

    def __init__(self) -> None:
        self.listed: dict[str, KalshiMarketState] = {}
        self.books: dict[str, KalshiBook] = {}
        self.trades: deque[dict[str, Any]] = deque(maxlen=TRADES_KEPT)
        self._tickers: dict[InstrumentKey, str] = {}
        self._of_market: dict[str, list[str]] = {}
        self._printed = 0

    def add(self, market: Market) -> None:
        """List a market, or take its newer record; of two outcomes the second mirrors the first."""
        known = self._of_market.get(market.market_id)
        if known is not None:
            for ticker in known:
                self.listed[ticker].market = market
            return
        keys = market.primary_keys(mirrored=True)
        event = "KX" + _upper(market.event_id)
        for key, outcome in zip(keys, market.outcomes, strict=False):
            several = len(keys) > 1
            ticker = "KX" + _upper(outcome.instrument_id if several else market.market_id)
            self._tickers[key] = ticker
            self._of_market.setdefault(market.market_id, []).append(ticker)
            self.listed[ticker] = KalshiMarketState(ticker, event, event.partition("-")[0], market, outcome, several)
            self.books[ticker] = KalshiBook()

    def keys(self) -> frozenset[InstrumentKey]:
        """Return the instruments of the venue behind whose books are ours."""
        return frozenset(self._tickers)

    def book(self, ticker: str) -> KalshiBook | None:
        """Return the book of a market that is known and not settled."""
        listed = self.listed.get(ticker)
        return None if listed is None or listed.result else self.books[ticker]

    def apply(self, event: MarketEvent) -> Iterator[ChannelMessage]:
        """Take in what happened behind and yield what is to be told."""
        match event:
            case BookDelta():
                ticker = self._tickers.get(event.key)
                if ticker is not None:
                    stamp = event.ts_venue or event.ts_recv
                    yield from self._level(ticker, (event.side, event.price, event.size), stamp)
            case BookSnapshot():
                yield from self._whole(event)
            case Trade():
                yield from self._trade(event)
            case MarketChange():
                yield from self._changed(event)
            case MarketResolved():
                yield from self._resolved(event)
            case _:
                pass

    def _level(self, ticker: str, level: tuple[Side, int, int], ts: int) -> Iterator[ChannelMessage]:
        side, at, size = level
        sizes, name, price = self.books[ticker].side(side, at)
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
            "price_dollars": dollars(price),
            "delta_fp": contracts(new - old),
            "side": name,
            "ts_ms": ts // _MS,
        }
        yield news(BOOKS, ticker, "orderbook_delta", body)

    def _whole(self, event: BookSnapshot) -> Iterator[ChannelMessage]:
        ticker = self._tickers.get(event.key)
        if ticker is None:
            return
        book = self.books[ticker]
        told: dict[tuple[Side, int], int] = {("bid", price): size for price, size in event.bids}
        told |= {("ask", price): size for price, size in event.asks}
        had: list[tuple[Side, int]] = [("bid", price) for price in book.yes]
        had += [("ask", MICROS - price) for price in book.no]
        for side, price in had:
            if (side, price) not in told:
                yield from self._level(ticker, (side, price, 0), event.ts_recv)
        for (side, price), size in told.items():
            yield from self._level(ticker, (side, price, size), event.ts_recv)

    def _trade(self, event: Trade) -> Iterator[ChannelMessage]:
        ticker = self._tickers.get(event.key)
        size = event.size // _HUNDREDTH
        if ticker is None or not size:
            return
        self._printed += 1
        self.listed[ticker].traded += size
        ts = event.ts_venue or event.ts_recv
        body = {
            "trade_id": f"{self._printed:08x}-0000-4000-8000-000000000000",
            "market_ticker": ticker,
            "yes_price_dollars": dollars(event.price),
            "no_price_dollars": dollars(MICROS - event.price),
            "count_fp": contracts(size),
            **_taker(event.taker_side),
            "is_block_trade": False,
            "ts": ts // _S,
            "ts_ms": ts // _MS,
        }
        self.trades.appendleft(body)
        yield news(TRADES, ticker, "trade", body)

    def _changed(self, event: MarketChange) -> Iterator[ChannelMessage]:
        if event.market is None:
            return
        self.add(event.market)
        for ticker in self._of_market[event.market_id]:
            body = _told(self.listed[ticker], event)
            if body is None:
                continue
            kind = "event_fee_update" if event.kind == "fee" else "market_lifecycle_v2"
            yield news(LIFECYCLE, None, kind, body)

    def _resolved(self, event: MarketResolved) -> Iterator[ChannelMessage]:
        ts = (event.ts_venue or event.ts_recv) // _S
        payouts = dict(event.payouts)
        for ticker in self._of_market.get(event.market_id, ()):
            listed = self.listed[ticker]
            payout = payouts.get(InstrumentId(listed.outcome.instrument_id), Price(0))
            listed.payout, listed.settled = payout, ts * _S
            listed.result = "scalar" if event.void or payout not in (0, MICROS) else "yes" if payout else "no"
            determined = {
                "market_ticker": ticker,
                "event_type": "determined",
                "determination_ts": ts,
                "result": listed.result,
                "settlement_value": dollars(payout),
            }
            yield news(LIFECYCLE, None, "market_lifecycle_v2", determined)
            settled = {"market_ticker": ticker, "event_type": "settled", "settled_ts": ts}
            yield news(LIFECYCLE, None, "market_lifecycle_v2", settled)


def news(channel: str, ticker: str | None, kind: str, body: dict[str, Any]) -> ChannelMessage:
    """Return something to tell, encoded once for everybody."""
    return ChannelMessage(channel, ticker, kind, body, msgspec.json.encode(body))


def dollars(price: int) -> str:
    """Return micros as the venue writes prices: ``0.4400``."""
    return f"{price // MICROS}.{price % MICROS // 100:04d}"


def contracts(hundredths: int) -> str:
    """Return hundredths of contracts as the venue writes them: ``-12.50``."""
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"


def ranges(tick: int) -> list[dict[str, str]]:
    """Return the price grid of a market whose steps are ``tick`` micros."""
    return [{"start": "0.0000", "end": "1.0000", "step": dollars(tick)}]


def fee_kind(listed: KalshiMarketState) -> tuple[str, str]:
    """Return fee type and multiplier of a market's series; some charge makers, some nobody."""
    if listed.market.category == "sports":
        return "quadratic_with_maker_fees", "1"
    return "quadratic", "0" if listed.market.category == "geopolitics" else "1"


def _upper(name: str) -> str:
    return _ODD.sub("-", name.upper())


def _taker(side: OrderSide | None) -> dict[str, str]:
    if side is None:
        return {}
    outcome = "yes" if side == "buy" else "no"
    return {
        "taker_side": outcome,
        "taker_outcome_side": outcome,
        "taker_book_side": "bid" if side == "buy" else "ask",
    }


def _told(listed: KalshiMarketState, event: MarketChange) -> dict[str, Any] | None:
    """Return how the venue announces a change, None when it says nothing (as of a market that closes)."""
    market = listed.market
    about: dict[str, Any] = {"market_ticker": listed.ticker}
    match event.kind:
        case "created":
            metadata = {"name": listed.outcome.label, "title": market.question, "event_ticker": listed.event}
            grid = {"price_level_structure": "linear_cent", "price_ranges": ranges(market.tick_size)}
            close = (market.close_time or 0) // _S
            more = {"event_type": "created", "open_ts": event.ts_recv // _S, "close_ts": close}
            return {**about, **more, "additional_metadata": metadata, **grid}
        case "activated":
            return {**about, "event_type": "activated"}
        case "paused":
            return {**about, "event_type": "deactivated", "is_deactivated": True}
        case "tick_size":
            grid = {"price_level_structure": "deci_cent", "price_ranges": ranges(market.tick_size)}
            return {**about, "event_type": "price_level_structure_updated", **grid}
        case "fee":
            return {"event_ticker": listed.event, "fee_type_override": "quadratic", "fee_multiplier_override": 1}
        case "rules":
            return {**about, "event_type": "metadata_updated"}
        case _:
            return None
