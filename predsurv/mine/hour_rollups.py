"""What was measured of the compacted hours of a day: written as they are measured, read again in their place.

Instruments and visits are numbered anew whenever a day is mined; here they are what they are for good: an id, and when
the visit began.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from predsurv.mine.hour_measures import HourMeasures, ObservedHour
from predsurv.mine.measures.moments import STRIDE
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.rollup_files import RollupFiles
from predsurv.mine.rollup_keys import KeyDigest, file_lines
from predsurv.mine.rollup_table import from_table, to_table
from predsurv.store.layout import HOUR_ROLLUPS, Layout, parse_file
from predsurv.store.manifest import SealedFile

_CARRY = "carry"
_MOMENTS = ("since", "until", "quiet_from")


class NumberedDay(NamedTuple):
    """How a day's instruments and visits are numbered: ``ids`` by code, ``visits`` with ``code`` and ``start``."""

    ids: pl.Enum
    visits: pl.DataFrame


class HourRollups:
    """The roll-ups of a day's hours; ``sealed``: what the manifests list of it by path, ``owners`` as in ``inputs``."""

    def __init__(
        self, day: MiningDay, numbered: NumberedDay, sealed: Mapping[str, SealedFile], owners: pl.DataFrame | None
    ) -> None:
        self._files = RollupFiles(day, HOUR_ROLLUPS)
        self._layout = Layout(day.data_dir)
        self._ids, self._visits = numbered
        self._sealed = sealed
        self._owners = None if owners is None else owners.sort("instrument_id")

    def has(self, hour: int) -> bool:
        """Return whether anything is remembered of ``hour``, of these files or others."""
        return self._files.entry(_name(hour)) is not None

    def key(self, files: Iterable[Path], observed: ObservedHour, carry: pl.DataFrame) -> str | None:
        """Return the key of an hour with ``files``, which begins with the books ``carry``; None unless compacted."""
        paths = list(files)
        parts = Counter((path.parent, parse_file(path)[1].collector) for path in paths)
        lines = file_lines(self._layout, paths, self._sealed)
        if lines is None or not parts or max(parts.values()) > 1:
            return None
        digest = KeyDigest()
        digest.add_text(lines)
        if self._owners is not None:
            digest.add_frame(self._owners)
        own = observed.visits.join(self._visits.select("visit", "start"), on="visit", how="left", maintain_order="left")
        base = pl.col("owner").cast(pl.Int64) * STRIDE
        self._add(digest, own.drop("visit").with_columns(pl.col(_MOMENTS) - base), "owner")
        self._add(digest, observed.trades, "code")
        self._add(digest, observed.pieces, "code")
        for frame in (observed.sets.terms, observed.sets.shown):
            self._add(digest, frame, "code")
        digest.add_frame(observed.sets.sets)
        digest.add_text(repr(observed.sets.schedules))
        self._add(digest, carry.drop("at"), "code")
        return digest.key()

    def read(self, hour: int, key: str | None) -> HourMeasures | None:
        """Return what was measured of ``hour`` with this ``key``, None if nothing."""
        entry = self._files.entry(_name(hour))
        if key is None or entry is None or entry.key != key:
            return None
        table = self._files.read(_name(hour))
        if table is None:
            return None
        found = {name: self._numbered(frame) for name, frame in from_table(table).items()}
        kept = found.pop(_CARRY)
        return HourMeasures(found, kept.select((pl.col("code").cast(pl.Int64) * STRIDE).alias("at"), pl.all()))

    def write(self, hour: int, key: str, measured: HourMeasures) -> None:
        """Remember what was ``measured`` of ``hour``; raises OSError."""
        frames = {name: self._named(frame) for name, frame in measured.measures.items()}
        frames[_CARRY] = self._named(measured.carry.drop("at"))
        self._files.write(_name(hour), key, to_table(frames))

    def _add(self, digest: KeyDigest, frame: pl.DataFrame, column: str) -> None:
        """Add ``frame``, whose ``column`` numbers instruments, to ``digest``, whatever numbers these are today."""
        used = frame[column].unique().sort()
        digest.add_text("\0".join(self._ids.categories.gather(used)))
        digest.add_frame(frame.with_columns(pl.col(column).rank("dense")))

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        if "visit" in frame.columns:
            visits = self._visits.select("visit", "code", "start")
            frame = frame.join(visits, on="visit", how="left", maintain_order="left").drop("visit")
        if "changed_at" in frame.columns:
            frame = frame.with_columns(pl.col("changed_at") - pl.col("code").cast(pl.Int64) * STRIDE)
        names = self._ids.categories.gather(frame["code"]).alias("instrument_id")
        return frame.with_columns(names).drop("code")

    def _numbered(self, frame: pl.DataFrame) -> pl.DataFrame:
        code = pl.col("instrument_id").cast(self._ids).to_physical().cast(pl.UInt32).alias("code")
        frame = frame.select(code, pl.exclude("instrument_id"))
        if "changed_at" in frame.columns:
            frame = frame.with_columns(pl.col("changed_at") + pl.col("code").cast(pl.Int64) * STRIDE)
        if "start" in frame.columns:
            visits = self._visits.select("visit", "code", "start")
            frame = frame.join(visits, on=["code", "start"], how="left", maintain_order="left")
            frame = frame.select("visit", pl.exclude("visit", "code", "start"))
        return frame


def has_hours(day: MiningDay) -> bool:
    """Return whether hours of ``day`` are remembered."""
    files = RollupFiles(day, HOUR_ROLLUPS)
    return any(files.entry(_name(hour)) is not None for hour in range(24))


def _name(hour: int) -> str:
    return f"hour={hour:02d}"
