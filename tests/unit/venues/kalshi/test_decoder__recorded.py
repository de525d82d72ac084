"""Every frame that was recorded or documented, in every format there was, gives the events it should."""

import pytest

from predsurv.core.events import BookSnapshot, Malformed, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.kalshi.decoder import KalshiCodec
from tests.kit.kalshi_events import as_json, heard
from tests.kit.kalshi_frames import EPOCH, NOW, key, wire
from tests.kit.payloads import Payloads


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
