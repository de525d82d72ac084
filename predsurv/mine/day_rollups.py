"""What was measured of a day, remembered: a day that was mined is read again without its files."""

from collections.abc import Mapping
from pathlib import Path

from predsurv.mine.day_results import DayMeasures
from predsurv.mine.listed import ListedInstruments, listed_instruments
from predsurv.mine.lost_time import LostTime
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.rollup_files import RollupFiles
from predsurv.mine.rollup_keys import KeyDigest, file_lines
from predsurv.mine.rollup_table import from_table, to_table
from predsurv.store.layout import DAY_ROLLUPS, FOLDERS, Layout
from predsurv.store.manifest import SealedFile

_UNPLACED = "unplaced"


class DayRollup:
    """The roll-up of ``day``, whose files the manifests list as ``sealed`` by path, and of which ``lost`` is gone."""

    def __init__(self, day: MiningDay, sealed: Mapping[str, SealedFile], lost: LostTime) -> None:
        self._day = day
        self._files = RollupFiles(day, DAY_ROLLUPS)
        self._lost = lost
        paths: list[Path] = [path for name in FOLDERS for path in day.files(name)]
        self._lines = file_lines(Layout(day.data_dir), paths, sealed)

    def read(self) -> DayMeasures | None:
        """Return what was measured of these files, with the listings of today; None if nothing."""
        entry = self._files.entry("")
        if entry is None or self._lines is None:
            return None
        table = self._files.read("")
        if table is None or not {_UNPLACED, *FOLDERS} <= entry.counts.keys():
            return None
        measures = from_table(table)
        listed = listed_instruments(self._day, measures["coverage"]["market_id"])
        if self._key(self._lines, listed) != entry.key:
            return None
        rows = {name: entry.counts[name] for name in FOLDERS}
        return DayMeasures(measures, rows, listed, self._lost, entry.counts[_UNPLACED])

    def write(self, measured: DayMeasures) -> None:
        """Remember ``measured``; raises OSError."""
        if self._lines is None:
            return  # a file that no manifest lists has no digest to know it by
        key = self._key(self._lines, measured.listed)
        counts = {_UNPLACED: measured.unplaced, **{str(name): rows for name, rows in measured.rows.items()}}
        self._files.write("", key, to_table(measured.measures), counts)

    def _key(self, lines: str, listed: ListedInstruments) -> str:
        digest = KeyDigest()
        digest.add_text(lines)
        digest.add_text(repr(self._lost.files))
        sets = listed.sets
        for frame in (listed.mirrors, listed.steps, listed.pieces, sets.sets, sets.terms, sets.shown, sets.pairs):
            digest.add_frame(frame)
        digest.add_text(repr(sets.schedules))
        return digest.key()
