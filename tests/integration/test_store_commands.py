"""``predsurv status``, ``verify`` and ``compact`` over a recording made of log segments."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, TradingPhase, VenuePhase
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Outcome
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.mine.job import MiningResult, mine_days
from predsurv.mine.recorded_days import MiningDay
from predsurv.net.clock import ManualClock
from predsurv.store.layout import FOLDERS, NS_HOUR, Dataset, Layout, Partition, data_files
from predsurv.store.read.replay import replay
from predsurv.store.seal import merge
from predsurv.store.seal.coverage_tail import covered_time
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from predsurv.store.wal.segment import last_segment_number
from tests.kit.lean_runs import FRAMES, PARSER, RUNNING, run_without
from tests.kit.market_samples import market
from tests.kit.recordings import write_universe

NOON = 1_700_049_600_000_000_000  # 2023-11-15T12:00:00Z
KEY = InstrumentKey(VenueName("mock"), MarketId("m0"), InstrumentId("i0"))
MINUTE = 60_000_000_000


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Two hours in four segments, the second of them a gap."""
    monkeypatch.chdir(tmp_path)
    layout = Layout(tmp_path / "data")
    for number in range(4):
        start = NOON + number * 30 * MINUTE
        log = WriteAheadLog(layout.state, "c0", ManualClock(start))
        log.append(segment(start, "gap" if number > 1 else "covered"))
        path = log.close()
        assert path is not None
        seal_segment(path, layout, ManualClock(start))
    return layout


