"""What was not observed is unknown in the statistics, never zero; what the recording heard of a market names it."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import MarketChange, Trade
from predsurv.core.ids import InstrumentId
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Record, pack_levels
from predsurv.mine import scores
from predsurv.mine.job import MiningResult, mine
from predsurv.mine.mid_lines import mid_lines
from predsurv.mine.notes import notes
from predsurv.mine.recorded_days import choose_days
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Dataset, Layout, day_files, parse_file
from predsurv.store.schema import TIME
from predsurv.store.seal.compact import compact_closed
from tests.kit.market_samples import market
from tests.kit.mining_samples import (
    DATE,
    KEY,
    QUIET,
    START,
    T0,
    S,
    change,
    covered,
    listed,
    record,
    session,
    top,
    trade,
)
from tests.kit.older_files import make_foreign, make_older, rewrite_files

EVEN = scores.weights({})
TRADES = ("trades", "volume_shares", "notional_usd", "notional_usd_per_hour")


def row(mined: MiningResult, instrument: str = "m1-yes") -> dict[str, object]:
    return mined.stats.filter(pl.col("instrument_id") == instrument).row(0, named=True)


def told(trades: str | None, reason: str = "live") -> list[Record]:
    """The session with all its covered time told like that."""
    return [
        replace(each, trades=trades, reason=reason) if getattr(each, "state", "") == "covered" else each
        for each in session()
    ]


def said(mined: MiningResult) -> str:
    return "; ".join(notes(mined))


def test_trades_that_nobody_observed_are_unknown_and_the_reason_is_given(tmp_path: Path) -> None:
    records = [each for each in told("not_offered", "polled") if not isinstance(each, Trade)]
    mined = mine(listed(record(tmp_path, [records]), market(1), market(2)), EVEN)
    for instrument in ("m1-yes", "m2-yes"):
        found = row(mined, instrument)
        assert [found[name] for name in TRADES] == [None] * 4
        assert (found["trades_observed_s"], found["trades_missing"]) == (0.0, "not_offered")
        assert (found["score_trading"], found["unknown_scores"]) == (
            0.0,
            "trading",
        )
        assert found["spread_usd"] is not None
    assert "trades were not recorded: not_offered" in said(mined)


def test_polled_trades_were_observed(tmp_path: Path) -> None:
    mined = mine(listed(record(tmp_path, [told("polled", "polled")]), market(1), market(2)), EVEN)
    assert [row(mined)[name] for name in TRADES[:3]] == [1, 8.0, 4.0]
    assert [row(mined, "m2-yes")[name] for name in TRADES[:3]] == [0, 0.0, 0.0]
    assert said(mined) == ""


def test_no_trade_in_observed_time_is_zero(tmp_path: Path) -> None:
    mined = mine(listed(record(tmp_path, [session()]), market(1), market(2)), EVEN)
    assert [row(mined, "m2-yes")[name] for name in TRADES] == [0, 0.0, 0.0, 0.0]
    assert row(mined)["trades_missing"] is None
    assert said(mined) == ""


def test_rates_of_trades_divide_by_the_time_in_which_they_were_observed(tmp_path: Path) -> None:
    records = [
        each for each in session() if getattr(each, "start", 0) < START + 140 * S or getattr(each, "key", None) != KEY
    ]
    records += [covered(140, 200, trades="disconnect"), covered(200, 300), trade(150, 50, 99), trade(250, 50, 2)]
    mined = mine(listed(record(tmp_path, [records]), market(1), market(2)), EVEN)
    found = row(mined)
    assert (found["observed_s"], found["trades_observed_s"], found["trades_missing"]) == (280, 220, "disconnect")
    assert [found[name] for name in TRADES] == pytest.approx([2, 10, 5, 5 / 220 * 3_600])
    assert "trades of 1 instruments were recorded part of the time only: disconnect" in said(mined)


@pytest.mark.parametrize(
    ("reason", "with_trades", "trades"),
    [("live", True, 1), ("live", False, 0), ("polled", True, 1), ("polled", False, None)],
)
def test_of_a_recording_that_does_not_tell_channels_apart_streamed_time_counts(
    tmp_path: Path, reason: str, trades: int | None, *, with_trades: bool
) -> None:
    records = [each for each in told(None, reason) if with_trades or not isinstance(each, Trade)]
    day = listed(record(tmp_path, [records]), market(1), market(2))
    make_older(Layout(tmp_path))
    mined = mine(day, EVEN)
    assert row(mined)["trades"] == trades
    assert row(mined)["trades_missing"] == (None if trades is not None else "unknown")


def test_a_day_of_files_of_two_versions_is_mined_as_one(tmp_path: Path) -> None:
    records = session()
    cut = len(records) - 3
    day = listed(record(tmp_path, [records[:cut], records[cut:]]), market(1), market(2))
    whole = mine(day, EVEN).stats
    make_older(Layout(tmp_path), lambda path: parse_file(path)[1].segment == 1)
    assert mine(day, EVEN).stats.equals(whole)
    report = compact_closed(Layout(tmp_path), "c0", ManualClock(T0 + 48 * 3_600 * S))
    assert report.damaged == ()
    assert mine(day, EVEN).stats.rows() == [pytest.approx(each) for each in whole.rows()]


def test_files_with_only_the_columns_of_the_contract_are_mined(tmp_path: Path) -> None:
    day = listed(record(tmp_path, [session()[:6], session()[6:]]), market(1), market(2))
    whole = mine(day, EVEN).stats
    make_foreign(Layout(tmp_path))
    assert [
        each == pytest.approx(other) for each, other in zip(mine(day, EVEN).stats.rows(), whole.rows(), strict=True)
    ]


def test_columns_of_other_types_are_mined_alike(tmp_path: Path) -> None:
    day = listed(record(tmp_path, [session()]), market(1), market(2))
    whole = mine(day, EVEN).stats
    kinds = {pa.string(): pa.large_string(), TIME: pa.timestamp("us", tz="UTC"), pa.float64(): pa.float64()}
    rewrite_files(
        Layout(tmp_path),
        lambda table: table.cast(
            pa.schema([field.with_type(kinds.get(field.type, field.type)) for field in table.schema])
        ),
    )
    for path in Layout(tmp_path).manifest.iterdir():
        path.unlink()
    assert mine(day, EVEN).stats.rows() == [pytest.approx(each) for each in whole.rows()]


def gone(folder: Path, dataset: Dataset, number: int = 0) -> Path:
    path = day_files(folder, dataset, KEY.venue, DATE)[number]
    path.unlink()
    return path


@pytest.mark.parametrize("dataset", ["snapshots", "deltas"])
def test_a_file_of_books_that_is_gone_is_a_gap(tmp_path: Path, dataset: Dataset) -> None:
    """The session crosses ten o'clock after 100 s: the first file ends before that."""
    day = listed(record(tmp_path, [[*session(), top(99, 48, 52), change(99)]]), market(1), market(2))
    whole = row(mine(day, EVEN))
    gone(tmp_path, dataset)
    mined = mine(day, EVEN)
    found = row(mined)
    lost = float(str(whole["observed_s"])) - float(str(found["observed_s"]))
    assert lost == pytest.approx(99 if dataset == "snapshots" else 89, abs=0.001)
    assert found["gap_s"] == pytest.approx(float(str(whole["gap_s"])) + lost)
    assert found["trades"] == whole["trades"], "trades have files of their own"
    assert "1 sealed file is gone, which counts as a gap (file_missing)" in said(mined)
    if dataset == "snapshots":
        line = mid_lines([day], ["m1-yes"], 10)["m1-yes"]
        assert (line[0], line[-1]) == (None, 0.5)


