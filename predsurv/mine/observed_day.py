"""A day and what of it counts: its observed instruments, numbered, with rows, trades and ticks; all or some of them."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.hour_measures import HourRows
from predsurv.mine.inputs import CollectorFilter, levels_in, scan
from predsurv.mine.listed import ListedInstruments
from predsurv.mine.measures import visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.outcome_sums import CodedSets
from predsurv.mine.observation import Observation
from predsurv.mine.outcome_sets import OutcomeSets
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.trades import placed_trades
from predsurv.store.manifest import SealedFile
from predsurv.store.schema import level_columns

_TIME: Final = pl.Datetime("ns", "UTC")
_NO_TRADES: Final = pl.DataFrame(
    schema=[
        ("instrument_id", pl.String()),
        ("ts_recv", _TIME),
        *((name, pl.Float64()) for name in ("price", "size")),
        *((name, pl.String()) for name in ("taker_side", "trade_id")),
    ]
)


class DayPart(NamedTuple):
    """Some of a day's instruments: part ``number`` (from 0) ``of`` so many, about as many instruments in each.

    What belongs to no instrument, and the sets of outcomes, belong to the first part.
    """

    number: int
    of: int

    @property
    def is_first(self) -> bool:
        """Whether it is the first part."""
        return self.number == 0

    def bounds(self, count: int) -> tuple[int, int]:
        """Return which of ``count`` instruments it has: from the first number to before the second."""
        return count * self.number // self.of, count * (self.number + 1) // self.of


WHOLE: Final = DayPart(0, 1)


class CodedReader(NamedTuple):
    """Reads files as rows with the ``code`` of their instrument (its place in ``ids``), ``low`` to below ``high``."""

    source: CollectorFilter
    ids: pl.Enum
    low: int
    high: int

    def hour(self, begin: int, snapshots: Sequence[Path], deltas: Sequence[Path]) -> HourRows:
        """Return the rows of the files of an hour that belong to these instruments."""
        levels = levels_in(snapshots) if snapshots else 1
        columns = ("ts_recv", "trusted", *level_columns(levels))
        books = self._read(self.source.scan(snapshots), columns) if snapshots else None
        changed = self.source.scan(deltas).filter(pl.col("kind") == "change") if deltas else None
        changes = None if changed is None else self._read(changed, ("ts_recv", "ts_venue"))
        return HourRows(begin, books, levels, changes)

    def best(self, snapshots: Sequence[Path]) -> CodedRows | None:
        """Return the best prices alone in the ``snapshots`` of an hour."""
        columns = ("ts_recv", "trusted", "bid_px_00", "ask_px_00")
        return self._read(self.source.scan(snapshots), columns) if snapshots else None

    def of(self, rows: pl.DataFrame, name: str = "code") -> pl.DataFrame:
        """Return those of ``rows`` whose column ``name`` is the code of one of these instruments."""
        if self.low == 0 and self.high == len(self.ids.categories):
            return rows
        return rows.filter(pl.col(name).is_between(self.low, self.high, closed="left"))

    def _read(self, found: pl.LazyFrame, columns: Sequence[str]) -> CodedRows:
        if self.high - self.low < len(self.ids.categories):
            names = self.ids.categories.slice(self.low, self.high - self.low)
            first, last = (pl.lit(name, pl.String) for name in (names.first(), names.last()))
            found = found.filter(pl.col("instrument_id").is_between(first, last))
        rows = found.select("instrument_id", *columns).collect()
        return CodedRows.named(rows, self.ids, self.low, self.high)


class DayScope(NamedTuple):
    """A day and its observed instruments; ``ids`` encodes their ids, in the order in which files have them.

    Of the instruments in ``part`` only: ``visits``, ``heard`` (in which trades were observed), ``trades``, ``pieces``.
    ``every_visit``: of all instruments; ``sets``: of which the books of all outcomes were recorded.
    """

    day: MiningDay
    sealed: Mapping[str, SealedFile]
    source: CollectorFilter
    ids: pl.Enum
    part: DayPart
    every_visit: pl.DataFrame
    visits: pl.DataFrame
    heard: pl.DataFrame
    trades: pl.DataFrame
    pieces: pl.DataFrame
    sets: CodedSets

    def reader(self, low: int, high: int) -> CodedReader:
        """Return what reads the rows of the instruments ``low`` to below ``high``."""
        return CodedReader(self.source, self.ids, low, high)

    def coded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return ``rows`` with ``code`` in place of ``instrument_id``."""
        return _coded(rows, self.ids)


