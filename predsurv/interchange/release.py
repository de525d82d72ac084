"""A release: some days of a recording as a folder to publish, that says what it is and can be checked without predsurv.

``SHA256SUMS`` for ``sha256sum -c``, ``coverage.csv`` with what was observed of each instrument and day, ``README.md``
(a data card) and ``croissant.json``, beside the files themselves under their paths.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv import __version__
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.interchange.croissant import description
from predsurv.store.files import make_dirs
from predsurv.store.layout import FOLDERS, Dataset, Layout, day_files, day_ranges
from predsurv.store.schema import SCHEMA_VERSION

_DATASETS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas", "trades", "coverage", "lifecycle", "rotations")
ABOUT: Final[Mapping[Dataset, str]] = {
    "snapshots": "the best levels of a book, on change, at most once a second by default",
    "deltas": "every change of a book; from a `clear` row on they add up to the exact book",
    "trades": "public trades",
    "coverage": "intervals of an instrument: covered, or a gap and why",
    "lifecycle": "a market opened, paused, changed its tick, settled",
    "rotations": "which instruments were chosen to be recorded, when, why and with which probability",
}
_NS: Final = 1e9
_HOUR_S: Final = 3_600


class ReleasedData(Struct, frozen=True):
    """What a release holds; ``rows`` and ``bytes`` by dataset, ``covered`` and ``gaps``: seconds of all instruments."""

    folder: Path
    venue: VenueName
    dates: tuple[str, ...]
    files: int
    rows: dict[str, int]
    bytes: dict[str, int]
    instruments: int
    covered: float
    gaps: float


def write_release(
    data_dir: Path, venue: VenueName, dates: Sequence[str], target: Path, *, title: str, license_name: str
) -> ReleasedData:
    """Copy the ``dates`` (YYYY-MM-DD) of a venue to the new folder ``target``, with what describes them.

    Files of one file system are linked, not copied. Raises ConfigError when ``target`` is there already, or when
    nothing was recorded; OSError.
    """
    layout = Layout(data_dir)
    found = {name: [path for date in dates for path in day_files(data_dir, name, venue, date)] for name in _DATASETS}
    if not found["coverage"]:
        raise ConfigError(f"nothing with coverage was recorded of {venue} on {day_ranges(dates)} in {data_dir}")
    if target.exists():
        raise ConfigError(f"{target} is there already: name a new folder")
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        recorded = [path for paths in found.values() for path in paths]
        sums = _copy(layout, draft, [*recorded, *_lists(layout, venue, dates)])
        coverage = _coverage(found["coverage"])
        released = _describe(target, venue, dates, found, coverage)
        _write_coverage(draft / "coverage.csv", coverage)
        (draft / "README.md").write_text(_card(released, title, license_name), encoding="utf-8")
        described = {name: (ABOUT[name], pq.read_schema(paths[0])) for name, paths in found.items() if paths}
        croissant = description(title, released.venue, released.dates, described, license_name=license_name, sums=sums)
        (draft / "croissant.json").write_text(
            json.dumps(croissant, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        for name in ("coverage.csv", "README.md", "croissant.json"):
            sums[name] = _sha256(draft / name)
        lines = (f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        (draft / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return released


def _lists(layout: Layout, venue: VenueName, dates: Iterable[str]) -> list[Path]:
    return [path for date in dates if (path := layout.universe(venue, date)).is_file()]


def _copy(layout: Layout, draft: Path, files: Iterable[Path]) -> dict[str, str]:
    sums = {}
    for path in files:
        name = layout.relative(path)
        make_dirs((draft / name).parent)
        try:
            os.link(path, draft / name)
        except OSError:
            shutil.copyfile(path, draft / name)
        sums[name] = _sha256(draft / name)
    return sums


def _coverage(files: Sequence[Path]) -> pl.DataFrame:
    rows = pl.concat([pl.scan_parquet(path, hive_partitioning=False).select(*_KEYS, "start", "end") for path in files])
    seconds = ((pl.col("end") - pl.col("start")).dt.total_nanoseconds() / _NS).sum().round(3).alias("seconds")
    plain = rows.with_columns(pl.col(*_KEYS).cast(pl.String), date=pl.col("start").dt.date())
    return plain.group_by("date", *_KEYS).agg(seconds).sort("date", *_KEYS).collect()


_KEYS: Final = ("market_id", "instrument_id", "state", "reason")


def _write_coverage(path: Path, coverage: pl.DataFrame) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(coverage.columns)
        writer.writerows(coverage.iter_rows())


def _describe(
    target: Path,
    venue: VenueName,
    dates: Sequence[str],
    found: Mapping[Dataset, Sequence[Path]],
    coverage: pl.DataFrame,
) -> ReleasedData:
    seconds = dict(coverage.group_by("state").agg(pl.col("seconds").sum()).rows())
    return ReleasedData(
        target,
        venue,
        tuple(dates),
        sum(map(len, found.values())),
        {name: sum(pq.read_metadata(path).num_rows for path in paths) for name, paths in found.items()},
        {name: sum(path.stat().st_size for path in paths) for name, paths in found.items()},
        coverage["instrument_id"].n_unique(),
        seconds.get("covered", 0.0),
        seconds.get("gap", 0.0),
    )


def _card(released: ReleasedData, title: str, license_name: str) -> str:
    first, last = released.dates[0], released.dates[-1]
    days = first if first == last else f"{first} to {last}"
    wanted = released.covered + released.gaps
    share = f"{released.covered / wanted:.2%}" if wanted else "none"
    rows = "".join(
        f"| `{FOLDERS[name]}` | {ABOUT[name]} | {released.rows[name]:,} | {released.bytes[name]:,} |\n"
        for name in _DATASETS
    )
    return (
        files("predsurv.interchange")
        .joinpath("data_card.txt")
        .read_text(encoding="utf-8")
        .format(
            title=title,
            venue=released.venue,
            days=days,
            version=__version__,
            schema=SCHEMA_VERSION,
            license=license_name,
            rows=rows,
            instruments=released.instruments,
            observed=released.covered / _HOUR_S,
            wanted=wanted / _HOUR_S,
            share=share,
        )
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
