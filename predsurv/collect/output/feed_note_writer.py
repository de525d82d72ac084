"""Keep the samples of raw frames that the venues' feeds take, and the kinds of messages that nobody knows."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

from predsurv.collect.session import RecordingSession
from predsurv.core.ids import VenueName
from predsurv.ports import Clock, Sampling
from predsurv.store.feed_notes import FeedNote, read_feed_note, write_feed_note
from predsurv.store.layout import Layout

INTERVAL: Final = 300_000_000_000
"""How often (ns) the notes are written."""

_LOG: Final = logging.getLogger(__name__)


class FeedNoteWriter:
    """Writes a note for each venue of one collector, whose earlier runs' notes go on in it."""

    def __init__(self, layout: Layout, collector: str, sessions: Sequence[RecordingSession], clock: Clock) -> None:
        self._layout = layout
        self._collector = collector
        self._sessions = sessions
        self._clock = clock
        self._notes: dict[VenueName, FeedNote] = {}
        self._told: dict[VenueName, Mapping[str, int]] = {}
        self._malformed: dict[VenueName, int] = {}
        self._writing = Lock()
        self._began = clock.now()

    async def run(self) -> None:
        """Write every five minutes, and when it is cancelled."""
        try:
            while True:
                await self._clock.sleep(INTERVAL)
                await asyncio.to_thread(self._write)
        finally:
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        with self._writing:  # of a write that was cancelled the thread goes on
            for session in self._sessions:
                venue = session.venue.name
                try:
                    write_feed_note(self._layout, venue, self._collector, self._note(session))
                except OSError as error:
                    _LOG.warning("%s: the sample of its messages is not kept: %s", venue, error)

    def _note(self, session: RecordingSession) -> FeedNote:
        """Return the note of a venue with what came since the last one."""
        venue, now, counters = session.venue.name, self._clock.now(), session.recorder.counters
        before = self._notes.get(venue) or read_feed_note(self._layout, venue, self._collector)
        frames = session.venue.take_frame_samples() if isinstance(session.venue, Sampling) else ()
        kinds = Counter(counters.unknown_kinds)
        news = FeedNote(
            self._began,
            now,
            tuple(frame.decode("utf-8", "replace") for frame in frames),
            dict(kinds - Counter(self._told.get(venue, {}))),
            counters.malformed - self._malformed.get(venue, 0),
        )
        self._told[venue], self._malformed[venue] = kinds, counters.malformed
        self._notes[venue] = news if before is None else before.with_later(news)
        return self._notes[venue]
