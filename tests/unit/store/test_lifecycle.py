"""Tests of predsurv.store.lifecycle."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market, Outcome, PriceBand
from predsurv.core.num import Price, Size
from predsurv.store.lifecycle import LifecycleRow, to_event, to_row

VENUE = VenueName("mock")
MARKET = Market(
    venue=VENUE,
    market_id=MarketId("m"),
    event_id=EventId("e"),
    question="?",
    outcomes=(Outcome(InstrumentId("y"), "Yes"),),
    status="created",
    tick_size=Price(1_000),
    min_order_size=Size(5_000_000),
    fetched_at=1,
)


@given(
    st.text() | st.sampled_from(['{"a": 1.50}', "[]", '"x"', "1e400", " {}", "NaN", '{"a":', "\ud800"]),
    st.none() | st.integers(1, 10**6),
    st.sampled_from([None, MARKET]),
    st.sampled_from(
        [
            {},
            {"fee": NO_FEE},
            {"fee": FeeSchedule("kalshi", 35_000, maker_rate=8_750, since=5)},
            {"bands": (PriceBand(Price(0), Price(100_000), Price(1_000)),)},
        ]
    ),
)
def test_a_change_comes_back_as_it_was(
    value: str, tick: int | None, market: Market | None, more: dict[str, Any]
) -> None:
    if not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return  # a lone surrogate cannot be stored; venue adapters refuse such text
    tick_size = None if tick is None else Price(tick)
    event = MarketChange(VENUE, MarketId("m"), None, 5, 4, "created", value, market, tick_size, **more)
    assert to_event(to_row(event)) == event


@given(
    st.dictionaries(st.text("abc", min_size=1).map(InstrumentId), st.integers(0, 10**6).map(Price)),
    st.booleans(),
    st.none() | st.integers(0, 9),
)
def test_a_settlement_comes_back_as_it_was(payouts: dict[InstrumentId, Price], void: bool, venue: int | None) -> None:
    event = MarketResolved(VENUE, MarketId("m"), 5, venue, tuple(payouts.items()), void)
    row = to_row(event)
    assert row.kind == ("void" if void else "resolved")
    assert to_event(row) == event


def test_the_lifecycle_value_is_readable_json() -> None:
    event = MarketChange(
        VENUE, MarketId("m"), InstrumentId("y"), 5, None, "tick_size", '{"new":"0.01"}', None, Price(10_000)
    )
    row = to_row(event)
    assert msgspec.json.decode(row.value) == {"change": {"new": "0.01"}, "tick_size": "0.01"}
    assert row.key == InstrumentKey(VENUE, MarketId("m"), InstrumentId("y"))
    dearer = MarketChange(VENUE, MarketId("m"), None, 5, None, "fee", "{}", fee=FeeSchedule("kalshi", 35_000))
    assert msgspec.json.decode(to_row(dearer).value) == {"change": {}, "fee": {"model": "kalshi", "rate": "0.035"}}
    bands = (PriceBand(Price(0), Price(100_000), Price(1_000)),)
    finer = MarketChange(VENUE, MarketId("m"), None, 5, None, "tick_size", "{}", None, Price(1_000), bands=bands)
    assert msgspec.json.decode(to_row(finer).value)["bands"] == [{"start": "0", "end": "0.1", "step": "0.001"}]
    larger = replace(event, min_order_size=Size(15_000_000))
    assert msgspec.json.decode(to_row(larger).value)["min_order_size"] == "15"
    assert to_event(to_row(larger)) == larger


def test_lifecycle_values_without_fee_and_bands_are_readable() -> None:
    key = InstrumentKey(VENUE, MarketId("m"), InstrumentId(""))
    told = to_event(LifecycleRow(key, 1, None, "fee", '{"change":{"rate":"0.035"}}'))
    assert told == MarketChange(VENUE, MarketId("m"), None, 1, None, "fee", '{"rate":"0.035"}')
    told = to_event(LifecycleRow(key, 1, None, "tick_size", '{"change":{},"tick_size":"0.001"}'))
    assert told == MarketChange(VENUE, MarketId("m"), None, 1, None, "tick_size", "{}", None, Price(1_000))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("resolved", "{}"),
        ("void", '{"payouts":{"y":"x"}}'),
        ("created", "["),
        ("nonsense", "{}"),
        ("fee", '{"market":{}}'),
    ],
)
def test_a_damaged_value_is_one_kind_of_error(kind: str, value: str) -> None:
    key = InstrumentKey(VENUE, MarketId("m"), InstrumentId(""))
    with pytest.raises(ValueError, match=r"\w"):
        to_event(LifecycleRow(key, 1, None, kind, value))
