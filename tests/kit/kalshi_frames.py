"""Frames as Kalshi sends them, for the tests of what reads them."""

import json
from typing import Any

from predsurv.core.events import BookSnapshot, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

NOW = 1_800_000_000_000_000_000
EPOCH = 3
SIDS = {BOOKS: 1, TRADES: 2, LIFECYCLE: 3}


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
