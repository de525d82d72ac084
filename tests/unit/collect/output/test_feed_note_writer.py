"""Samples and unknown kinds are written every five minutes and at the end, and go on where an earlier run left them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from predsurv.collect.output import feed_note_writer
from predsurv.collect.output.feed_note_writer import INTERVAL, FeedNoteWriter
from predsurv.collect.recording.reducer import KINDS_MAX, EventCounters, count_event
from predsurv.collect.session import RecordingSession
from predsurv.core.events import Malformed, Unknown
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock
from predsurv.store.feed_notes import read_feed_note
from predsurv.store.layout import Layout
from tests.kit.patience import until

VENUE = VenueName("kalshi")


class Sampled:
    name = VENUE

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def take_frame_samples(self) -> Sequence[bytes]:
        frames, self.frames = self.frames, []
        return frames


def session(venue: object) -> tuple[RecordingSession, EventCounters]:
    counters = EventCounters()
    made = SimpleNamespace(venue=venue, recorder=SimpleNamespace(counters=counters))
    return cast(RecordingSession, made), counters


async def test_notes_are_written_every_five_minutes_and_when_the_run_ends(tmp_path: Path) -> None:
    venue, clock, layout = Sampled(), ManualClock(1_000), Layout(tmp_path)
    recorded, counters = session(venue)
    task = asyncio.create_task(FeedNoteWriter(layout, "c0", [recorded], clock).run())
    venue.frames = [b'{"a":1}']
    count_event(counters, Unknown(VENUE, 1, "mood"))
    await clock.advance(INTERVAL)
    await until(lambda: read_feed_note(layout, VENUE, "c0") is not None)
    venue.frames = [b"\xff"]
    count_event(counters, Unknown(VENUE, 1, "mood"))
    count_event(counters, Malformed(VENUE, 1, "bad", ""))
    task.cancel()
    await asyncio.wait([task])
    note = read_feed_note(layout, VENUE, "c0")
    assert note is not None
    assert (note.since, note.until) == (1_000, 1_000 + INTERVAL)
    assert note.frames == ('{"a":1}', "\N{REPLACEMENT CHARACTER}")
    assert (note.unknown, note.malformed) == ({"mood": 2}, 1)


async def test_a_later_run_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for number in range(2):
        venue, clock = Sampled(), ManualClock(number * 100)
        recorded, counters = session(venue)
        count_event(counters, Unknown(VENUE, 1, "mood"))
        venue.frames = [b'{"n":%d}' % number]
        task = asyncio.create_task(FeedNoteWriter(layout, "c0", [recorded], clock).run())
        await clock.advance(0)
        task.cancel()
        await asyncio.wait([task])
    note = read_feed_note(layout, VENUE, "c0")
    assert note is not None
    assert (note.since, note.until, note.frames, note.unknown) == (0, 100, ('{"n":0}', '{"n":1}'), {"mood": 2})


async def test_a_note_that_cannot_be_written_does_not_end_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feed_note_writer, "write_feed_note", full)
    clock = ManualClock()
    recorded, _ = session(SimpleNamespace(name=VENUE))
    task = asyncio.create_task(FeedNoteWriter(Layout(tmp_path), "c0", [recorded], clock).run())
    await clock.advance(INTERVAL)
    await until(lambda: "the sample of its messages is not kept" in caplog.text)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


def test_kinds_beyond_the_bound_are_counted_but_not_told_apart() -> None:
    counters = EventCounters()
    for number in range(KINDS_MAX + 5):
        count_event(counters, Unknown(VENUE, 1, f"k{number}"))
    assert (counters.unknown, len(counters.unknown_kinds)) == (KINDS_MAX + 5, KINDS_MAX)