def observed_day(
    day: MiningDay,
    sealed: Mapping[str, SealedFile],
    source: CollectorFilter,
    seen: Observation,
    listed: ListedInstruments,
    *,
    part: DayPart = WHOLE,
) -> DayScope:
    """Return what of ``day`` counts: ``seen`` by the collectors that ``source`` selects, of instruments in ``part``."""
    observed = pl.concat([seen.books["instrument_id"], seen.trades["instrument_id"]]).unique()
    mirrors = listed.mirrors.filter(pl.col("primary").is_in(observed.implode()))
    ids = pl.Enum(pl.concat([observed, mirrors["instrument_id"]]).unique().sort())
    source = source.with_mirrors(mirrors)
    files = day.files("trades")
    rows = source.scan(files) if files else _NO_TRADES.lazy()
    own = rows.with_columns(pl.col("instrument_id").cast(ids, strict=False)).filter(
        pl.col("instrument_id").is_not_null()
    )
    coded = mirrors.cast({"instrument_id": ids, "primary": ids})
    placed = placed_trades(own, seen.trades.cast({"instrument_id": ids}).lazy(), coded).collect(engine="streaming")
    trades = _coded(placed, ids).sort("code", "ts", "price", "size", "sign")  # so that sums are always of one order
    pieces = listed.pieces.filter(pl.col("instrument_id").is_in(observed.implode()))
    own_part = CodedReader(source, ids, *part.bounds(len(ids.categories)))
    every_visit = visits.numbered(_coded(seen.books, ids))
    return DayScope(
        day,
        sealed,
        source,
        ids,
        part,
        every_visit,
        own_part.of(every_visit),
        own_part.of(_coded(seen.trades, ids)),
        own_part.of(trades),
        own_part.of(_coded(pieces, ids)),
        _sets(listed.sets, seen.books["instrument_id"].unique(), ids),
    )


def _coded(rows: pl.DataFrame, ids: pl.Enum) -> pl.DataFrame:
    code = pl.col("instrument_id").cast(ids).to_physical().cast(pl.UInt32).alias("code")
    return rows.with_columns(code).drop("instrument_id")


def _sets(known: OutcomeSets, recorded: pl.Series, ids: pl.Enum) -> CodedSets:
    """Return the sets of which the books of all outcomes were recorded, as far as instruments tell of them."""
    among = pl.col("instrument_id").is_in(recorded.implode())
    legs = known.terms.filter(among).select("set", "instrument_id").unique()
    present = legs.group_by("set").agg(pl.len().alias("present"))
    shown = known.shown.filter(among)
    sets = known.sets.join(present, on="set").filter(pl.col("present") == pl.col("legs")).drop("present")
    sets = sets.join(shown, on="set", how="semi").sort("set")
    terms = known.terms.join(sets, on="set", how="semi", maintain_order="left")
    shown = shown.join(sets, on="set", how="semi", maintain_order="left")
    return CodedSets(sets, _coded(terms, ids), _coded(shown, ids), known.schedules)


def unplaced(day: MiningDay, known: AbstractSet[str]) -> int:
    """Return how many instruments with trades are not ``known``: no book of theirs, and of no market that is listed."""
    files = day.files("trades")
    if not files:
        return 0
    ids = scan(files).select(pl.col("instrument_id").unique()).collect(engine="streaming")["instrument_id"]
    return len(set(ids) - known)
