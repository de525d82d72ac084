"""Damage leaves a mark until it is mended, and the mark says whether anybody has heard of it."""

from pathlib import Path

import pytest

from predsurv.store import quarantine
from predsurv.store.paths import Layout, segment_name


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def damage(layout: Layout, collector: str, segment: int) -> None:
    layout.wal.mkdir(parents=True, exist_ok=True)
    path = layout.wal / segment_name(collector, segment)
    path.write_bytes(b"nothing")
    quarantine.keep_segment(path, layout)
    assert not path.exists()
    assert (layout.quarantine / path.name).read_bytes() == b"nothing"


def test_damage_is_marked_until_it_is_mended(layout: Layout) -> None:
    assert quarantine.marked(layout, "c0") is None
    damage(layout, "c0", 12)
    damage(layout, "c0", 3)
    assert quarantine.marked(layout, "c0") == [3, 12]
    assert quarantine.marked(layout, "c1") is None
    quarantine.clear(layout, "c0")
    quarantine.clear(layout, "c0")
    assert quarantine.marked(layout, "c0") is None


def test_what_was_heard_of_is_still_to_be_mended(layout: Layout) -> None:
    damage(layout, "c0", 3)
    damage(layout, "c0", 4)
    quarantine.heard(layout, "c0", {3})
    assert quarantine.marked(layout, "c0") == [4]
    quarantine.heard(layout, "c0", {4})
    assert quarantine.marked(layout, "c0") == []


def test_a_mark_of_another_version_or_with_a_flipped_bit_is_still_a_mark(layout: Layout) -> None:
    layout.state.mkdir(parents=True)
    (layout.state / "c0.damaged").write_bytes(b"\xff12 7 x")
    assert quarantine.marked(layout, "c0") == [7]
