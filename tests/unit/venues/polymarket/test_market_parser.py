"""Gamma rows to markets: recorded ones, every shape a value comes in, and mutations."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import WireError
from predsurv.core.fees import taker_fee
from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import Price, Size
from predsurv.venues.polymarket import market_parser as parser
from predsurv.venues.polymarket.fee_terms import HIGHEST_RATE
from predsurv.venues.polymarket.gamma_row import event_ids, read_row
from predsurv.venues.polymarket.market_parser import ParsedMarket, parse_market
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
    "feesEnabled": False,
}


def parsed(**changes: Any) -> ParsedMarket:
    return parse_market(read_row(json.dumps({**ROW, **changes}).encode()), 7)


def market(**changes: Any) -> Market | None:
    return parsed(**changes).market


def one(**changes: Any) -> Market:
    found = market(**changes)
    assert found is not None
    return found


def test_rows_give_the_markets_they_should(payloads: Payloads) -> None:
    assert markets_of(payloads) == payloads.expected("polymarket_markets")


@pytest.mark.parametrize("value", ['["11", "12"]', ["11", "12"]])
def test_lists_come_in_texts_or_as_lists(value: Any) -> None:
    assert [outcome.instrument_id for outcome in one(clobTokenIds=value).outcomes] == ["11", "12"]


@pytest.mark.parametrize("value", [None, "", "[]", [], "null", '["11", ""]', '["", ""]'])
def test_a_market_without_tokens_is_left_out_until_it_has_them(value: Any) -> None:
    assert parsed(clobTokenIds=value) == ParsedMarket(None, parser.NO_TOKENS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcomes": '["A"]', "clobTokenIds": '["11"]'}, parser.TOO_FEW_OUTCOMES),
        ({"outcomes": '["A", "B", "C"]', "clobTokenIds": '["1","2","3"]'}, parser.TOO_MANY_OUTCOMES),
        ({"outcomes": '["A", "B", "C"]', "clobTokenIds": "[]"}, parser.TOO_MANY_OUTCOMES),
        ({"clobTokenIds": '["11"]'}, parser.UNPAIRED),
        ({"clobTokenIds": '["1","2","3"]'}, parser.UNPAIRED),
        ({"outcomes": "[]"}, parser.UNPAIRED),
        ({"version": "v3"}, parser.UNKNOWN_VERSION),
        ({"version": 2}, parser.UNKNOWN_VERSION),
        ({"rfqEnabled": True, "enableOrderBook": False}, parser.NO_PUBLIC_BOOK),
        ({"marketType": "combo"}, parser.NO_PUBLIC_BOOK),
    ],
)
def test_what_cannot_be_recorded_is_left_out_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    assert parsed(**changes) == ParsedMarket(None, reason)


def test_a_market_that_may_be_part_of_combinations_has_a_book_of_its_own() -> None:
    assert one(rfqEnabled=True, comboStatus="enabled").tradable


def test_one_token_for_both_outcomes_is_an_issue() -> None:
    with pytest.raises(WireError, match="two outcomes"):
        market(clobTokenIds='["11", "11"]')


@pytest.mark.parametrize("value", ["[", "nope", 5, {"a": 1}, [1, 2], "[1, 2]"])
def test_a_broken_list_is_an_issue(value: Any) -> None:
    with pytest.raises(WireError, match="not a list of texts"):
        market(clobTokenIds=value)


def test_the_version_says_which_ids_trade() -> None:
    both = {"clobTokenIds": '["11", "12"]', "positionIds": ["21", "22"]}
    assert one(version="v2", **both).key(0).instrument_id == "21"
    assert one(version="v1", **both).key(0).instrument_id == "11"
    assert one(version=None, **both).key(0).instrument_id == "11"
    assert parsed(version="v2", clobTokenIds='["11", "12"]').left_out == parser.NO_TOKENS


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


def test_tick_size_and_order_size_that_nobody_stated_are_assumed() -> None:
    assert (one().tick_size, one().min_order_size, one().min_taker_buy) == (1_000, 5_000_000, 1_000_000)
    assert one().assumed == ()
    silent = one(orderPriceMinTickSize=None, orderMinSize=None)
    assert (silent.tick_size, silent.min_order_size) == (10_000, 5_000_000)
    assert silent.assumed == ("min_order_size", "tick_size")


@pytest.mark.parametrize(
    ("field", "value", "assumed"),
    [
        ("orderPriceMinTickSize", "x", {"tick_size"}),
        ("orderPriceMinTickSize", 1, {"tick_size"}),
        ("orderPriceMinTickSize", 1e-7, {"tick_size"}),
        ("orderPriceMinTickSize", -0.01, {"tick_size"}),
        ("orderMinSize", {"value": 5}, {"min_order_size"}),
        ("orderMinSize", 1e30, {"min_order_size"}),
        ("secondsDelay", 3_601, {"taker_delay"}),
        ("secondsDelay", "x", {"taker_delay"}),
        ("rewardsMinSize", "much", {"reward_min_size"}),
        ("rewardsMaxSpread", [3], {"reward_max_spread"}),
        ("volumeNum", "much", {"volume"}),
        ("volume24hr", [1], {"volume_24h"}),
        ("liquidityNum", -1, {"liquidity"}),
        ("endDate", "soon", {"close_time"}),
        ("endDate", 1_798_675_200, {"close_time"}),
        ("gameStartTime", "tonight", {"game_start"}),
        ("feeSchedule", "5 %", {"fee"}),
        ("feeSchedule", {"rate": 2}, {"fee"}),
        ("feeSchedule", {"rate": 0.1, "exponent": 0}, {"fee"}),
        ("feeSchedule", {"rate": 0.1, "exponent": 1e15}, {"fee"}),
        ("feeSchedule", {"rate": "x"}, {"fee"}),
        ("tags", "Crypto", {"tags", "category"}),
        ("question", ["Will it?"], {"question"}),
        ("acceptingOrders", "maybe", {"status", "tradable"}),
        ("description", {"en": "d"}, {"description", "rules_hash"}),
        ("umaResolutionStatus", 4, {"status"}),
        ("events", "?", {"event_id", "mutually_exclusive", "exhaustive"}),
        ("events", [{"id": "a b"}], {"event_id", "mutually_exclusive", "exhaustive"}),
    ],
)
def test_an_unreadable_field_costs_that_field(field: str, value: Any, assumed: set[str]) -> None:
    found = parsed(**{"feesEnabled": None, "feeSchedule": {"rate": 0.04}, field: value})
    assert found.market is not None
    assert set(found.market.assumed) == assumed
    assert list(found.unreadable) == [field]
    assert found.market.keys() == one().keys()


def test_fields_that_were_said_to_be_of_another_type_are_still_read() -> None:
    found = one(id=1, active="true", closed=0, question=7, events=[{"id": 260654, "title": 5, "tags": [3]}])
    assert (found.tradable, found.event_id, found.question) == (True, "260654", "will-it")


@pytest.mark.parametrize(
    ("fields", "nanos"),
    [
        ({}, 0),
        ({"secondsDelay": 3}, 3_000_000_000),
        ({"secondsDelay": "3"}, 3_000_000_000),
        ({"takerDelayMs": 250}, 250_000_000),
        ({"orderDelayMilliseconds": 150, "secondsDelay": 0}, 150_000_000),
        ({"takerDelay": 150, "secondsDelay": 1}, 1_000_000_000),
        ({"takerOrderDelayEnabled": True, "secondsDelay": 2}, 2_000_000_000),
        ({"takerOrderDelayEnabled": False}, 0),
        ({"resolutionDelay": 7_200}, 0),
        ({"description": '"takerDelayMs": 900'}, 0),
    ],
)
def test_the_taker_delay_is_read_from_whatever_field_states_it(fields: dict[str, Any], nanos: int) -> None:
    found = one(**fields)
    assert (found.taker_delay, found.assumed) == (nanos, ())


def test_a_delay_of_unknown_length_is_assumed() -> None:
    found = one(takerOrderDelayEnabled=True)
    assert found.taker_delay > 0
    assert found.assumed == ("taker_delay",)


def test_the_start_of_a_game_is_read() -> None:
    assert one(gameStartTime="2026-10-11 14:00:00+00").game_start == 1_791_727_200_000_000_000
    assert one(gameStartTime="").game_start is None


def test_fee_schedules_are_read() -> None:
    schedule = {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25}
    free = FeeSchedule(since=7)
    assert one(feesEnabled=False).fee == one(feesEnabled=False, feeSchedule=schedule).fee == free
    assert one(feesEnabled=True, feeSchedule=schedule).fee == FeeSchedule(
        "polymarket", 40_000, 1, since=7, rebate_rate=250_000
    )
    assert one(feesEnabled=None, feeSchedule={"rate": 0.25, "exponent": 2}).fee.exponent == 2
    assert one(feesEnabled=True, feeSchedule={"rate": 0, "exponent": 1}).fee.rate == 0
    assert one(feesEnabled=True, feeSchedule={"rate": 0.0400001}).fee.rate == 40_001


@pytest.mark.parametrize(
    ("exponent", "fee"), [(0.5, 1_250_000), ("0.50", 1_250_000), (1, 625_000), (1.5, 312_500), (2, 156_250)]
)
def test_a_fee_may_have_any_positive_exponent(exponent: Any, fee: int) -> None:
    schedule = one(feesEnabled=True, feeSchedule={"rate": 0.025, "exponent": exponent}).fee
    assert taker_fee(schedule, Price(500_000), Size(100_000_000)) == fee
    assert isinstance(schedule.exponent, int) == (schedule.exponent in (1, 2))


@pytest.mark.parametrize(
    ("fields", "rate"),
    [
        ({"feeType": "crypto_fees_v2"}, 70_000),
        ({"feeType": "politics_fees", "tags": [{"label": "Crypto"}]}, 40_000),
        ({"tags": [{"label": "Hide From New"}, {"label": "Sports"}]}, 50_000),
        ({"category": "Politics"}, 40_000),
        ({"tags": [{"label": "Geopolitics"}]}, 50_000),
        ({"category": "Astrology"}, HIGHEST_RATE),
        ({}, HIGHEST_RATE),
    ],
)
@pytest.mark.parametrize("enabled", [True, None])
def test_an_unknown_fee_is_charged_at_the_rate_of_its_category(
    enabled: bool | None, fields: dict[str, Any], rate: int
) -> None:
    found = one(feesEnabled=enabled, **fields)
    assert (found.fee.model, found.fee.rate, found.assumed) == ("polymarket", rate, ("fee",))


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


def test_long_titles_that_differ_anywhere_look_different() -> None:
    long = "L" * 900
    titles = [long + " ending A", long + " ending B", long[:450] + "x" + long[:450] + " ending A"]
    shown = [one(question=title).question for title in titles]
    assert len(set(shown)) == 3
    assert max(map(len, shown)) == parser.QUESTION_CHARS_MAX
    assert shown[0].startswith("LLLL")
    assert shown[0].endswith("ending A")
    assert one(question="Q" * 512).question == "Q" * 512


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


def test_the_events_of_a_row_are_known_whatever_else_is_in_it() -> None:
    assert event_ids(b'{"question":7,"events":[{"id":"9"},{"id":10},{"title":5}]}') == {"9", "10"}
    assert event_ids(b'{"events":"?"}') == event_ids(b"[1]") == event_ids(b"{") == set()


_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.lists(st.text(max_size=3))
)
_ids = {"conditionId", "outcomes", "clobTokenIds"}
_keys = [*ROW, "events", "tags", "feeSchedule", "endDate", "volume", "description", "secondsDelay", "gameStartTime"]


@given(st.dictionaries(st.sampled_from(_keys), _values, max_size=4))
def test_any_value_in_any_field_but_the_ids_is_a_market(changes: dict[str, Any]) -> None:
    try:
        found = market(**changes)
    except WireError:
        assert changes.keys() & _ids
        return
    if found is None:
        assert changes.keys() & {*_ids, "enableOrderBook"}
    else:
        assert 0 < found.tick_size < 1_000_000
        assert len(found.outcomes) == 2
