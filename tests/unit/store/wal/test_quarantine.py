"""Quarantine of damaged segments, and the marker of segments whose coverage is not retracted yet."""

import errno
import os
from pathlib import Path

import pytest

from predsurv.core.errors import TransientError
from predsurv.net.clock import ManualClock
from predsurv.store.files import sync_dir
from predsurv.store.layout import Layout, segment_name
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal import quarantine


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def damage(layout: Layout, collector: str, segment: int) -> None:
    layout.wal.mkdir(parents=True, exist_ok=True)
    path = layout.wal / segment_name(collector, segment)
    path.write_bytes(b"nothing")
    quarantine.move_segment(path, layout)
    assert not path.exists()
    assert (layout.quarantine / path.name).read_bytes() == b"nothing"


def test_the_damage_marker_stays_until_it_is_cleared(layout: Layout) -> None:
    assert quarantine.damaged_segments(layout, "c0") is None
    damage(layout, "c0", 12)
    damage(layout, "c0", 3)
    assert quarantine.damaged_segments(layout, "c0") == [3, 12]
    assert quarantine.damaged_segments(layout, "c1") is None
    quarantine.clear_marker(layout, "c0")
    quarantine.clear_marker(layout, "c0")
    assert quarantine.damaged_segments(layout, "c0") is None


def test_an_interrupted_move_into_quarantine_is_completed_by_the_next_seal(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses when the database is out of the log already, but not yet what SQLite kept beside it."""
    layout.wal.mkdir(parents=True)
    path = layout.wal / segment_name("c0", 7)
    beside = path.with_name(path.name + "-wal")
    path.write_bytes(b"nothing")
    beside.write_bytes(b"all of it")
    calls: list[Path] = []

    def refusing(folder: Path) -> None:
        calls.append(folder)
        if calls[-1] == layout.wal and calls.count(layout.wal) == 1:
            raise OSError(5, "Input/output error")
        sync_dir(folder)

    monkeypatch.setattr(quarantine, "sync_dir", refusing)
    with pytest.raises(TransientError, match="Input/output error"):
        seal_segment(path, layout, ManualClock())
    assert not path.exists()
    assert (layout.quarantine / beside.name).read_bytes() == b"all of it"
    assert seal_segment(path, layout, ManualClock()).damaged
    assert quarantine.damaged_segments(layout, "c0") == [7]
    assert not beside.exists()
    assert (layout.quarantine / beside.name).read_bytes() == b"all of it"


def test_without_hard_links_the_segment_is_moved(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refusing)
    damage(layout, "c0", 3)
    assert quarantine.damaged_segments(layout, "c0") == [3]


def test_retracted_segments_leave_the_marker_in_place(layout: Layout) -> None:
    damage(layout, "c0", 3)
    damage(layout, "c0", 4)
    quarantine.mark_retracted(layout, "c0", {3})
    assert quarantine.damaged_segments(layout, "c0") == [4]
    quarantine.mark_retracted(layout, "c0", {4})
    assert quarantine.damaged_segments(layout, "c0") == []


def test_an_unreadable_damage_marker_is_still_a_marker(layout: Layout) -> None:
    layout.state.mkdir(parents=True)
    (layout.state / "c0.damaged").write_bytes(b"\xff12 7 x")
    assert quarantine.damaged_segments(layout, "c0") == [7]
