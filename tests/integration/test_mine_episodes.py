"""``predsurv mine episodes`` from the command line, over files that the store wrote."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import NO_FEE, Market, Outcome
from predsurv.store.layout import NS_DAY, date_of
from tests.kit.backtests import MIDNIGHT, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import S, cents, market, shares

RACE = tuple(
    market(
        name,
        event_id=EventId("race"),
        mutually_exclusive=True,
        exhaustive=True,
        neg_risk=True,
        fee=NO_FEE,
        fetched_at=MIDNIGHT,
    )
    for name in ("a", "b", "c")
)
DATE = date_of(MIDNIGHT)


@pytest.fixture(autouse=True)
def _recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YES of all three costs 120 cents for an hour, and 95 for two seconds on the first day, four on the second."""
    monkeypatch.chdir(tmp_path)
    for day, seconds in ((0, 2), (1, 4)):
        begin, data = hours(1, day), tmp_path / "data"
        listed_on(data, day, *(replace(each, fetched_at=hours(0, day)) for each in RACE))
        keys = [each.key(0) for each in RACE]
        rows: list[Any] = [each for key in keys for each in books(key, begin, ask=40)]
        rows += [_ask(keys[0], 30, 50, begin + S * 10), _ask(keys[0], 30, 0, begin + S * (10 + seconds))]
        rows += [_ask(keys[1], 25, 50, begin + S * 10), _ask(keys[1], 25, 0, begin + S * (10 + seconds))]
        rows.sort(key=lambda each: each.ts_recv)
        rows += [covered(key, begin, hours(2, day)) for key in keys]
        record(data, hours(2, day), rows)


def _ask(key: InstrumentKey, price: int, size: float, ts: int) -> BookDelta:
    return BookDelta(key, ts, None, 1, None, "ask", cents(price), shares(size))


def test_the_episodes_of_a_range_of_days_are_shown_and_written_a_file_a_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = date_of(MIDNIGHT + NS_DAY)
    assert main(["mine", "episodes", "mock", f"{DATE}..{last}", "--format", "json"]) == 0
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [(row["kind"], row["ended"], row["peak_profit_usd"], row["leg_count"]) for row in rows] == [
        ("yes_basket", "closed", 2.5, 3)
    ] * 2
    assert {row["title"] for row in rows} == {"Will a?"}
    assert "2 episodes" in captured.err
    durations = [
        pl.read_parquet(tmp_path / f"data/episodes/venue=mock/date={date}/episodes.parquet")["duration_s"].to_list()
        for date in (DATE, last)
    ]
    assert durations == [[2.0], [4.0]]


def test_output_and_file_have_the_same_numbers_under_the_same_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", "episodes", "mock", DATE, "--format", "json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    (stored,) = pl.read_parquet(tmp_path / f"data/episodes/venue=mock/date={DATE}/episodes.parquet").to_dicts()
    common = shown.keys() & stored.keys()
    assert common >= {"duration_s", "open_profit_usd", "peak_edge_bps", "left_50ms_usd", "left_5000ms_usd"}
    assert {name: shown[name] for name in common - {"start", "seen_from_start"}} == {
        name: stored[name] for name in common - {"start", "seen_from_start"}
    }
    assert (stored["left_1000ms_usd"], stored["left_5000ms_usd"]) == (2.5, 0.0)
    assert stored["profit_usd_s"] == pytest.approx(5.0)


def test_a_quiet_day_has_a_file_without_rows(tmp_path: Path) -> None:
    quiet = tmp_path / "data"
    record(quiet, hours(2, 3), [*books(RACE[0].key(0), hours(1, 3)), covered(RACE[0].key(0), hours(1, 3), hours(2, 3))])
    listed_on(quiet, 3, *RACE)
    date = date_of(MIDNIGHT + 3 * NS_DAY)
    assert main(["mine", "episodes", "mock", date]) == 0
    rows = pl.read_parquet(quiet / f"episodes/venue=mock/date={date}/episodes.parquet")
    assert rows.is_empty()
    assert rows.schema["left_50ms_usd"] == pl.Float64()


def test_an_approved_pair_of_two_venues_pays_across(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    for venue, bid, ask in (("polymarket", 40, 42), ("kalshi", 45, 60)):
        made = _on(VenueName(venue))
        key = made.key(0)
        listed_on(data, 5, made)
        whole = BookSnapshot(key, hours(1, 5), None, 1, None, ((cents(bid), shares(20)),), ((cents(ask), shares(100)),))
        record(data, hours(2, 5), [whole, covered(key, hours(1, 5), hours(2, 5))], collector=venue)
    pair = '[[pairs]]\napproved_by = "me"\napproved_at = 2026-01-01T00:00:00Z\n'
    sides = "".join(
        f'{side} = {{ venue = "{venue}", market = "{_on(VenueName(venue)).market_id}", outcomes = {_ids(venue)} }}\n'
        for side, venue in (("first", "kalshi"), ("second", "polymarket"))
    )
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mappings.toml").write_text(pair + sides)
    date = date_of(MIDNIGHT + 5 * NS_DAY)
    assert main(["mine", "episodes", "cross", date, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["peak_profit_usd"], row["seen_from_start"]) == ("cross", 0.6, "no")
    assert (data / f"episodes/venue=cross/date={date}/episodes.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cross"], "no approved pair of markets in config/mappings.toml"),
        (["foo"], "foo"),
        (["mock", "2027-13-01"], "expected a day such as 2026-01-31"),
        (["mock", "2020-01-01"], "these days were not recorded"),
    ],
)
def test_what_cannot_be_mined_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "episodes", *arguments]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def _on(venue: VenueName) -> Market:
    name = f"{venue}-m"
    outcomes = (Outcome(InstrumentId(f"{name}-1"), "Yes"), Outcome(InstrumentId(f"{name}-2"), "No"))
    made = market(fee=NO_FEE, fetched_at=MIDNIGHT)
    return replace(made, venue=venue, market_id=MarketId(name), event_id=EventId(name), outcomes=outcomes)


def _ids(venue: str) -> str:
    return f'["{venue}-m-1", "{venue}-m-2"]'


@pytest.mark.parametrize("words", [["tables", "mock", DATE], ["mock", DATE, "--tables"]])
def test_days_are_shown_beside_published_figures(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "episodes", "mock", DATE]) == 0
    capsys.readouterr()
    assert main(["mine", *words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    here = {row["what"]: row["here"] for row in found["published"]}
    assert (here["episodes over several markets"], here["episodes within one market"]) == (1, 0)
    assert found["spreads"] == [], "no book was shown with its best levels"
    assert found["outcomes"] == []
