"""Every frame that was recorded or documented, in every format there was, gives the events it should."""

import json
from typing import Any

import msgspec
import pytest

from predsurv.core.events import BookSnapshot, Malformed, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.kalshi.decoder import KalshiCodec
from tests.kit.kalshi_frames import EPOCH, NOW, delta, key, wire
from tests.kit.payloads import Payloads


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


def test_frames_give_the_events_they_should(payloads: Payloads) -> None:
    golden = payloads.expected("kalshi_frames")
    frames = dict(payloads.kalshi_frames())
    assert frames.keys() == golden.keys()
    assert len(frames) > 60
    for name, frame in frames.items():
        assert as_json(heard(frame)) == golden[name], name


def test_no_frame_is_malformed(payloads: Payloads) -> None:
    assert not [name for name, frame in payloads.kalshi_frames() if any(isinstance(e, Malformed) for e in heard(frame))]


@pytest.mark.parametrize("no", [False, True])
def test_snapshots_give_the_no_outcome_no_less(payloads: Payloads, no: bool) -> None:
    for _, frame in payloads.kalshi_frames():
        if frame["type"] != "orderbook_snapshot" or frame["msg"].get("market_id") == "":
            continue
        wanted: InstrumentKey = key(frame["msg"]["market_ticker"], no=no)
        codec, out = KalshiCodec(EPOCH), list[MarketEvent]()
        codec.requests({wanted}, frozenset())
        codec.decode([wire(frame)], NOW, out)
        assert [event.key for event in out if isinstance(event, BookSnapshot)] == [wanted]
