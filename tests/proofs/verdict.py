"""Judge a recording by what its witness wrote down: nothing doubled, invented, or missing from time that is claimed."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import polars as pl
from msgspec import Struct, field

from predsurv.store.layout import FOLDERS, Layout, segments_of
from predsurv.store.read.verify import verify_recording
from tests.proofs.witness import testimony

_MICROS: Final = 1_000_000
_ROW: Final = ["instrument", "ts", "number", "side", "price", "size"]
_TRUTH: Final = {
    "instrument": pl.String,
    "ts": pl.Int64,
    "number": pl.Int64,
    "side": pl.String,
    "price": pl.Int64,
    "size": pl.Int64,
    "flushed": pl.Boolean,
    "comes_again": pl.Boolean,
}
LONGEST_SHOWN: Final = 5

_NOT_WANTED: Final = "rotated_out"
"""In gaps of this reason rows are always missing: what waited in the queue while an instrument left is not recorded."""


class Verdict(Struct):
    """What was found; ``wrong`` is empty when the recording is right. ``lost`` by the reason of the gap it is in."""

    rows: int = 0
    told: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    covered_s: float = 0.0
    gap_s: dict[str, float] = field(default_factory=dict)

    def expect(self, frame: pl.DataFrame, what: str) -> None:
        """Find ``what`` wrong with each row of ``frame``."""
        if not frame.is_empty():
            self.wrong.append(f"{frame.height} rows {what}: {frame.head(LONGEST_SHOWN).rows()}")

    def __str__(self) -> str:
        gaps = ", ".join(f"{reason} {seconds:.0f} s" for reason, seconds in sorted(self.gap_s.items()))
        lost = ", ".join(f"{count} in {reason}" for reason, count in sorted(self.lost.items())) or "none"
        return (
            f"{self.told} rows told, {self.rows} recorded, not recorded: {lost}; covered {self.covered_s:.0f} s; "
            f"gaps: {gaps}; findings: {len(self.wrong)}"
        )


def judge(
    data_dir: Path,
    truths: Iterable[Path],
    *,
    allowed: frozenset[str],
    dead: Iterable[int] = (),
    deep: bool = True,
    set_back: AbstractSet[Path] = frozenset(),
) -> Verdict:
    """Compare the files in ``data_dir``, whose collector stopped in good order, with what its witnesses wrote.

    Rows whose commit returned may be missing in gaps of the ``allowed`` reasons only. At the ``dead`` moments (ns
    UTC) no collector ran: nothing may be claimed of them. ``deep`` folds every hour's books too. ``set_back``: truths
    of runs that were killed while recorded time was ahead of a clock that had been set back: the next run goes on where
    the log ends, so the time of what was not committed can come again.
    """
    verdict = Verdict()
    layout = Layout(data_dir)
    verdict.wrong += [" ".join(finding) for finding in verify_recording(layout, deep=deep).findings]
    verdict.wrong += [f"left in the log: {path.name}" for path in segments_of(layout.wal, "c0")]
    rows, told = _recorded(data_dir), _told(truths, set_back)
    verdict.rows, verdict.told = rows.height, told.height
    verdict.expect(rows.filter(rows.select(_ROW).is_duplicated()), "are there twice")
    verdict.expect(rows.join(told, on=_ROW, how="anti"), "are invented")
    tiles = _tiles(data_dir)
    missing = (
        told.filter(~pl.col("comes_again"))
        .join(rows, on=_ROW, how="anti")
        .sort("ts")
        .join_asof(tiles, left_on="ts", right_on="start", by="instrument", strategy="backward", check_sortedness=False)
    )
    placed = missing.filter(pl.col("end").is_not_null() & (pl.col("ts") < pl.col("end")))
    verdict.expect(placed.filter(pl.col("state") == "covered"), "are missing from covered time")
    # One gap can follow another: what came at that very instant belongs to either.
    known = placed.filter(
        pl.col("flushed")
        & (pl.col("state") == "gap")
        & (pl.col("start") < pl.col("ts"))
        & ~pl.col("reason").is_in([*allowed, _NOT_WANTED])
    )
    verdict.expect(known, "were committed and are missing")
    verdict.lost = dict(placed.group_by("reason").len().rows())
    for moment in dead:
        claimed = tiles.filter((pl.col("start") <= moment) & (moment < pl.col("end")) & (pl.col("state") == "covered"))
        verdict.expect(claimed, f"of coverage claim {moment}, when nothing ran")
    _sum_up(verdict, tiles)
    return verdict


def _sum_up(verdict: Verdict, tiles: pl.DataFrame) -> None:
    length = (pl.col("end") - pl.col("start")).sum() / 1e9
    sums: Mapping[tuple[str, str], float] = {
        (state, reason): seconds
        for state, reason, seconds in tiles.group_by("state", "reason").agg(length.alias("s")).rows()
    }
    verdict.covered_s = sum(seconds for (state, _), seconds in sums.items() if state == "covered")
    verdict.gap_s = {reason: seconds for (state, reason), seconds in sums.items() if state == "gap"}


def _told(truths: Iterable[Path], set_back: AbstractSet[Path]) -> pl.DataFrame:
    frames = [pl.DataFrame(schema=_TRUTH)]
    for path in truths:
        if not path.exists():
            continue
        told, back = list(testimony(path)), path in set_back
        flushed = max((each.flushed for each in told), default=0)
        rows = [
            (*row, row[2] >= 0 and row[1] <= flushed, back and row[1] >= flushed) for each in told for row in each.rows
        ]
        frames.append(pl.DataFrame(rows, schema=_TRUTH, orient="row"))
    return pl.concat(frames)


def _recorded(data_dir: Path) -> pl.DataFrame:
    numbers = {
        "instrument": pl.col("instrument_id"),
        "ts": pl.col("ts_recv").dt.epoch("ns"),
        "price": (pl.col("price") * _MICROS).round().cast(pl.Int64),
        "size": (pl.col("size") * _MICROS).round().cast(pl.Int64),
    }
    change = {"number": pl.col("seq").fill_null(-2), "side": pl.col("side")}
    trade = {
        "number": pl.lit(-1, pl.Int64),
        "side": pl.concat_str(pl.col("taker_side").fill_null(""), pl.lit("/"), pl.col("trade_id").fill_null("None")),
    }
    deltas = _scan(data_dir / FOLDERS["deltas"]).filter(pl.col("kind") == "change").select(**(numbers | change))
    trades = _scan(data_dir / FOLDERS["trades"]).select(**(numbers | trade))
    return pl.concat([deltas.select(_ROW), trades.select(_ROW)]).collect()


def _scan(folder: Path) -> pl.LazyFrame:
    return pl.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=False)


def _tiles(data_dir: Path) -> pl.DataFrame:
    return (
        _scan(data_dir / FOLDERS["coverage"])
        .select(
            instrument=pl.col("instrument_id"),
            start=pl.col("start").dt.epoch("ns"),
            end=pl.col("end").dt.epoch("ns"),
            state=pl.col("state"),
            reason=pl.col("reason"),
        )
        .collect()
        .sort("start")
    )
