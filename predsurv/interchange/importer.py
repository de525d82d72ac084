"""Record a foreign recording by our rules: the same books, coverage, files and checks as of our own.

What was observed is not in such files, so a rule decides it, and is kept with the import: an instrument counts as
observed from its first whole book to its last event, except while nothing at all was received for ``silent_after``:
such time is a gap ``stall``, after which each book is known again from its next whole book on.

A recording without books has a rule of its own: no book was observed at any time (a gap ``not_offered``), and trades
were from the beginning of the hour of a market's first one to the end of the hour of its last, except in such silence
and outside of the recording: from the first to the last trade alone would make a market with one trade a busy one.

Markets are read one after the other, part by part: only one market's events of one part are in memory.
"""

import hashlib
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
import pyarrow as pa
from msgspec import Struct

from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.core.errors import ConfigError, IntegrityError, SafetyError, TransientError
from predsurv.core.events import Channel, ChannelChange, CoverageReason, MarketEvent
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.records import Record
from predsurv.core.text import sanitise
from predsurv.interchange.foreign_recording import ForeignRecording, ImportPart, MarketRows
from predsurv.interchange.imported_markets import ImportedMarkets
from predsurv.ports import Clock
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, daily_logs, parse_file, segments_of
from predsurv.store.locks import CollectorLock
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

RECORDS_PER_SEGMENT: Final = 150_000
"""Of one log segment: more in one means more memory for sealing, fewer means more files for each hour."""
_FLUSH_RECORDS: Final = 50_000
_DIGEST_BYTES: Final = 1 << 20
_CERTAIN: Final = 1_000_000  # an imported instrument was not drawn: its inclusion is one

Progress = Callable[[int, int, str], None]
"""Told the number of files read, of all files, and the name of the present one."""


class ImportReport(Struct, frozen=True):
    """What was imported; ``rows`` are records of any dataset. Times in ns UTC, ``silent`` in all.

    ``orphans``: changes of books that were not known, which are dropped. ``books``: whether there were any.
    ``left_out``: rows that were not taken, by the reason.
    """

    collector: str
    source: str
    venue: str
    files: dict[str, str]
    silent_after: int
    markets: int = 0
    instruments: int = 0
    rows: int = 0
    orphans: int = 0
    since: int = 0
    until: int = 0
    silences: int = 0
    silent: int = 0
    books: bool = True
    left_out: dict[str, int] = {}


def import_recording(
    source: ForeignRecording, data_dir: Path, silent_after: int, clock: Clock, progress: Progress = lambda *_: None
) -> ImportReport:
    """Record ``source`` below ``data_dir`` as a collector of its own, named after the content of the files.

    Raises ConfigError without files, SafetyError when the same files were imported before, IntegrityError for a file
    that is not of the source's layout (nothing of the import is kept then).
    """
    if not source.files:
        raise ConfigError(f"no file of {source.name} to import")
    layout = Layout(data_dir)
    digests = {_below(path, source.files): _digest(path) for path in source.files}
    whole = hashlib.blake2b("".join(digests.values()).encode(), digest_size=5).hexdigest()
    collector = f"import-{source.name}-{whole}"
    record = layout.state / "imports" / f"{collector}.json"
    if record.exists():
        raise SafetyError(f"these files were imported before, as {collector}; nothing was done")
    with CollectorLock(layout.state, collector):
        _remove(layout, collector)
        try:
            report = _Import(source, layout, collector, silent_after=silent_after, clock=clock, progress=progress).run(
                digests
            )
        except BaseException:
            _remove(layout, collector)
            raise
        make_dirs(record.parent, PRIVATE_DIR)
        write_whole(record, msgspec.json.format(msgspec.json.encode(report)))
    return report


