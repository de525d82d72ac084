"""``predsurv status``, ``verify`` and ``compact`` over a recording made of log segments."""

import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.store.paths import FOLDERS, NS_HOUR, Layout, data_files
from predsurv.store.seal import seal_segment
from predsurv.store.wal import Log

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
        log = Log(layout.state, "c0", ManualClock(start))
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


def test_hours_are_shown_by_reason(recorded: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "status", "--hours", "5")["hours"]
    assert [(row["state"], row["reason"], row["share"]) for row in found] == [
        ("gap", "stall", 1.0),
        ("covered", "live", 1.0),
    ]
    assert len(rows(capsys, "status", "--hours", "1")["hours"]) == 1
    assert "hours" not in rows(capsys, "status")


def test_a_whole_recording_is_verified_before_and_after_compaction(
    recorded: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--deep"]) == 0
    assert "12 files are whole" in capsys.readouterr().out
    (merged,) = rows(capsys, "compact", "mock", "2023-11-15")["compact"]
    assert (merged["hours"], merged["files"], merged["merged"]) == (3, 12, 5)
    assert [len(data_files(recorded, dataset)) for dataset in FOLDERS] == [2, 2, 0, 1, 0]
    assert main(["verify", "--deep"]) == 0
    assert "5 files are whole" in capsys.readouterr().out
    assert rows(capsys, "compact")["compact"] == []


def test_limits_of_storage_are_kept(
    recorded: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDSURV_STORAGE__MAX_AGE", "1h")
    (removed,) = rows(capsys, "compact")["removed"]
    assert removed["files"] == 5
    assert main(["verify", "--deep"]) == 0
    assert "0 files" in capsys.readouterr().out


def test_no_date_is_a_usage_error(recorded: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", "mock", "yesterday"]) == 2
    assert "YYYY-MM-DD" in capsys.readouterr().err


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
    log = Log(recorded.state, "c1", ManualClock(start))
    log.append([*segment(start, "covered")[:2], BookTop(KEY, start + 5, None, b"", b"", trusted=True)])
    path = log.close()
    assert path is not None
    seal_segment(path, recorded, ManualClock(start))
    assert main(["verify"]) == 0
    assert main(["verify", "--deep"]) == 4
    assert "are not those of the" in capsys.readouterr().out
