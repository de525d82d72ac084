"""A row of the venue's lists becomes the market it describes."""

import json
from typing import Any

import pytest
from msgspec import Raw

from predsurv.core.errors import WireError
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, on_grid
from predsurv.core.num import Price, Size
from predsurv.venues.kalshi.market_parser import parse_bands, parse_market, parse_time, ticker_of
from predsurv.venues.kalshi.rest_wire import EventRow, SeriesRow, read_listing
from predsurv.venues.kalshi.rows import read_event, read_market
from predsurv.venues.kalshi.series_terms import (
    SeriesTerms,
    event_terms,
    fee_schedule,
    is_known_fee,
    parse_multiplier,
)
from predsurv.venues.kalshi.wire import WireBand
from tests.kit.payloads import Payloads

ROW = {"ticker": "KXA-26-T1.5", "event_ticker": "KXA-26", "status": "active", "title": "Will it?"}
NOW = 1_800_000_000_000_000_000


def market(terms: SeriesTerms | None = None, **more: Any) -> Market:
    made = parse_market(read_market(json.dumps({**ROW, **more})), terms or SeriesTerms(), NOW)
    assert made is not None
    return made


# Of each source: two rows as (question, series, close time in ns UTC, liquidity in micros).
ROWS: dict[str, list[tuple[str, str, int, int]]] = {
    "own": [
        (
            "Does Brindle score over 3.5 goals? – Full Time: Brindle over 3.5 goals",
            "KXCUPGOALS",
            1_755_777_715_000_000_000,
            30_000,
        ),
        ("Pia Quill wins", "KXLAWNMATCH", 1_759_765_764_000_000_000, 93_570_000 + 39_390_000),
    ],
    "recorded": [
        (
            "Will Hamburg score over 4.5 goals? – Reg Time: Hamburg over 4.5 goals",
            "KXDFBPOKALTEAMTOTAL",
            1_787_781_600_000_000_000,
            10_000,
        ),
        ("Noelia Manta wins", "KXITFWMATCH", 1_788_858_000_000_000_000, 31_000_000 + 51_000_000),
    ],
}
# The first event's series and category, and the tags of the series.
TERMS = {
    "own": ("KXKITEMASTER", "Competitions", ("Bridge tolls",)),
    "recorded": ("KXNEXTNATOSECGEN", "Elections", ("Interest rates",)),
}


def test_listed_rows_give_the_markets_they_should(payloads: Payloads) -> None:
    page = payloads.one("kalshi/rest/markets_page_*.json").read_bytes()
    rows = read_listing(page).markets
    found = [parse_market(read_market(row), SeriesTerms(), NOW) for row in rows]
    for raw, made, (question, series, close_time, liquidity) in zip(rows, found, ROWS[payloads.name], strict=True):
        assert made is not None
        assert made.outcomes[0].instrument_id == json.loads(bytes(raw))["ticker"]
        assert (made.question, made.series_id, made.close_time) == (question, series, close_time)
        assert made.liquidity == liquidity, "of an offer at 0.99 the seller has a cent in it"
        assert (made.tick_size, made.min_order_size, made.volume) == (10_000, 10_000, 0)
        assert made.tradable


def test_combinations_are_no_markets(payloads: Payloads) -> None:
    rows = payloads.load("kalshi/rest/markets_mve_list_*.json")
    assert len(rows) > 3
    assert [parse_market(read_market(json.dumps(row)), SeriesTerms(), NOW) for row in rows] == [None] * len(rows)


def test_events_and_series_give_the_terms_they_should(payloads: Payloads) -> None:
    series_id, category, tags = TERMS[payloads.name]
    page = read_listing(payloads.one("kalshi/rest/events_page_*.json").read_bytes())
    exclusive, single = (event_terms(read_event(row), None) for row in page.events)
    assert exclusive.mutually_exclusive
    assert not single.mutually_exclusive
    assert (exclusive.series, exclusive.category) == (series_id, category)
    series = payloads.load("kalshi/rest/series_*.json")["series"]
    row = SeriesRow(
        series["ticker"], series["category"], series["tags"], series["fee_type"], Raw(str(series["fee_multiplier"]))
    )
    terms = event_terms(EventRow("KXANY-26"), row, 5)
    assert terms.fee == FeeSchedule("kalshi", 70_000, since=5)
    assert terms.tags == tags


@pytest.mark.parametrize(
    ("listed", "result", "status"),
    [
        ("initialized", "", "created"),
        ("active", "", "active"),
        ("inactive", "", "paused"),
        ("closed", "", "closed"),
        ("determined", "yes", "closed"),
        ("disputed", "yes", "disputed"),
        ("amended", "yes", "closed"),
        ("finalized", "no", "resolved"),
        ("finalized", "scalar", "void"),
        ("something new", "", "paused"),
    ],
)
def test_the_listed_status_gives_ours(listed: str, result: str, status: str) -> None:
    made = market(status=listed, result=result)
    assert made.status == status
    assert made.tradable == (status == "active")


def test_the_question_names_the_outcome_of_an_event() -> None:
    assert market(title="Who wins?", yes_sub_title="Ann").question == "Who wins? – Ann"
    assert market(title="Ann wins", yes_sub_title="ann").question == "Ann wins"
    named = market(SeriesTerms(title="Who wins?"), title=None)
    assert (named.question, named.event_title) == ("Who wins?", "Who wins?")
    assert market(title="Who wins?").event_title is None, "a market's title is not its event's"


