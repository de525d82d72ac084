"""What was noted of a venue's feed is kept within bounds, goes on over runs, and its loss is no failure."""

from pathlib import Path

from predsurv.core.ids import VenueName
from predsurv.store.feed_notes import (
    FRAME_CHARS_MAX,
    FRAMES_MAX,
    KINDS_MAX,
    FeedNote,
    feed_notes,
    read_feed_note,
    write_feed_note,
)
from predsurv.store.layout import Layout

VENUE = VenueName("kalshi")


def test_a_note_is_read_back_and_those_of_all_collectors_are_found(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    notes = FeedNote(1, 2, ('{"a":"ä"}',), {"mood": 3}, 4), FeedNote(5, 6)
    assert read_feed_note(layout, VENUE, "c0") is None
    assert feed_notes(layout, VENUE) == []
    for collector, note in zip(("c0", "c1"), notes, strict=True):
        write_feed_note(layout, VENUE, collector, note)
    assert read_feed_note(layout, VENUE, "c0") == notes[0]
    assert feed_notes(layout, VENUE) == [*notes]
    assert feed_notes(layout, VenueName("polymarket")) == []


def test_a_later_note_goes_on_within_the_bounds() -> None:
    first = FeedNote(1, 2, ("a",) * 10, {"mood": 1, "other": 1}, 1)
    both = first.with_later(FeedNote(3, 4, ("b",) * FRAMES_MAX, {"mood": 2}, 2))
    assert (both.since, both.until, both.frames) == (1, 4, ("b",) * FRAMES_MAX)
    assert (both.unknown, both.malformed) == ({"mood": 3, "other": 1}, 3)
    large = "x" * (FRAME_CHARS_MAX // 2)
    assert first.with_later(FeedNote(3, 4, (large, large))).frames == (large, large)
    many = first.with_later(FeedNote(3, 4, (), {f"k{number}": 2 for number in range(2 * KINDS_MAX)}))
    assert len(many.unknown) == KINDS_MAX


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_feed_note(layout, VENUE, "c0", FeedNote(1, 2))
    path = next((layout.state / "feeds").rglob("*.json"))
    path.write_text("{")
    assert feed_notes(layout, VENUE) == []
    with path.open("wb") as file:
        file.truncate(1 << 27)
    assert read_feed_note(layout, VENUE, "c0") is None
