"""What the coverage of a whole data folder adds up to: time by reason, by hour, and who was recorded last.

Read file by file, so that the memory it takes does not grow with the days.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store.layout import HOURLY, NS_HOUR, Partition, parse_file, start_of
from predsurv.store.read.coverage_rows import CoverageKind, CoverageRows, clipped, paired, unpaired
from predsurv.store.read.missing import MissingFile, lost_windows


class CoverageSum(NamedTuple):
    """Time of one kind: ``ns`` summed over ``instruments``, and its bounds (ns UTC)."""

    venue: VenueName
    kind: CoverageKind
    instruments: int
    ns: int
    first: int
    last: int


class HourSum(NamedTuple):
    """Time of one kind in the hour that begins at ``hour`` (ns UTC): ``ns`` summed over ``instruments``."""

    venue: VenueName
    hour: int
    kind: CoverageKind
    instruments: int
    ns: int


class ObservedDay(NamedTuple):
    """The instruments with covered time in the day that begins at ``start`` (ns UTC)."""

    venue: VenueName
    start: int
    keys: Sequence[InstrumentKey]


class CoverageFiles:
    """The intact coverage ``files`` of a data folder; the time of ``gone`` files counts as a gap ``file_missing``.

    Every method reads the files that it needs. Raises IntegrityError naming a file that lacks a column.
    """

    def __init__(self, files: Sequence[Path], gone: Iterable[MissingFile]) -> None:
        self._files = files
        self._rows = CoverageRows(lost_windows(gone, HOURLY))
        self._ends: dict[Path, int] = {}
        self._covered_until: dict[tuple[VenueName, str], int] = {}

    def sums(self) -> list[CoverageSum]:
        """Return all time by venue and kind, sorted by venue and state, the most time first."""
        totals: dict[tuple[VenueName, int], _Total] = {}
        for path in self._files:
            partition, stamp = parse_file(path)
            owner = partition.venue, stamp.collector
            for code, part in (each for rows in self._rows.read(path) for each in _by_kind(rows)):
                totals.setdefault((partition.venue, code), _Total()).add(part)
                self._ends[path] = max(self._ends.get(path, 0), part.last)
                if self._rows.kind(code).state == "covered":
                    self._covered_until[owner] = max(self._covered_until.get(owner, 0), part.last)
        found = [
            CoverageSum(venue, self._rows.kind(code), len(total.instruments), total.ns, total.first, total.last)
            for (venue, code), total in totals.items()
        ]
        return sorted(found, key=lambda each: (each.venue, each.kind.state or "", -each.ns, each.kind.reason or ""))

    def hours(self, count: int) -> list[HourSum]:
        """Return the time of the last ``count`` hours by venue, hour and kind; call ``sums`` first.

        Sorted by venue, the latest hour first, by state, the most time first.
        """
        since = max(self._ends.values(), default=0) - count * NS_HOUR
        totals: dict[tuple[VenueName, int, int], _Total] = {}
        for path in (path for path, end in self._ends.items() if end > since):
            venue = parse_file(path)[0].venue
            for rows in self._rows.read(path):
                for hour, pieces in _by_hour(rows, -(-since // NS_HOUR)):
                    for code, part in _by_kind(pieces):
                        totals.setdefault((venue, hour, code), _Total()).add(part)
        found = [
            HourSum(venue, hour * NS_HOUR, self._rows.kind(code), len(total.instruments), total.ns)
            for (venue, hour, code), total in totals.items()
        ]
        return sorted(
            found, key=lambda each: (each.venue, -each.hour, each.kind.state or "", -each.ns, each.kind.reason or "")
        )

    def covered_until(self) -> Mapping[tuple[VenueName, str], int]:
        """Return the end (ns UTC) of the latest covered time by venue and collector; call ``sums`` first."""
        return self._covered_until

    def latest_days(self) -> Iterator[ObservedDay]:
        """Yield what was recorded of each venue on its latest day with covered time; reads no more days than needed."""
        days = sorted({_day_of(path) for path in self._files})
        for venue, own in groupby(days, key=lambda day: day.venue):
            for day in reversed(list(own)):
                pairs = self._observed([path for path in self._files if _day_of(path) == day])
                if pairs:
                    keys = [InstrumentKey(venue, MarketId(market), InstrumentId(each)) for market, each in pairs]
                    yield ObservedDay(venue, start_of(day), sorted(keys))
                    break

    def _observed(self, files: Iterable[Path]) -> set[tuple[str, str]]:
        """Return market and instrument of every row of covered time."""
        pairs: set[tuple[int, int]] = set()
        for rows in (rows for path in files for rows in self._rows.read(path, markets=True)):
            covered = rows.filter(pc.is_in(rows["kind"], value_set=pa.array(self._rows.covered(), pa.int32())))
            found = unpaired(paired(covered["market"], covered["instrument"]).unique())
            pairs.update(zip(*(each.to_pylist() for each in found), strict=True))
        markets, instruments = self._rows.markets, self._rows.instruments
        return {(markets.text(market) or "", instruments.text(each) or "") for market, each in pairs}


class _Part(NamedTuple):
    """Time of one kind in a piece; ``instruments`` are the numbers (int32) of those it is of."""

    ns: int
    first: int
    last: int
    instruments: Any


class _Total:
    """Time that is being summed."""

    def __init__(self) -> None:
        self.ns = self.last = 0
        self.first = 1 << 62
        self.instruments = pa.array([], pa.int32())

    def add(self, part: _Part) -> None:
        self.ns += part.ns
        self.first = min(self.first, part.first)
        self.last = max(self.last, part.last)
        self.instruments = pa.concat_arrays([self.instruments, part.instruments]).unique()


def _day_of(path: Path) -> Partition:
    return parse_file(path)[0]


def _by_kind(rows: Any) -> Iterator[tuple[int, _Part]]:
    """Yield the time of each kind in ``rows``."""
    pairs = paired(rows["kind"], rows["instrument"]).unique()
    kinds, instruments = unpaired(pairs)
    lengths = pc.subtract(rows["end"], rows["start"])
    for code in kinds.unique().to_pylist():
        own = pc.equal(rows["kind"], code)
        first, last = pc.min(rows["start"].filter(own)).as_py(), pc.max(rows["end"].filter(own)).as_py()
        ns = pc.sum(lengths.filter(own)).as_py()
        yield code, _Part(ns, first, last, instruments.filter(pc.equal(kinds, code)))


def _by_hour(rows: Any, since: int) -> Iterator[tuple[int, Any]]:
    """Yield the parts of ``rows`` in each hour from ``since`` on; hours are numbers since 1970."""
    begun, ended = pc.min(rows["start"]).as_py(), pc.max(rows["end"]).as_py()
    for hour in range(max(begun // NS_HOUR, since), -(-ended // NS_HOUR)) if len(rows) else ():
        yield hour, clipped(rows, hour * NS_HOUR, (hour + 1) * NS_HOUR)
