"""Every event survives its encoding unchanged, and none can be altered."""

from typing import get_args

import msgspec
import pytest

from predsurv.core import events
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    Gap,
    MarketChange,
    MarketResolved,
    Tick,
    Trade,
)
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, TradeId
from predsurv.core.ids import VenueName as V
from predsurv.core.market import FeeSchedule, PriceBand
from predsurv.core.num import Money, Price, Size

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))
SAMPLES: list[Event] = [
    BookSnapshot(KEY, 2, 1, 1, None, ((Price(1), Size(2)),), ()),
    BookDelta(KEY, 2, None, 1, 7, "bid", Price(1), Size(0)),
    Trade(KEY, 2, 1, Price(1), Size(2), None, None),
    Gap(KEY, 2, "disconnect", 1),
    MarketChange(V("mock"), MarketId("m"), None, 2, 1, "tick_size", "{}", None, Price(1)),
    MarketChange(
        V("mock"),
        MarketId("m"),
        None,
        2,
        1,
        "tick_size",
        "{}",
        None,
        Price(1),
        bands=(PriceBand(Price(0), Price(9), Price(1)),),
    ),
    MarketChange(V("mock"), MarketId("m"), None, 2, 1, "fee", "{}", fee=FeeSchedule("kalshi", 1, maker_rate=2)),
    MarketResolved(V("mock"), MarketId("m"), 2, 1, ((InstrumentId("y"), Price(1_000_000)),)),
    Fill(KEY, 2, 1, ClientOrderId("c"), TradeId("t"), "buy", Price(1), Size(2), Money(0), False),
    Tick(3),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_round_trip(event: Event) -> None:
    encoded = msgspec.msgpack.encode(event)
    assert msgspec.msgpack.decode(encoded, type=Event) == event


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_frozen(event: Event) -> None:
    with pytest.raises(AttributeError):
        event.ts_recv = 0  # type: ignore[misc]


def test_tags_are_distinct_over_the_whole_union() -> None:
    tags = [kind.__struct_config__.tag for kind in get_args(Event)]
    assert len(set(tags)) == len(tags)


def test_every_gap_reason_can_be_written() -> None:
    for reason in get_args(events.GapReason):
        gap = Gap(KEY, 1, reason, 0)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(gap), type=Gap).reason == reason