def test_long_titles_of_different_outcomes_look_different() -> None:
    ann, bob = (market(title="Who " * 300, yes_sub_title=name).question for name in ("Ann", "Bob"))
    assert ann != bob
    assert len(ann) == 512
    assert ann.endswith("– Ann")


@pytest.mark.parametrize(
    ("more", "liquidity"),
    [
        ({"yes_bid_dollars": "0.0000", "yes_ask_dollars": "1.0000"}, 0),
        ({"yes_bid_dollars": "0.0000", "yes_ask_dollars": "0.0000", "yes_ask_size_fp": "5.00"}, 0),
        ({"yes_bid_dollars": "0.4000", "yes_ask_dollars": "0.6000"}, 0),
        ({"yes_bid_dollars": "0.4000", "yes_bid_size_fp": "10.00"}, 4_000_000),
    ],
)
def test_sentinel_prices_add_no_liquidity(more: dict[str, Any], liquidity: int) -> None:
    assert market(**more).liquidity == liquidity


def test_tapered_grid() -> None:
    bands = [("0", "0.1", "0.001"), ("0.1", "0.9", "0.01"), ("0.9", "1", "0.001")]
    made = market(price_ranges=[{"start": a, "end": b, "step": c} for a, b, c in bands])
    assert made.tick_size == 1_000
    assert on_grid(made, Price(99_000))
    assert on_grid(made, Price(110_000))
    assert not on_grid(made, Price(111_000))
    assert on_grid(made, Price(991_000))


@pytest.mark.parametrize(
    "bands", [[("0.1", "0.1", "0.01")], [("0", "1", "0")], [("0", "2", "0.01")], [("0", "1", "0.01")] * 17]
)
def test_impossible_grids_are_refused(bands: list[tuple[str, str, str]]) -> None:
    with pytest.raises((WireError, ValueError)):
        parse_bands([WireBand(*band) for band in bands])


@pytest.mark.parametrize("ticker", ["", "a b", "x" * 300, "KX\x1b", "KX:no", "KX\n"])
def test_impossible_tickers_are_refused(ticker: str) -> None:
    with pytest.raises(WireError):
        market(ticker=ticker)


@pytest.mark.parametrize(
    ("kind", "times", "rate", "maker"),
    [
        ("quadratic", None, 70_000, 0),
        ("quadratic", 500_000, 35_000, 0),
        ("quadratic", 0, 0, 0),
        ("quadratic_with_maker_fees", None, 70_000, 17_500),
        ("quadratic_with_combo_maker_fees", 1_000_000, 70_000, 35_000),
        ("flat", None, 70_000, 70_000),
        ("margin_market_maker_program_fees", None, 70_000, 70_000),
        (None, None, 70_000, 70_000),
    ],
)
def test_fees_by_kind_and_multiplier(kind: str | None, times: int | None, rate: int, maker: int) -> None:
    assert fee_schedule(kind, times) == FeeSchedule("kalshi", rate, maker_rate=maker)
    assert is_known_fee(kind) == (kind is not None and kind.startswith("quadratic"))


def test_the_documented_fee() -> None:
    fee = fee_schedule("quadratic_with_maker_fees", None)
    assert taker_fee(fee, Price(55_000), Size(1_000_000)) == 3_700  # 0.055 + 0.003639, up to $0.0001
    assert maker_fee(fee, Price(500_000), Size(100_000_000)) == 437_500


def test_an_event_may_have_fees_of_its_own() -> None:
    series = SeriesRow("KXE", fee_type="quadratic_with_maker_fees", fee_multiplier=Raw(b"1"))
    assert event_terms(EventRow("KXE-1"), series).fee.maker_rate == 17_500
    half = EventRow("KXE-1", fee_multiplier_override=Raw(b"0.5"))
    assert event_terms(half, series).fee == FeeSchedule("kalshi", 35_000, maker_rate=8_750)
    plain = EventRow("KXE-1", fee_type_override="quadratic")
    assert event_terms(plain, series).fee == FeeSchedule("kalshi", 70_000)


@pytest.mark.parametrize("raw", [b"-1", b"1e3", b"true", b"[]", b'"x"'])
def test_impossible_multipliers_are_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        parse_multiplier(Raw(raw))


def test_ids_of_the_outcomes() -> None:
    venue, ticker = VenueName("kalshi"), MarketId("KXA-1")
    assert ticker_of(InstrumentKey(venue, ticker, InstrumentId("KXA-1"))) == ("KXA-1", False)
    assert ticker_of(InstrumentKey(venue, ticker, InstrumentId("KXA-1:no"))) == ("KXA-1", True)


@pytest.mark.parametrize(
    "date", [None, "", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_unreadable_dates_are_none(date: str | None) -> None:
    assert parse_time(date) is None


def test_a_date_needs_a_time_zone() -> None:
    assert parse_time("2026-08-24T17:10:58.365638Z") == 1_787_591_458_365_638_000
    assert parse_time("2026-08-24T17:10:58") is None, "no zone, no time"


def test_the_shard_of_a_market_is_known_where_it_is_stated() -> None:
    assert [market(exchange_index=shard).shard for shard in (0, 3, None)] == [0, 3, None]
    assert market().shard is None