def segment(start: int, state: str) -> list[Record]:
    levels = ((Price(500_000), Size(1)),)
    coverage = (
        Coverage(KEY, start, start + 30 * MINUTE, "covered", "live", 1)
        if state == "covered"
        else Coverage(KEY, start, start + 30 * MINUTE, "gap", "stall", 1)
    )
    return [
        BookSnapshot(KEY, start, None, 1, None, levels, ()),
        BookTop(KEY, start, None, pack_levels(levels), b"", trusted=True),
        BookDelta(KEY, start + 1, None, 1, None, "bid", Price(500_000), Size(2)),
        BookTop(KEY, start + 1, None, pack_levels(((Price(500_000), Size(2)),)), b"", trusted=True),
        coverage,
    ]


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    assert main([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found if isinstance(found, dict) else {arguments[0]: found}


def test_status_shows_hours_by_reason(recorded: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "status", "--hours", "5")["hours"]
    assert [(row["state"], row["reason"], row["share"]) for row in found] == [
        ("gap", "stall", 1.0),
        ("covered", "live", 1.0),
    ]
    assert len(rows(capsys, "status", "--hours", "1")["hours"]) == 1
    assert "hours" not in rows(capsys, "status")


def test_status_needs_no_polars(recorded: Layout) -> None:
    """It takes a third of the memory that a command beside a recorder may have."""
    assert "stall" in run_without([*PARSER, *FRAMES, *RUNNING], "status")


def test_status_counts_the_time_of_a_file_that_is_gone_as_a_gap(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    def times() -> Mapping[str, float]:
        assert main(["status", "--format", "json"]) == 0
        return {row["reason"]: row["seconds"] for row in json.loads(capsys.readouterr().out)["coverage"]}

    assert times() == {"live": 3600, "stall": 3600}
    data_files(recorded, "deltas")[0].unlink()
    found = times()
    assert found.keys() == {"live", "stall", "file_missing"}
    assert 0 < found["file_missing"] < 1
    assert sum(found.values()) == pytest.approx(7200)
    assert main(["status"]) == 0
    assert "a sealed file is gone" in capsys.readouterr().out


def test_status_does_not_count_files_that_are_gone_as_on_disk(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> Mapping[str, int]:
        return {str(row["dataset"]): int(str(row["files"])) for row in rows(capsys, "status")["stored"]}

    before = files()
    data_files(recorded, "deltas")[0].unlink()
    after = files()
    assert after.get("book_deltas", 0) == before["book_deltas"] - 1
    assert {**after, "book_deltas": 0} == {**before, "book_deltas": 0}


def test_status_without_coverage_says_that_nothing_tells_what_was_observed(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in data_files(recorded, "coverage"):
        path.unlink()
    assert main(["status"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("no coverage is there, so nothing tells which time was observed") == 2
    assert "nothing was recorded yet" not in shown


def test_status_counts_recorded_instruments_without_a_listing(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    def listings() -> list[Mapping[str, object]]:
        assert main(["status", "--format", "json"]) == 0
        found: list[Mapping[str, object]] = json.loads(capsys.readouterr().out)["listings"]
        return found

    day = {"venue": "mock", "date": "2023-11-15", "recorded": 1}
    assert listings() == [{**day, "unlisted": 1}]
    assert main(["status"]) == 0
    assert "1 of 1 recorded instruments has no listing" in capsys.readouterr().out
    listed = replace(market(0), market_id=KEY.market_id, outcomes=(Outcome(KEY.instrument_id, "Yes"),))
    write_universe(recorded.data_dir, KEY.venue, "2023-11-14", [listed])
    assert listings() == [{**day, "unlisted": 0}]


def test_a_whole_recording_is_verified_before_and_after_compaction(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--deep"]) == 0
    assert "none: all 12 files are as they were sealed" in capsys.readouterr().out
    (merged,) = rows(capsys, "compact", "mock", "2023-11-15")["compact"]
    assert (merged["hours"], merged["files"], merged["merged"]) == (3, 12, 5)
    assert [len(data_files(recorded, dataset)) for dataset in FOLDERS] == [2, 2, 0, 1, 0, 0]
    assert main(["verify", "--deep"]) == 0
    assert "none: all 5 files are as they were sealed" in capsys.readouterr().out
    assert rows(capsys, "compact")["compact"] == []


def test_compact_enforces_the_storage_limits(
    recorded: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDSURV_STORAGE__MAX_AGE", "1h")
    (removed,) = rows(capsys, "compact")["removed"]
    assert removed["files"] == 5
    for arguments in (["verify"], ["verify", "--deep"]):
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        assert "no file of a recording is in data" in shown
        assert "nothing to verify" in shown
    assert rows(capsys, "verify") == {"verified": [], "findings": []}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mock", "monday"], "expected a day such as"),
        (["mock", "yesterday"], "nothing recorded for mock yesterday"),
        (["moc"], "no venue is called 'moc'; did you mean mock?"),
        (["kalshi", "2023-11-15"], "nothing recorded for kalshi 2023-11-15"),
    ],
)
def test_compact_refuses_days_and_venues_that_are_none_or_have_nothing(
    recorded: Layout, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], says: str
) -> None:
    assert main(["compact", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("command", [["compact"], ["mine"], ["mine", "tables"]])
def test_missing_days_of_a_range_are_named(
    recorded: Layout, capsys: pytest.CaptureFixture[str], command: Sequence[str]
) -> None:
    assert main([*command, "mock", "2023-11-12..2023-11-16"]) == 0
    assert "not recorded: 2023-11-12..2023-11-14, 2023-11-16\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["mine", "moc"], ["mine", "tables", "moc"], ["mine", "explain", "x", "--venue", "moc"]]
)
def test_a_venue_that_does_not_exist_is_a_usage_error(
    recorded: Layout, capsys: pytest.CaptureFixture[str], command: Sequence[str]
) -> None:
    assert main(command) == 2
    assert "no venue is called 'moc'; did you mean mock?" in capsys.readouterr().err


def test_what_was_verified_is_told_to_programs_and_people(recorded: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    told = rows(capsys, "verify", "--deep")
    files = {(row["dataset"], row["venue"]): row for row in told["verified"]}
    deltas = files["book_deltas", "mock"]
    paths = data_files(recorded, "deltas")
    assert (deltas["files"], deltas["bytes"]) == (len(paths), sum(path.stat().st_size for path in paths))
    assert deltas["rows"] == sum(len(pl.read_parquet(path, hive_partitioning=False)) for path in paths)
    assert deltas["checks"] == "manifest digest rows gap coverage tiling rotation fold sequence snapshot"
    assert told["findings"] == []
    assert main(["verify"]) == 0
    shown = capsys.readouterr().out
    checks = "manifest, digest, rows, gap, coverage, tiling, rotation"
    assert f"checks: {checks}; with --deep the books are added up too" in shown
    assert "tile" not in shown


def test_findings_end_with_the_code_for_damaged_data(recorded: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = data_files(recorded, "deltas")[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    data_files(recorded, "snapshots")[0].unlink()
    assert main(["verify"]) == 4
    shown = capsys.readouterr().out
    assert "the content is not what was sealed" in shown
    assert "the file is gone" in shown


def test_a_book_that_does_not_add_up_is_a_finding_of_the_deep_check(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    start = NOON + 3 * NS_HOUR
    log = WriteAheadLog(recorded.state, "c1", ManualClock(start))
    log.append([*segment(start, "covered")[:2], BookTop(KEY, start + 5, None, b"", b"", trusted=True)])
    path = log.close()
    assert path is not None
    seal_segment(path, recorded, ManualClock(start))
    assert main(["verify"]) == 0
    assert main(["verify", "--deep"]) == 4
    assert "are not those of the" in capsys.readouterr().out


@pytest.mark.parametrize("dataset", list(FOLDERS))
def test_a_foreign_file_beside_the_data_is_ignored_by_readers_and_found_by_verify(
    recorded: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    own = data_files(recorded, dataset)
    folder = own[0].parent if own else recorded.folder(Partition(dataset, KEY.venue, "2023-11-15", 12))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.parquet").write_bytes(b"mine")
    shutil.copytree(folder, folder.parent / f"{folder.name} copy")
    before = list(replay(recorded.data_dir, KEY.venue, NOON, NOON + 2 * NS_HOUR))
    assert len(before) == 10  # four books, four changes, and a gap after each of two
    assert rows(capsys, "status")["coverage"]
    assert main(["mine", "mock", "2023-11-15"]) == 0
    assert main(["compact"]) == 0
    assert covered_time(recorded, KEY.venue, "2023-11-15") == 60 * MINUTE
    assert latest_number(recorded) == 4
    monkeypatch.setenv("PREDSURV_STORAGE__MAX_BYTES", "1")
    assert main(["compact"]) == 0
    capsys.readouterr()
    assert main(["verify"]) == 4
    assert "not a data file of ours" in capsys.readouterr().out


def latest_number(layout: Layout) -> int:
    (layout.wal / "c0.last").unlink()
    return last_segment_number(layout, "c0")


@pytest.mark.parametrize("dataset", ["snapshots", "deltas", "coverage"])
@pytest.mark.parametrize("flipped", [True, False])
def test_every_command_that_needs_a_damaged_file_names_it(
    recorded: Layout, capsys: pytest.CaptureFixture[str], dataset: Dataset, *, flipped: bool
) -> None:
    path = data_files(recorded, dataset)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if flipped else content[:5])
    assert main(["mine", "mock", "2023-11-15"]) == 4
    said = capsys.readouterr().err
    assert path.name in said
    assert "Error" not in said
    assert main(["verify", "--deep"]) == 4
    assert "the content is not what was sealed" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert ("without a damaged file" in capsys.readouterr().out) == (dataset == "coverage")
    assert covered_time(recorded, KEY.venue, "2023-11-15") in {30 * MINUTE, 60 * MINUTE}
    assert main(["compact"]) == 4
    assert path.exists()


def test_a_day_is_mined_while_its_hours_are_merged(recorded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def merging_first(days: Sequence[MiningDay], weight: Mapping[str, float], **options: Any) -> MiningResult:
        files = days[0].files("deltas")
        tries.append(len(files))
        assert main(["compact"]) == 0
        pl.scan_parquet(files).collect()
        return mine_days(days, weight, **options)

    monkeypatch.setattr("predsurv.cli.commands.mine.mine_days", merging_first)
    assert main(["mine", "mock", "2023-11-15"]) == 0
    assert tries == [4, 2]


def whole_venue(ts: int, name: TradingPhase, resumes: int | None = None) -> VenuePhase:
    return VenuePhase(VenueName("mock"), ts, None, name, '{"said": 1}', resumes)


def test_rows_about_a_whole_venue_are_sealed_shown_verified_compacted_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout(tmp_path / "data")
    told = [whole_venue(NOON + MINUTE, "cancel_only", NOON + 90 * MINUTE), whole_venue(NOON + 35 * MINUTE, "open")]
    for number, event in enumerate(told):
        start = NOON + number * 30 * MINUTE
        log = WriteAheadLog(layout.state, "c0", ManualClock(start))
        closed = MarketChange(KEY.venue, KEY.market_id, None, event.ts_recv + 1, None, "closed", "{}")
        log.append([*segment(start, "covered"), event, closed])
        path = log.close()
        assert path is not None
        seal_segment(path, layout, ManualClock(start))
    shown = rows(capsys, "status")["phases"]
    assert [(row["venue"], row["phase"], row["resumes"]) for row in shown] == [("mock", "open", None)]
    for _ in range(2):
        assert main(["verify", "--deep"]) == 0
        for wanted in (None, frozenset({KEY}), frozenset[InstrumentKey]()):
            events = replay(layout.data_dir, VenueName("mock"), NOON, NOON + 2 * NS_HOUR, wanted)
            assert [event for event in events if isinstance(event, VenuePhase)] == told
        for name in ("STEP_ROWS_MIN", "STEP_ROWS_MAX"):
            monkeypatch.setattr(merge, name, 1)  # files far larger than a piece
        assert main(["compact"]) == 0


def test_status_shows_what_a_paused_venue_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout(tmp_path / "data")
    log = WriteAheadLog(layout.state, "c0", ManualClock(NOON))
    log.append([*segment(NOON, "covered"), whole_venue(NOON + 1, "cancel_only", NOON + 90 * MINUTE)])
    path = log.close()
    assert path is not None
    seal_segment(path, layout, ManualClock(NOON))
    (row,) = rows(capsys, "status")["phases"]
    assert (row["phase"], row["since"], row["resumes"]) == (
        "cancel_only",
        "2023-11-15T12:00:00.000000Z",
        "2023-11-15T13:30:00.000000Z",
    )
