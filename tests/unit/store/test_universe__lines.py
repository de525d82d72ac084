"""Lines that are written without a struct in between are those that the struct's encoder writes, byte for byte."""

import random
from decimal import Decimal
from typing import Any, Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import BINARY, FeeSchedule, Market, MarketStatus, Outcome, PriceBand
from predsurv.core.native import speedups
from predsurv.core.num import Money, Price, Size
from predsurv.store.universe import format_line, market_line, to_line

TEXTS: Final = st.text() | st.text('"\\/\x00\x1f\x7f\u2028é\U0001f3b2\b\f\n\r\t', max_size=20)
SOME: Final = st.none() | TEXTS
AMOUNTS: Final = st.none() | st.integers(-(2**70), 2**70) | st.integers(-10, 10**13)
TIMES: Final = st.integers(0, 2**62) | st.integers(0, 2 * 10**9).map(lambda second: second * 10**9)
PRICES: Final = st.integers(0, 10**6)
BANDS: Final = st.lists(st.builds(PriceBand, PRICES, PRICES, PRICES), max_size=3).map(tuple)
FEES: Final = st.builds(
    FeeSchedule,
    st.sampled_from(["none", "polymarket", "kalshi"]),
    PRICES,
    st.sampled_from([1, 2, Decimal("0.5")]),
    PRICES,
    st.none() | TIMES,
    PRICES,
)
FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "venue": TEXTS,
    "market_id": TEXTS,
    "event_id": TEXTS,
    "question": TEXTS,
    "outcomes": st.lists(st.builds(Outcome, TEXTS, TEXTS), max_size=3).map(tuple),
    "status": st.sampled_from(get_args(MarketStatus)),
    "tick_size": PRICES,
    "min_order_size": st.integers(0, 10**15),
    "fetched_at": TIMES,
    "series_id": SOME,
    "description": SOME,
    "category": SOME,
    "tags": st.lists(TEXTS, max_size=3).map(tuple),
    "neg_risk": st.booleans(),
    "mutually_exclusive": st.booleans(),
    "exhaustive": st.booleans(),
    "fee": FEES,
    "bands": BANDS,
    "min_taker_buy": st.integers(0, 10**7),
    "taker_delay": st.integers(0, 10**11),
    "volume": AMOUNTS,
    "volume_24h": AMOUNTS,
    "liquidity": AMOUNTS,
    "open_interest": AMOUNTS,
    "close_time": st.none() | TIMES,
    "url": SOME,
    "rules_hash": SOME,
    "tradable": st.booleans(),
    "market_type": st.sampled_from([BINARY, "scalar", ""]),
    "game_start": st.none() | TIMES,
    "reward_min_size": st.none() | PRICES,
    "reward_max_spread": st.none() | PRICES,
    "assumed": st.sampled_from([(), ("fee",), ("fee", "tags")]),
    "last_seen": st.none() | TIMES,
    "event_title": SOME,
    "version": st.sampled_from(["", "v1"]),
    "shard": st.none() | st.integers(0, 9),
}
PLAIN: Final = Market(
    venue=VenueName("polymarket"),
    market_id=MarketId("0x1"),
    event_id=EventId("7"),
    question="Will it?",
    outcomes=(Outcome(InstrumentId("1"), "Yes"), Outcome(InstrumentId("2"), "No")),
    status="active",
    tick_size=Price(1_000),
    min_order_size=Size(5_000_000),
    fetched_at=1_790_000_000_123_456_789,
    volume=Money(1_230_000),
)


def test_each_field_of_a_market_is_compared() -> None:
    assert FIELDS.keys() == {*Market.__struct_fields__}


@given(st.builds(Market, **FIELDS))
def test_any_market_is_written_as_by_the_encoder(market: Market) -> None:
    assert market_line(market) == format_line(to_line(market))


def test_markets_after_one_another_share_nothing_but_what_is_the_same() -> None:
    chance, fees = random.Random(4), [FeeSchedule("polymarket", rate, since=rate) for rate in range(4)]
    for _ in range(2_000):
        changes: dict[str, Any] = {
            "fee": chance.choice(fees),
            "close_time": chance.choice([None, 10**18, 10**18 + 1]),
            "fetched_at": chance.choice([10**18, 10**18 + 5]),
            "game_start": chance.choice([None, 5, 10**18]),
            "bands": chance.choice([(), (PriceBand(Price(0), Price(9), Price(1)),)]),
        }
        market = replace(PLAIN, **changes)
        assert market_line(market) == format_line(to_line(market))


@pytest.mark.skipif(speedups is None, reason="there is only the encoder")
@pytest.mark.parametrize(
    "changes",
    [{"question": "\ud800"}, {"volume": 2**64}, {"tags": ["a"]}, {"neg_risk": 1}, {"outcomes": ("1",)}, {"url": 5}],
)
def test_an_unusual_market_is_left_to_the_encoder(changes: dict[str, Any]) -> None:
    assert speedups is not None
    writer = speedups.NativeLineWriter(str, lambda fee: b"{}", lambda bands: b"[]", BINARY)
    assert writer.line(replace(PLAIN, **changes)) is None
    assert writer.line(PLAIN) is not None
