"""What a collector noted of a venue's feed: samples of its raw frames, and how often kinds came that nobody knows.

One JSON file for each venue and collector below ``state/feeds``, replaced as a whole. Nothing of a recording depends on
it: ``predsurv doctor --venue`` compares it with what is known of the venue's messages.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.core.text import path_component
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import Layout

FRAMES_MAX: Final = 1_000
FRAME_CHARS_MAX: Final = 1 << 21
"""Of all frames of a note; the oldest make room."""

KINDS_MAX: Final = 100
_BYTES_MAX: Final = 1 << 26


class FeedNote(Struct, frozen=True):
    """Of one collector: ``frames`` sampled from ``since`` to ``until`` (ns UTC), the latest ones; counts of ``unknown``
    kinds and of ``malformed`` messages in all of that time.
    """

    since: int
    until: int
    frames: tuple[str, ...] = ()
    unknown: Mapping[str, int] = {}
    malformed: int = 0

    def with_later(self, later: "FeedNote") -> "FeedNote":
        """Return what both notes say, within their bounds."""
        unknown = Counter(self.unknown)
        unknown.update(later.unknown)
        return FeedNote(
            self.since,
            later.until,
            _latest((*self.frames, *later.frames)),
            dict(unknown.most_common(KINDS_MAX)),
            self.malformed + later.malformed,
        )


def _latest(frames: Sequence[str]) -> tuple[str, ...]:
    left, kept = FRAME_CHARS_MAX, list[str]()
    for frame in reversed(frames[-FRAMES_MAX:]):
        left -= len(frame)
        if left < 0:
            break
        kept.append(frame)
    return tuple(reversed(kept))


def write_feed_note(layout: Layout, venue: VenueName, collector: str, note: FeedNote) -> None:
    """Replace what ``collector`` noted of a venue; raises OSError."""
    path = _path(layout, venue, collector)
    make_dirs(path.parent, PRIVATE_DIR)
    write_whole(path, msgspec.json.encode(note))


def read_feed_note(layout: Layout, venue: VenueName, collector: str) -> FeedNote | None:
    """Return what ``collector`` noted of a venue, None when it noted nothing or that cannot be read."""
    return _read(_path(layout, venue, collector))


def feed_notes(layout: Layout, venue: VenueName) -> list[FeedNote]:
    """Return what the collectors of a folder noted of a venue."""
    folder = _folder(layout, venue)
    found = [_read(path) for path in sorted(folder.glob("*.json"))]
    return [note for note in found if note is not None]


def _read(path: Path) -> FeedNote | None:
    try:
        if path.stat().st_size > _BYTES_MAX:
            return None
        return msgspec.json.decode(path.read_bytes(), type=FeedNote)
    except (OSError, ValueError):  # an older version's, or damaged: it is only a sample
        return None


def _folder(layout: Layout, venue: VenueName) -> Path:
    return layout.state / "feeds" / path_component(venue)


def _path(layout: Layout, venue: VenueName, collector: str) -> Path:
    return _folder(layout, venue) / f"{path_component(collector)}.json"
