"""``doctor --venue`` says what a venue sends that this version does not know, and what its rows do not say."""

import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderSide, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.store.feed_notes import FeedNote, write_feed_note
from predsurv.store.layout import Layout
from tests.kit.recordings import record

POLYMARKET = VenueName("polymarket")
KEY = InstrumentKey(POLYMARKET, MarketId("m"), InstrumentId("i"))
START = 1_800_000_000_000_000_000
TICK = (
    '{"event_type":"tick_size_change","market":"m","asset_id":"i","timestamp":"1",'
    '"old_tick_size":"0.01","new_tick_size":"%s"}'
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(
    capsys: pytest.CaptureFixture[str], *arguments: str, venue: str = "polymarket"
) -> dict[str, dict[str, str]]:
    assert main(["doctor", "--venue", venue, "--offline", "--format", "json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    return {row["check"]: row for row in (told["checks"] if isinstance(told, dict) else told)}


def test_without_a_sample_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    rows = checked(capsys)
    assert list(rows) == ["messages"]
    assert rows["messages"]["state"] == "warn"
    assert "predsurv collect" in rows["messages"]["next_step"]


def test_what_collectors_sampled_is_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout(folder / "data")
    write_feed_note(layout, POLYMARKET, "c0", FeedNote(START, START, (TICK % "0.001",), {"mood": 2}, 3))
    write_feed_note(layout, POLYMARKET, "c1", FeedNote(START, START, (TICK % "0.003", "PONG"), {"mood": 5}))
    rows = checked(capsys)
    assert rows["messages"]["found"].startswith("2 in 3 frames, sampled from 2027-01-15T08:00:00Z to")
    assert rows["messages"]["found"].endswith("1 are no JSON objects")
    assert rows["kinds"]["found"] == "not known: mood (7)"
    assert rows["form"]["found"] == "3 messages were not in their documented form"
    assert rows["tick_size_change"]["found"] == "values not known: new_tick_size=0.003 (1)"
    assert {row["state"] for row in rows.values()} == {"warn"}


def test_frames_of_a_file_are_compared_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(folder / "data", START, [BookSnapshot(KEY, START, START, 1, None, (), ())])
    (folder / "frames.jsonl").write_text((TICK % "0.001") + "\n\n" + '{"event_type":"tick_size_change","depth":1}\n')
    rows = checked(capsys, "--frames", "frames.jsonl")
    assert list(rows) == ["messages", "kinds", "tick_size_change"]
    assert rows["kinds"]["state"] == "ok"
    missing = "asset_id (1), market (1), new_tick_size (1), old_tick_size (1), timestamp (1)"
    assert rows["tick_size_change"]["found"] == f"fields not known: depth (1); fields missing: {missing}"


def test_the_last_recorded_day_says_which_columns_are_empty(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int | None, OrderSide | None]] = [(START, "buy"), (START, None), (None, "sell")]
    trades = [
        Trade(KEY, START + 1, ts_venue, Price(500_000), Size(1_000_000), side, TradeId("t")) for ts_venue, side in told
    ]
    record(folder / "data", START, [BookSnapshot(KEY, START, START, 1, None, (), ()), *trades])
    rows = checked(capsys)
    assert (
        rows["channels"]["found"]
        == "in the last hour of 2027-01-15: 1 rows of deltas, 3 rows of trades, 0 rows of lifecycle"
    )
    lacking = "1 of 3 rows of trades say no ts_venue; 1 of 3 rows of trades say no taker_side"
    assert rows["columns"]["found"] == f"in the last hour of 2027-01-15 {lacking}"
    assert rows["columns"]["state"] == "warn"


def test_columns_that_are_full_are_said_to_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(folder / "data", START, [BookSnapshot(KEY, START, START, 1, None, (), ())])
    rows = checked(capsys)
    assert rows["columns"] == {
        "state": "ok",
        "check": "columns",
        "found": "in the last hour of 2027-01-15 every row says deltas.ts_venue",
        "next_step": "",
    }


def test_the_made_up_venue_needs_no_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(capsys, venue="mock")["messages"]["state"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--venue", "polymraket"], "did you mean polymarket"),
        (["--venue", "kalshi", "--frames", "none.jsonl"], "none.jsonl: No such file"),
        (["--frames", "x"], "--frames goes with --venue"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_file_that_is_too_large_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "large.jsonl").open("wb") as file:
        file.truncate(1 << 29)
    assert main(["doctor", "--venue", "kalshi", "--frames", "large.jsonl"]) == 2
    assert "give a part of it" in capsys.readouterr().err


def test_the_addresses_of_the_venue_are_tried(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "s.toml").write_text('[venues.kalshi]\nrest_url = "http://127.0.0.1:1"\nws_url = "ws://127.0.0.1:1"\n')
    assert main(["doctor", "--venue", "kalshi", "--config", "s.toml"]) == 1
    assert "kalshi rest" in capsys.readouterr().out