def test_a_file_of_trades_that_is_gone_makes_them_unknown_for_its_time(tmp_path: Path) -> None:
    records = [*session(), trade(20, 50, 3), trade(90, 50, 3), trade(250, 50, 4)]
    day = listed(record(tmp_path, [records]), market(1), market(2))
    gone(tmp_path, "trades")
    found = row(mine(day, EVEN))
    assert found["observed_s"] == 280
    assert found["trades_observed_s"] == pytest.approx(280 - 70, abs=0.001)
    assert (found["trades"], found["volume_shares"], found["trades_missing"]) == (1, 4.0, "file_missing")


def test_files_of_another_collector_that_are_gone_concern_its_instruments_only(tmp_path: Path) -> None:
    others = InstrumentId("m3-yes")
    third = replace(QUIET, instrument_id=others)
    day = listed(record(tmp_path, [session()]), market(1), market(2))
    record(tmp_path, [[top(0, 20, 60, third), top(90, 20, 61, third), covered(0, 300, third)]], "c1")
    paths = [
        path for path in day_files(tmp_path, "snapshots", KEY.venue, DATE) if parse_file(path)[1].collector == "c1"
    ]
    paths[0].unlink()
    mined = mine(day, EVEN)
    assert row(mined)["observed_s"] == 280
    assert row(mined, "m3-yes")["observed_s"] == pytest.approx(300 - 90, abs=0.001)


@pytest.mark.parametrize("left", [("deltas", "trades", "snapshots"), ("trades",)])
def test_data_without_coverage_is_refused_in_one_line(
    tmp_path: Path, left: Sequence[Dataset], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "data", [session()])
    for dataset in ("coverage", "deltas", "trades", "snapshots", "lifecycle"):
        if dataset not in left:
            for path in day_files(tmp_path / "data", dataset, KEY.venue, DATE):
                path.unlink()
    with pytest.raises(IntegrityError, match="no coverage"):
        choose_days(tmp_path / "data", "mock", [DATE])
    assert main(["mine", "mock", DATE]) == 4
    err = capsys.readouterr().err
    assert "nothing tells which time was observed" in err
    assert len(err.splitlines()) == 1
    with pytest.raises(ConfigError, match="nothing recorded for mock 2026-11-21"):
        choose_days(tmp_path / "data", "mock", ["2026-11-21"])