class _Import:
    def __init__(
        self,
        source: ForeignRecording,
        layout: Layout,
        collector: str,
        *,
        silent_after: int,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._source, self._layout, self._clock = source, layout, clock
        self._silent_after, self._progress = silent_after, progress
        make_dirs(layout.state, PRIVATE_DIR)
        self._log = WriteAheadLog(layout.state, collector, clock)
        self._collector = collector
        self._recorders: dict[MarketId, Recorder] = {}
        self._listing = ImportedMarkets(source.venue, layout.data_dir)
        self._silences: list[tuple[int, int]] = []
        self._since = self._until = 0
        self._rows = self._waiting = self._segment_rows = 0

    def run(self, digests: dict[str, str]) -> ImportReport:
        what = self._source.name
        try:
            parts = self._source.parts()
            for index, part in enumerate(parts):
                what = part.name
                self._progress(index, len(parts), part.name)
                self._hear(part)
                for market in self._source.markets(part):
                    self._record(market)
        except (pl.exceptions.PolarsError, pa.ArrowException) as error:
            raise IntegrityError(f"{what}: cannot be read: {sanitise(str(error).splitlines()[0], 200)}") from None
        self._progress(len(parts), len(parts), "")
        instruments = sum(len(each.instruments) for each in self._recorders.values())
        for recorder in self._recorders.values():
            self._keep(recorder.stop())
        self._seal()
        self._log.close()
        self._listing.commit()
        return ImportReport(
            self._collector,
            self._source.name,
            self._source.venue,
            digests,
            self._silent_after,
            len(self._recorders),
            instruments,
            self._rows,
            sum(each.counters.orphans for each in self._recorders.values()),
            self._since,
            self._until,
            len(self._silences),
            sum(until - since for since, until in self._silences),
            self._source.books,
            dict(self._source.left_out),
        )

    def _hear(self, part: ImportPart) -> None:
        """Find the silences of a part, that before its first row included."""
        times = self._source.times(part)
        if times.is_empty():
            return
        first, last = int(times[0]), int(times[-1])
        if self._until and first < self._until:
            raise IntegrityError(
                f"{part.name}: begins before the end of the file before it; name the files in order of time"
            )
        if self._until and first - self._until > self._silent_after:
            self._silences.append((self._until, first))
        steps = times.diff()
        for index in (steps > self._silent_after).fill_null(value=False).arg_true():
            self._silences.append((int(times[index - 1]), int(times[index])))
        self._since, self._until = self._since or first, last

    def _record(self, market: MarketRows) -> None:
        if not market.events:
            return
        first = market.events[0].ts_recv
        recorder = self._recorders.get(market.market_id)
        if recorder is None:
            recorder = self._recorders[market.market_id] = Recorder(RecordingPolicy())
            begin = first if self._source.books else self._hour_of(first)[0]
            self._keep(recorder.advance(begin))
            self._keep(recorder.apply([self._heard(begin), self._heard(begin, "lifecycle", "not_offered")]))
        self._want(recorder, market)
        self._listing.add(market, first)
        later = self._silences[bisect_left(self._silences, (recorder.watermark, 0)) :]
        for events, silence in _pieces(market.events, later):
            self._keep(recorder.apply(events))
            if silence is not None:
                self._be_silent(recorder, *silence)
        if not self._source.books:
            self._keep(recorder.advance(self._hour_of(market.events[-1].ts_recv)[1]))
            self._keep(recorder.coverage.cut(recorder.watermark))

    def _hour_of(self, ts: int) -> tuple[int, int]:
        """Return begin and end of the hour around a trade at ``ts`` (ns UTC), as far as anything was observed of it."""
        at = bisect_left(self._silences, (ts, 0))
        heard_since = self._silences[at - 1][1] if at else self._since
        heard_until = self._silences[at][0] if at < len(self._silences) else self._until
        hour = ts - ts % NS_HOUR
        return max(hour, heard_since), min(hour + NS_HOUR, heard_until + 1)

    def _heard(self, ts: int, channel: Channel = "trades", reason: CoverageReason | None = None) -> ChannelChange:
        return ChannelChange(self._source.venue, ts, channel, reason or self._source.trades)

    def _be_silent(self, recorder: Recorder, since: int, until: int) -> None:
        self._keep(recorder.advance(since + 1))
        if self._source.books:
            self._keep(recorder.interrupt("stall", since + 1))
        else:
            self._keep(recorder.apply([self._heard(since + 1, reason="stall"), self._heard(until)]))

    def _want(self, recorder: Recorder, market: MarketRows) -> None:
        keys = [InstrumentKey(self._source.venue, market.market_id, each) for each in market.instruments]
        mirrors = {keys[0]: keys[1]} if not self._source.books and len(keys) == 2 else {}
        new = [key for key in keys if key not in recorder.instruments and key not in mirrors.values()]
        if new:
            wanted = dict.fromkeys((*recorder.instruments, *new), _CERTAIN)
            self._keep(recorder.want(wanted, dict.fromkeys(new), mirrors))
            if not self._source.books:
                self._keep(recorder.interrupt("not_offered"))

    def _keep(self, records: Sequence[Record]) -> None:
        if not records:
            return
        self._log.append(list(records))
        self._rows += len(records)
        self._waiting += len(records)
        self._segment_rows += len(records)
        if self._waiting >= _FLUSH_RECORDS:
            self._flush()
        if self._segment_rows >= RECORDS_PER_SEGMENT:
            self._seal()

    def _flush(self) -> None:
        self._log.flush()
        self._waiting = 0
        if self._log.paused is not None:
            raise TransientError(f"cannot write: {self._log.paused.reason}; free disk space, then import again")

    def _seal(self) -> None:
        self._flush()
        self._segment_rows = 0
        path = self._log.rotate()
        if path is not None:
            report = seal_segment(path, self._layout, self._clock)
            if report.damaged:
                raise IntegrityError(f"{path.name} could not be sealed: {report.damaged[0]}")


def _pieces(
    events: Sequence[MarketEvent], silences: Iterable[tuple[int, int]]
) -> Iterator[tuple[Sequence[MarketEvent], tuple[int, int] | None]]:
    """Yield ``events`` up to the begin of each silence that lies before the last of them, with it; then the rest."""
    at = 0
    for silence in silences:
        if events[-1].ts_recv <= silence[0]:
            break
        end = at
        while events[end].ts_recv <= silence[0]:
            end += 1
        yield events[at:end], silence
        at = end
    yield events[at:], None


def _below(path: Path, files: Sequence[Path]) -> str:
    """Return the name of a file below the folder that ``files`` have in common: names repeat in other folders."""
    folder = os.path.commonpath([each.absolute().parent for each in files])
    return str(path.absolute().relative_to(folder))


def _digest(path: Path) -> str:
    content = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while part := file.read(_DIGEST_BYTES):
            content.update(part)
    return content.hexdigest()


def _remove(layout: Layout, collector: str) -> None:
    """Delete what an import that did not end has left."""
    for folder in FOLDERS.values():
        for path in (layout.data_dir / folder).rglob(f"*-{collector}-*.parquet"):
            if parse_file(path.relative_to(layout.data_dir))[1].collector == collector:
                path.unlink(missing_ok=True)
    for log in daily_logs(layout.manifest, collector):
        log.path.unlink(missing_ok=True)
    for segment in segments_of(layout.wal, collector):
        for path in segment.parent.glob(f"{segment.name}*"):
            path.unlink(missing_ok=True)
