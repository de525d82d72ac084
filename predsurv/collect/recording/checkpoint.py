"""What a restart has to know: the open interval of every instrument and how far each feed had come.

Kept apart from the log, which holds notes without understanding them, and from the recorder, which
does not know that it can die. Notes are committed with the records they belong to, so together they
tile time across any crash.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from predsurv.collect.recording.coverage import Note
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.records import Coverage

BUCKETS: Final = 64
"""Notes per venue that open intervals are spread over: a change rewrites one of them only."""

_CLOSED_BY_CRASH: Final = frozenset({"rotated_out", "shutdown", "crash"})
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Coverage])


class CheckpointWriter:
    """The notes of one venue as the log takes them: (kind, payload), the latest of a kind counts."""

    def __init__(self, venue: VenueName) -> None:
        self._venue = venue
        self._buckets: list[dict[InstrumentKey, Coverage]] = [{} for _ in range(BUCKETS)]

    def update(self, notes: Sequence[Note]) -> list[tuple[str, bytes]]:
        """Return the notes to write now that ``notes`` changed."""
        changed = {self._note(key, interval) for key, interval in notes}
        return [
            (f"open:{self._venue}:{number:02d}", _ENCODER.encode(list(self._buckets[number].values())))
            for number in sorted(changed)
        ]

    def alive(self, mark: int) -> tuple[str, bytes]:
        """Return the note that everything up to ``mark`` (ns UTC) is in the log."""
        return f"alive:{self._venue}", str(mark).encode()

    def _note(self, key: InstrumentKey, interval: Coverage | None) -> int:
        number = crc32(key.instrument_id.encode("utf-8", "replace")) % BUCKETS
        bucket = self._buckets[number]
        if interval is None:
            bucket.pop(key, None)
        else:
            bucket[key] = interval
        return number


class OpenIntervals(Struct, frozen=True):
    """What an earlier run owes: ``written`` now, ``gaps`` to take up; it lived until ``mark`` (ns UTC, 0: none did)."""

    written: list[Coverage]
    gaps: list[Coverage]
    mark: int


def left_open(venue: VenueName, notes: Mapping[str, bytes], last_record: int = 0) -> OpenIntervals:
    """Return what an earlier run's ``notes`` owe.

    What was open counts until the feed's last sign of life (its note, or ``last_record`` ns UTC
    when that is later); from there on it is a ``crash``. After a stop in good order only the
    ``shutdown`` gaps are left. Unreadable notes raise msgspec.DecodeError or ValueError.
    """
    mark = max(last_record, int(notes.get(f"alive:{venue}", b"0")))
    written: list[Coverage] = []
    gaps: list[Coverage] = []
    for interval in _intervals(venue, notes):
        if interval.reason in _CLOSED_BY_CRASH:
            gaps.append(interval)
            continue
        end = max(mark, interval.start)
        if end > interval.start:
            written.append(msgspec.structs.replace(interval, end=end))
        gaps.append(Coverage(interval.key, end, end, "gap", "crash", 0))
    return OpenIntervals(written, gaps, mark)


def noted(venue: VenueName, owed: OpenIntervals, notes: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Return the notes that replace ``notes`` once what ``owed`` says is written: of a venue left out of a run."""
    book = CheckpointWriter(venue)
    blank = {kind: _ENCODER.encode([]) for kind in notes if kind.startswith(f"open:{venue}:")}
    return [*(blank | dict(book.update([(gap.key, gap) for gap in owed.gaps]))).items(), book.alive(owed.mark)]


def _intervals(venue: VenueName, notes: Mapping[str, bytes]) -> Iterable[Coverage]:
    for kind, payload in sorted(notes.items()):
        if kind.startswith(f"open:{venue}:"):
            yield from _DECODER.decode(payload)
