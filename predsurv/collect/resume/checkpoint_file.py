"""Find the notes that an earlier run left, wherever it ended.

Kept apart from recovery in the store, which seals what it finds and forgets it: the notes must
outlive that. While a run is under way they are in its newest log segment; what they were when that
segment was opened is in ``state/{collector}.notes``, as are the last ones of a run that ended well.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from predsurv.core.errors import IntegrityError
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import Layout, segments_of
from predsurv.store.wal.segment import IncompleteSegment, SegmentReader

_DECODER = msgspec.msgpack.Decoder(dict[str, bytes])


def find_notes(layout: Layout, collector: str) -> dict[str, bytes]:
    """Return the notes of the run before, empty when there was none; call with the lock held."""
    for path in reversed(list(segments_of(layout.wal, collector))):
        notes = _notes_of(path)
        if notes:
            return notes
    try:
        return _DECODER.decode(_path(layout, collector).read_bytes())
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"{_path(layout, collector)} is damaged ({error}): move it away, the time since then stays unexplained"
        ) from None


def keep_notes(layout: Layout, collector: str, notes: Mapping[str, bytes]) -> None:
    """Put ``notes`` where the next run finds them when the log is gone, durably; raises OSError."""
    make_dirs(layout.state, PRIVATE_DIR)
    write_whole(_path(layout, collector), msgspec.msgpack.encode(dict(notes)))


def _path(layout: Layout, collector: str) -> Path:
    return layout.state / f"{collector}.notes"


def _notes_of(path: Path) -> dict[str, bytes]:
    try:
        with closing(SegmentReader(path)) as reader:
            return {kind: body for kind, body in reader.segment.metadata.items() if ":" in kind}
    except (IncompleteSegment, IntegrityError):
        return {}
