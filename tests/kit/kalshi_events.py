"""The events of one Kalshi frame."""

import json
from typing import Any

import msgspec

from predsurv.core.events import MarketEvent
from predsurv.venues.kalshi.decoder import KalshiCodec
from tests.kit.kalshi_frames import EPOCH, NOW, delta, key, wire


def heard(frame: dict[str, Any]) -> list[MarketEvent]:
    """Return the events of ``frame`` on a connection that has a deep book of its market."""
    codec = KalshiCodec(EPOCH)
    said = frame.get("msg")
    body: dict[str, Any] = said if isinstance(said, dict) else {}
    ticker = body.get("market_ticker") or f"{body.get('event_ticker', 'KXOTHER')}-T1"
    out: list[MarketEvent] = []
    codec.requests({key(ticker)}, frozenset())
    if frame["type"] == "orderbook_delta":
        sid, seq = frame["sid"], frame["seq"] - 2
        price = body.get("price_dollars") or f"0.{body['price']:02d}"
        empty = {"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": {"market_ticker": ticker}}
        codec.decode([wire(empty)], NOW, [])
        codec.decode([delta(ticker, seq + 1, price, "100000.00", body["side"], sid)], NOW, [])
    codec.decode([wire(frame)], NOW, out)
    return out


def as_json(events: list[MarketEvent]) -> list[Any]:
    """Return events in the form of the golden file."""
    named = [[type(event).__name__, *msgspec.to_builtins(event)[1:]] for event in events]
    return json.loads(json.dumps(named))  # type: ignore[no-any-return]
