"""Mining files that the real store wrote: the numbers, whatever the cut into segments, hours and steps."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from predsurv.core.errors import ConfigError
from predsurv.core.events import MarketChange
from predsurv.core.ids import EventId, VenueName
from predsurv.core.market import Market, PriceBand
from predsurv.core.num import Price
from predsurv.core.records import Coverage
from predsurv.mine import scores
from predsurv.mine.day_measures import measure_day, measure_part
from predsurv.mine.day_results import put_together
from predsurv.mine.job import MiningResult, mine
from predsurv.mine.mid_lines import mid_lines
from predsurv.mine.observed_day import DayPart
from predsurv.mine.recorded_days import MiningDay, choose_days, recorded_days
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, HOUR, KEY, QUIET, START, S, covered, listed, record, session, top

EVEN = scores.weights({})


def row(mined: MiningResult, instrument: str = "m1-yes") -> dict[str, float]:
    return mined.stats.filter(pl.col("instrument_id") == instrument).row(0, named=True)


def test_the_statistics_of_a_recorded_session(tmp_path: Path) -> None:
    day = record(tmp_path, [session()])
    found = row(mine(listed(day, market(1)), EVEN))
    assert (found["observed_s"], found["gap_s"]) == (280, 20)
    assert found["updates"] == 5
    assert found["updates_per_s"] == pytest.approx(5 / 280)
    assert found["spread_usd"] == pytest.approx((0.02 * 50 + 0.04 * 70 + 0.06 * 160) / 280)
    assert found["spread_ticks"] == pytest.approx(found["spread_usd"] / 0.01)
    assert found["mid_usd"] == pytest.approx(0.5)
    assert [found[name] for name in ("trades", "volume_shares", "notional_usd")] == pytest.approx([1, 8, 4])
    # unchanged from 50 to 120 s and from 150 to 290 s: 10 s and 80 s beyond a minute, of two visits less a minute each
    assert found["stale_share"] == pytest.approx((10 + 80) / (280 - 2 * 60))
    assert 0 < found["score"] < 1


def test_one_that_never_changed_is_mined_too_and_ranks_lower(tmp_path: Path) -> None:
    mined = mine(listed(record(tmp_path, [session()]), market(1), market(2)), EVEN)
    quiet = row(mined, "m2-yes")
    assert (quiet["updates"], quiet["trades"], quiet["observed_s"]) == (0, 0, 300)
    assert quiet["spread_usd"] == pytest.approx(0.40)
    assert quiet["stale_share"] == 1
    assert list(mined.stats["instrument_id"]) == ["m1-yes", "m2-yes"]


@pytest.mark.parametrize("cuts", [[1, 3, 6, 9], list(range(1, 12))])
@pytest.mark.parametrize("rows_per_step", [1, 1_000])
def test_cuts_into_segments_and_steps_change_nothing(tmp_path: Path, cuts: list[int], rows_per_step: int) -> None:
    records = session()
    parts = [records[low:high] for low, high in pairwise([0, *cuts, len(records)])]
    whole = mine(listed(record(tmp_path / "whole", [records]), market(1)), EVEN).stats
    cut = mine(listed(record(tmp_path / "cut", parts), market(1)), EVEN, rows_per_step).stats
    for left, right in zip(whole.rows(), cut.rows(), strict=True):
        assert left == pytest.approx(right)


def test_what_two_collectors_saw_of_one_market_counts_once(tmp_path: Path) -> None:
    """The other one saw all of the quiet market and less of the busy one, with more levels."""
    less = [replace(each, end=START + 200 * S) if each == covered(140, 300) else each for each in session()]
    less += [covered(300, 400, QUIET)]
    alone = mine(listed(record(tmp_path / "alone", [session()]), market(1), market(2)), EVEN).stats
    record(tmp_path / "both", [session()])
    both = mine(listed(record(tmp_path / "both", [less], "c1"), market(1), market(2)), EVEN)
    assert row(both) == pytest.approx(alone.row(0, named=True))
    assert row(both, "m2-yes")["observed_s"] == 400
    assert both.stats.height == 2
    lines = mid_lines([both.day], ["m1-yes", "m2-yes"], 10)
    assert {name: sum(mid is not None for mid in line) for name, line in lines.items()} == {"m1-yes": 8, "m2-yes": 10}


def test_a_spread_in_ticks_is_in_those_of_its_price_and_of_its_time(tmp_path: Path) -> None:
    bands = (
        PriceBand(Price(0), Price(100_000), Price(1_000)),
        PriceBand(Price(100_000), Price(900_000), Price(10_000)),
        PriceBand(Price(900_000), Price(1_000_000), Price(1_000)),
    )
    tapered = replace(market(1), tick_size=Price(1_000), bands=bands)
    found = row(mine(listed(record(tmp_path / "a", [session()]), tapered), EVEN))
    assert found["spread_ticks"] == pytest.approx(found["spread_usd"] / 0.01)
    finer = MarketChange(
        KEY.venue, KEY.market_id, None, START + 90 * S, None, "tick_size", "{}", tick_size=Price(1_000)
    )
    changed = mine(listed(record(tmp_path / "b", [[*session(), finer]]), market(1), market(2)), EVEN)
    # 2 c for 50 s and 4 c for 40 s in ticks of 1 c, then 4 c for 30 s and 6 c for 160 s in ticks of 0.1 c
    assert row(changed)["spread_ticks"] == pytest.approx((2 * 50 + 4 * 40 + 40 * 30 + 60 * 160) / 280)
    assert row(changed, "m2-yes")["spread_ticks"] == pytest.approx(40.0)


def test_who_was_never_observed_has_no_score(tmp_path: Path) -> None:
    rotated = Coverage(QUIET, START, START + 300 * S, "gap", "rotated_out", 0)
    records = [each for each in session() if each not in (top(0, 20, 60, QUIET), covered(0, 300, QUIET))]
    mined = mine(listed(record(tmp_path, [[*records, rotated]]), market(1), market(2)), EVEN)
    assert row(mined)["score"] > 0
    assert row(mined, "m2-yes")["score"] is None
    assert list(mined.stats["instrument_id"]) == ["m1-yes", "m2-yes"]


def test_the_file_is_whole_checked_and_outside_of_staging(tmp_path: Path) -> None:
    mined = mine(listed(record(tmp_path, [session()]), market(1)), EVEN)
    assert mined.path == tmp_path / "stats" / "venue=mock" / f"date={DATE}" / "stats.parquet"
    table = pq.read_table(mined.path, partitioning=None, page_checksum_verification=True)
    assert table.num_rows == mined.stats.height == 2
    assert table.schema.metadata[b"predsurv.schema"] == b"1"
    assert [path.name for path in (tmp_path / "stats").rglob("*") if path.is_file()] == ["stats.parquet"]
    assert list((tmp_path / "state").rglob("*.parquet")) == []


def test_mining_again_replaces_the_statistics(tmp_path: Path) -> None:
    day = record(tmp_path, [session()])
    assert mine(day, EVEN).stats["spread_ticks"].to_list() == [None, None]
    assert mine(listed(day, market(1)), EVEN).path == mine(listed(day, market(1)), EVEN).path


def test_mid_over_time_has_holes_where_nothing_is_known(tmp_path: Path) -> None:
    day = record(tmp_path, [session()])
    lines = mid_lines([day], ["m1-yes"], 15)  # parts of 20 s; nothing is known from 120 to 140 s
    assert list(lines) == ["m1-yes"]
    assert [index for index, value in enumerate(lines["m1-yes"]) if value is None] == [6]


def test_the_day_is_the_latest_recorded_unless_told(tmp_path: Path) -> None:
    record(tmp_path, [session()])
    later = [replace(covered(0, 300), start=START + 24 * HOUR, end=START + 24 * HOUR + S)]
    record(tmp_path, [later])
    assert recorded_days(tmp_path) == [(DATE, "mock"), ("2026-11-21", "mock")]
    assert [day.date for day in choose_days(tmp_path, None, None)] == ["2026-11-21"]
    assert [day.date for day in choose_days(tmp_path, "mock", [DATE])] == [DATE]
    both = choose_days(tmp_path, "mock", ["2026-11-01", DATE, "2026-11-21"])
    assert [day.date for day in both] == [DATE, "2026-11-21"]


@pytest.mark.parametrize(
    ("venue", "date", "says"),
    [
        ("kalshi", None, "nothing recorded for kalshi in .*; there is mock 2026-11-20"),
        ("mock", "2025-01-01", "nothing recorded for mock 2025-01-01"),
    ],
)
def test_a_day_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, venue: str | None, date: str | None, says: str
) -> None:
    record(tmp_path, [session()])
    with pytest.raises(ConfigError, match=says):
        choose_days(tmp_path, venue, None if date is None else [date])


def test_without_any_recording_the_next_step_is_to_collect(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run 'predsurv collect' first"):
        choose_days(tmp_path, None, None)
    with pytest.raises(ConfigError, match="nothing recorded for mock"):
        mine(MiningDay(tmp_path, VenueName("mock"), DATE), EVEN)


def test_a_recording_without_any_book_still_has_its_coverage(tmp_path: Path) -> None:
    stats = mine(listed(record(tmp_path, [[covered(0, 10)]]), market(1)), EVEN).stats
    assert stats["observed_s"].to_list() == [10.0]
    assert stats["spread_usd"].to_list() == [None]
    assert stats["score"].item() < 0.1


def together(number: int) -> Market:
    """One of the exclusive markets of an event, of which one comes true."""
    return replace(market(number), event_id=EventId("e"), mutually_exclusive=True, exhaustive=True)


def test_prices_of_an_event_are_added_up_while_all_its_books_are_known(tmp_path: Path) -> None:
    day = listed(record(tmp_path, [session()]), together(1), together(2))
    found = mine(day, EVEN).stats.select("instrument_id", pl.col("^outcome_.*$")).sort("instrument_id").to_dicts()
    assert [each.pop("instrument_id") for each in found] == ["m1-yes", "m2-yes"]
    assert found[0] == found[1]
    assert (found[0]["outcome_legs"], found[0]["outcome_sum_s"]) == (2, 280)
    assert found[0]["outcome_ask_sum_usd"] == pytest.approx((1.11 * 50 + 1.12 * 70 + 1.13 * 160) / 280)
    assert found[0]["outcome_bid_sum_usd"] == pytest.approx((0.69 * 50 + 0.68 * 70 + 0.67 * 160) / 280)
    assert found[0]["outcome_excursions"] == 0


def test_an_event_of_which_one_market_is_not_recorded_has_no_sum(tmp_path: Path) -> None:
    mined = mine(listed(record(tmp_path, [session()]), together(1), together(2), together(3)), EVEN)
    assert row(mined)["outcome_sum_s"] is None


def test_a_book_and_its_mirror_add_up_to_a_dollar_and_the_spread(tmp_path: Path) -> None:
    found = row(mine(listed(record(tmp_path, [session()]), market(1)), EVEN))
    assert found["outcome_ask_sum_usd"] == pytest.approx(1 + found["spread_usd"])
    assert found["outcome_bid_sum_usd"] == pytest.approx(1 - found["spread_usd"])
    assert (found["outcome_legs"], found["outcome_beyond_share"]) == (2, 0)


@pytest.mark.parametrize("parts", [2, 3])
def test_a_day_measured_in_parts_is_the_same_day(tmp_path: Path, parts: int) -> None:
    day = listed(record(tmp_path, [session()]), together(1), together(2))
    whole = measure_day(day)
    joined = put_together([measure_part(day, DayPart(number, parts)) for number in range(parts)])
    assert joined.measures.keys() == whole.measures.keys()
    for name, frame in whole.measures.items():
        assert frame.sort(frame.columns).equals(joined.measures[name].select(frame.columns).sort(frame.columns))


def test_a_day_without_an_event_has_no_sets_to_measure_apart(tmp_path: Path) -> None:
    day = record(tmp_path, [session()])
    joined = put_together([measure_part(day, DayPart(number, 2)) for number in range(2)])
    assert joined.measures["outcomes"].is_empty()
