"""Gamma rows to markets: recorded ones, every shape a value comes in, and mutations."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import WireError
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.venues.polymarket.market_parser import parse_market, read_row
from tests.kit.payloads import Payloads
from tests.kit.polymarket_rows import markets_of

ROW: dict[str, Any] = {
    "id": "1",
    "question": "Will it?",
    "conditionId": "0xc1",
    "slug": "will-it",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": '["11", "12"]',
    "orderPriceMinTickSize": 0.001,
    "orderMinSize": 5,
    "active": True,
    "closed": False,
    "archived": False,
    "enableOrderBook": True,
    "acceptingOrders": True,
}


def market(**changes: Any) -> Market | None:
    return parse_market(read_row(json.dumps({**ROW, **changes})), 7)


def one(**changes: Any) -> Market:
    found = market(**changes)
    assert found is not None
    return found


def test_rows_give_the_markets_they_should(payloads: Payloads) -> None:
    assert markets_of(payloads) == payloads.expected("polymarket_markets")


@pytest.mark.parametrize("value", ['["11", "12"]', ["11", "12"]])
def test_lists_come_in_texts_or_as_lists(value: Any) -> None:
    assert [outcome.instrument_id for outcome in one(clobTokenIds=value).outcomes] == ["11", "12"]


@pytest.mark.parametrize("value", [None, "", "[]", [], "null", '["11"]', '["11", ""]', '["1","2","3"]'])
def test_a_market_without_two_tokens_is_none_yet(value: Any) -> None:
    assert market(clobTokenIds=value) is None


def test_a_non_binary_market_is_none() -> None:
    assert market(outcomes='["A", "B", "C"]') is None


@pytest.mark.parametrize("value", ["[", "nope", 5, {"a": 1}, [1, 2], "[1, 2]"])
def test_a_broken_list_is_an_issue(value: Any) -> None:
    with pytest.raises(WireError, match="not a list of texts"):
        market(clobTokenIds=value)


def test_the_second_protocol_uses_position_ids() -> None:
    assert one(version="v2", clobTokenIds="[]", positionIds=["21", "22"]).key(0).instrument_id == "21"
    assert one(version="v1", positionIds=["21", "22"]).key(0).instrument_id == "11"


@pytest.mark.parametrize(
    "flags",
    [
        {"enableOrderBook": None},
        {"acceptingOrders": False},
        {"active": False},
        {"closed": True},
        {"archived": True},
    ],
)
def test_a_market_is_tradable_when_every_flag_is_set(flags: dict[str, Any]) -> None:
    assert one().tradable
    assert not one(**flags).tradable


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "active"),
        ({"acceptingOrders": False}, "paused"),
        ({"active": False}, "created"),
        ({"umaResolutionStatus": "disputed"}, "disputed"),
        ({"umaResolutionStatus": "proposed"}, "active"),
        ({"closed": True}, "closed"),
        ({"archived": True}, "closed"),
        ({"closed": True, "umaResolutionStatus": "resolved"}, "resolved"),
    ],
)
def test_flags_give_the_status(flags: dict[str, Any], status: str) -> None:
    assert one(**flags).status == status


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (12071015.216477996, 12_071_015_216_477),
        ("12071015.2164779969999999999999999", 12_071_015_216_477),
        (0, 0),
        (1e21, None),
        (-5, None),
        ("", None),
        (None, None),
        ("NaN", None),
        (1.5e-3, 1_500),
    ],
)
def test_volumes_are_cut_to_micros(value: Any, micros: int | None) -> None:
    assert one(volumeNum=value).volume == micros


def test_volume_falls_back_to_the_text() -> None:
    assert one(volumeNum=None, volume="9.999997").volume == 9_999_997


def test_tick_size_and_order_size_have_defaults() -> None:
    assert (one().tick_size, one().min_order_size, one().min_taker_buy) == (1_000, 5_000_000, 1_000_000)
    assert (one().taker_delay, one(secondsDelay=3).taker_delay) == (0, 3_000_000_000)
    assert (one(orderPriceMinTickSize=None).tick_size, one(orderMinSize=None).min_order_size) == (10_000, 5_000_000)
    for changes in ({"orderPriceMinTickSize": "x"}, {"orderPriceMinTickSize": 1}, {"orderPriceMinTickSize": 1e-7}):
        with pytest.raises(WireError, match="orderPriceMinTickSize"):
            market(**changes)


@pytest.mark.parametrize("delay", [3_601, "x", 1e-9])
def test_an_absurd_delay_is_refused(delay: Any) -> None:
    with pytest.raises(WireError, match="secondsDelay"):
        market(secondsDelay=delay)


def test_fee_schedules_are_read_and_checked() -> None:
    assert one().fee == NO_FEE
    schedule = {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25}
    assert one(feeSchedule=schedule).fee == FeeSchedule("polymarket", 40_000, 1, since=7)
    assert one(feeSchedule={"rate": 0.25, "exponent": 2}).fee == FeeSchedule("polymarket", 250_000, 2, since=7)
    assert one(feeSchedule=schedule, feesEnabled=False).fee == FeeSchedule(since=7)
    for broken in ({"rate": 2}, {"rate": 0.1, "exponent": 1.5}, {"rate": "x"}):
        with pytest.raises(WireError):
            market(feeSchedule=broken)


@pytest.mark.parametrize(
    ("flags", "claims"),
    [
        ({"negRisk": True, "negRiskAugmented": False}, (True, True)),
        ({"negRisk": True, "negRiskAugmented": True}, (True, False)),
        ({"negRisk": True}, (True, False)),
        ({"negRisk": False, "negRiskAugmented": False}, (False, False)),
    ],
)
def test_exactly_one_pays_only_where_no_outcome_can_be_added(flags: dict[str, bool], claims: tuple[bool, bool]) -> None:
    found = one(negRisk=True, events=[{"id": "9", "slug": "ev", **flags}])
    assert (found.mutually_exclusive, found.exhaustive) == claims
    assert found.event_id == "9"
    assert found.url == "https://polymarket.com/event/ev/will-it"


def test_a_market_without_an_event_is_an_event_of_its_own() -> None:
    assert one().event_id == "0xc1"
    assert not one(negRisk=True).exhaustive


@pytest.mark.parametrize("slug", ["../x", "a b", "\u202e", "x" * 300])
def test_an_odd_slug_makes_no_url(slug: str) -> None:
    assert one(slug=slug).url is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "\x1b[0m", "\u0660"])
def test_an_odd_id_is_an_issue(name: str) -> None:
    with pytest.raises(WireError, match="is not an id"):
        market(conditionId=name)


def test_the_category_is_the_first_known_tag() -> None:
    tags = [{"label": "Hide From New"}, {"label": "Crypto"}, {"label": None}]
    assert one(tags=tags).tags == ("Hide From New", "Crypto")
    assert one(tags=tags).category == "Crypto"
    assert one(events=[{"tags": [{"label": "Odd"}]}]).category == "Odd"
    assert one(category="Old").category == "Old"


def test_rules_hash_is_of_the_whole_rules() -> None:
    first, second = one(description="a" * 9_000), one(description="a" * 9_001)
    assert first.description == second.description
    assert first.rules_hash != second.rules_hash
    assert one(resolutionSource="x").rules_hash != one().rules_hash


@pytest.mark.parametrize(
    ("date", "nanos"),
    [
        ("2026-12-31T00:00:00Z", 1_798_675_200_000_000_000),
        ("2026-12-31T00:00:00.123456Z", 1_798_675_200_123_456_000),
        ("2026-12-31 00:00:00+00", 1_798_675_200_000_000_000),
        ("2026-12-31", 1_798_675_200_000_000_000),
        ("2500-12-31", None),
        ("1900-01-01", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_in_any_shape_are_read(date: str | None, nanos: int | None) -> None:
    assert one(endDate=date).close_time == nanos


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.text(max_size=3))
_keys = [*ROW, "events", "tags", "feeSchedule", "endDate", "volume", "version", "description"]


@given(st.dictionaries(st.sampled_from(_keys), _values, max_size=4))
def test_any_value_in_any_field_is_a_market_or_a_wire_error(changes: dict[str, Any]) -> None:
    try:
        found = market(**changes)
    except (WireError, msgspec.DecodeError):
        return
    assert found is None or (0 < found.tick_size < 1_000_000 and len(found.outcomes) == 2)
