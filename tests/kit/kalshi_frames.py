"""Frames as Kalshi sends them, for the tests of what reads them."""

import json
from collections.abc import Iterable
from typing import Any

from predsurv.core.events import BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

NOW = 1_800_000_000_000_000_000
EPOCH = 3
SIDS = {BOOKS: 1, TRADES: 2, LIFECYCLE: 3}
A, B = "KXA-26-T4615.99", "KXB-26"


def key(ticker: str, *, no: bool = False) -> InstrumentKey:
    return InstrumentKey(VenueName("kalshi"), MarketId(ticker), InstrumentId(f"{ticker}:no" if no else ticker))


def wire(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def snapshot(ticker: str, seq: int, yes: Any = (), no: Any = (), sid: int = 1) -> bytes:
    body = {"market_ticker": ticker, "market_id": "m"}
    if yes:
        body["yes_dollars_fp"] = yes
    if no:
        body["no_dollars_fp"] = no
    return wire({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": body})


def delta(ticker: str, seq: int, price: str = "0.4000", change: str = "1.00", side: str = "yes", sid: int = 1) -> bytes:
    body = {"market_ticker": ticker, "market_id": "m", "price_dollars": price, "delta_fp": change, "side": side}
    return wire({"type": "orderbook_delta", "sid": sid, "seq": seq, "msg": {**body, "ts_ms": 1_787_838_983_996}})


def error(code: int, **more: Any) -> bytes:
    return wire({"type": "error", **more, "msg": {"code": code, "msg": "said so"}})


def trade(seq: int | None, sid: int = 2, **more: Any) -> bytes:
    body = {"trade_id": "t1", "market_ticker": A, "yes_price_dollars": "0.4200", "count_fp": "3.50"}
    frame = {"type": "trade", "sid": sid, "msg": {**body, "taker_book_side": "ask", "ts_ms": 1_780_096_775_004, **more}}
    return wire(frame if seq is None else {**frame, "seq": seq})


def life(seq: int, event_type: str, **more: Any) -> bytes:
    body = {"market_ticker": A, "event_type": event_type, **more}
    return wire({"type": "market_lifecycle_v2", "sid": 3, "seq": seq, "msg": body})


def gaps(events: Iterable[MarketEvent]) -> list[tuple[str, str]]:
    """Return ticker and reason of each gap."""
    return [(event.key.instrument_id, event.reason) for event in events if isinstance(event, Gap)]


class CodecConnection:
    """A codec on an open connection, subscribed to ``tickers``, each with a book when ``live``."""

    def __init__(self, *tickers: str, live: bool = True, shared: KalshiSharedState | None = None) -> None:
        self.codec = KalshiCodec(EPOCH, shared)
        self.seqs = dict.fromkeys(SIDS.values(), 0)
        self.sent: list[dict[str, Any]] = []
        self.request(*tickers)
        for channel, sid in SIDS.items():
            self.receive(wire({"type": "subscribed", "id": 1, "msg": {"channel": channel, "sid": sid}}))
        for ticker in tickers if live else ():
            opened = self.receive(snapshot(ticker, self.next(), [["0.4000", "10.00"]], [["0.5000", "10.00"]]))
            assert isinstance(opened[0], BookSnapshot)

    def next(self, sid: int = 1) -> int:
        """Return the next number of ``sid``."""
        self.seqs[sid] += 1
        return self.seqs[sid]

    def receive(self, frame: bytes) -> list[MarketEvent]:
        """Return the events of ``frame``."""
        out: list[MarketEvent] = []
        self.codec.decode([frame], NOW, out)
        return out

    def request(self, *tickers: str, drop: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Return the commands that subscribe ``tickers`` and unsubscribe ``drop``."""
        frames = self.codec.requests({key(each) for each in tickers}, {key(each) for each in drop})
        commands = [json.loads(frame) for frame in frames]
        self.sent += commands
        return commands

    def resubscribe(self) -> list[dict[str, Any]]:
        """Return the commands that request the lost books again."""
        lost = tuple(each.instrument_id for each in self.codec.take_lost())
        return self.request(*lost, drop=lost) if lost else []