def created(number: int, second: int, **values: object) -> MarketChange:
    record = replace(market(number), fetched_at=START + second * S, **values)
    return MarketChange(record.venue, record.market_id, None, record.fetched_at, None, "created", "", record)


def test_a_market_born_and_settled_between_two_scans_is_named_by_what_the_recording_heard(tmp_path: Path) -> None:
    born = [created(2, 0, question="Up or down, 10:00?"), *session()]
    mined = mine(listed(record(tmp_path, [born]), market(1)), EVEN)
    assert mined.labels["m2-yes"].question == "Up or down, 10:00?"
    assert row(mined, "m2-yes")["spread_ticks"] == pytest.approx(40.0)
    assert mined.listing.unlisted == 0


def test_what_no_listing_names_is_counted_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    listed(record(tmp_path / "data", [session()]), market(1))
    assert main(["mine", "--html"]) == 0
    assert "1 of 2 recorded instruments has no listing" in capsys.readouterr().out
    page = next((tmp_path / "data" / "stats").rglob("report.html")).read_text()
    assert "1 of 2 recorded instruments has no listing" in page
    assert main(["mine", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert "1 of 2 recorded instruments has no listing" in captured.err
    assert {each["instrument_id"]: each["listed"] for each in json.loads(captured.out)} == {
        "m1-yes": True,
        "m2-yes": False,
    }
    assert [each["question"] for each in json.loads(captured.out)] == ["Question 1?", "m2-yes"]


def test_the_tick_that_the_opening_book_states_holds_from_then_on(tmp_path: Path) -> None:
    """A spread of 0.0033 on a market that the scan listed with ticks of a cent."""
    finer = MarketChange(
        KEY.venue, KEY.market_id, KEY.instrument_id, START, None, "tick_size", "", tick_size=Price(1_000)
    )
    stated = mine(listed(record(tmp_path / "a", [[finer, *session()]]), market(1)), EVEN)
    plain = mine(listed(record(tmp_path / "b", [session()]), market(1)), EVEN)
    assert row(stated)["spread_ticks"] == pytest.approx(10 * float(str(row(plain)["spread_ticks"])))


@pytest.mark.parametrize(("tick", "expected"), [(10_000, 0.33), (1_000, 3.3)])
def test_a_spread_is_in_the_ticks_of_the_opening_book_and_not_of_the_older_listing(
    tmp_path: Path, tick: int, expected: float
) -> None:
    """Bid 0.953, ask 0.956 for 70 s and 0.957 for 30 s, on a market that the scan listed with ticks of a cent."""

    def shown(second: int, ask: int) -> Record:
        bids, asks = (pack_levels([(Price(price), Size(1_000_000))]) for price in (953_000, ask))
        return BookTop(KEY, START + second * S, None, bids, asks, trusted=True)

    stated = MarketChange(KEY.venue, KEY.market_id, None, START, None, "tick_size", "", tick_size=Price(tick))
    records = [stated, shown(0, 956_000), shown(70, 957_000), covered(0, 100)]
    found = row(mine(listed(record(tmp_path, [records]), market(1)), EVEN))
    assert found["spread_ticks"] == pytest.approx(expected)


def test_a_tick_that_nobody_stated_until_later_is_unknown_until_then(tmp_path: Path) -> None:
    records = [created(1, 50), *session()]
    found = row(mine(record(tmp_path, [records]), EVEN))
    assert found["spread_ticks"] == pytest.approx((4 * 70 + 6 * 160) / 230), "the first 50 s are left out"
    day = record(tmp_path / "later", [session()])
    listed(day, market(1))
    path = next((tmp_path / "later" / "metadata").rglob("universe.jsonl"))
    path.write_text(path.read_text().replace("2026-11-20T00:00:00Z", "2026-11-20T23:00:00Z"))
    mined = mine(day, EVEN)
    assert (row(mined)["spread_ticks"], mined.labels["m1-yes"].question) == (None, "Question 1?")


def test_trades_of_the_other_outcome_count_for_the_recorded_one(tmp_path: Path) -> None:
    other = replace(trade(70, 30, 5), key=replace(KEY, instrument_id=market(1).outcomes[1].instrument_id))
    day = listed(record(tmp_path, [[*session(), other]]), market(1), market(2))
    mined = mine(day, EVEN)
    assert [row(mined)[name] for name in TRADES[:3]] == pytest.approx([2, 13, 4 + 0.7 * 5])
    assert mined.unplaced == 0
    record(tmp_path, [[covered(0, 300, QUIET)]], "c1")
    assert row(mine(day, EVEN))["trades"] == 2, "whoever else recorded something"


def test_trades_of_an_outcome_that_nothing_lists_are_said_to_count_nowhere(tmp_path: Path) -> None:
    other = replace(trade(70, 30, 5), key=replace(KEY, instrument_id=InstrumentId("m1-no")))
    mined = mine(record(tmp_path, [[*session(), other]]), EVEN)
    assert row(mined)["trades"] == 1
    assert "trades of 1 other instrument count nowhere" in said(mined)
