"""What a folder lacks that another program wrote, so that somebody can make it a recording: said beside the findings.

Only of files that no manifest knows: of a recording of ours everything here is a finding of its own, or not lacking.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.store.conform import expect_columns
from predsurv.store.layout import FOLDERS, Dataset, Layout, day_files, day_ranges, parse_file
from predsurv.store.schema import schema_of
from predsurv.store.universe import universe_files

_NAME: Final = "PREFIX_YYYYMMDDTHHMMSSZ-COLLECTOR-SEGMENT.parquet, the segment a number of twelve digits"
_VENUE: Final = re.compile(r"venue=([^/]+)/date=([0-9]{4}-[0-9]{2}-[0-9]{2})/")
_OF_BOOKS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas")


class LackingPart(Struct, frozen=True):
    """Something that a folder lacks, and what follows from that."""

    what: str
    why: str


def lacking_parts(layout: Layout, unlisted: Sequence[Path]) -> tuple[LackingPart, ...]:
    """Return what the folder lacks to be mined and traded on, as far as its ``unlisted`` files show."""
    if not unlisted:
        return ()
    return (*_names(layout, unlisted), *_columns(layout, unlisted), *_days(layout, unlisted), _MANIFEST)


_MANIFEST: Final = LackingPart(
    "a manifest of these files",
    "they are read, but that one was lost or changed cannot be noticed; 'predsurv import parquet' records their rows "
    "with one (docs/importing.md)",
)


def _names(layout: Layout, files: Iterable[Path]) -> Iterator[LackingPart]:
    strange = [path for path in files if not _is_ours(path)]
    if strange:
        first = sanitise(layout.relative(strange[0]), 200)
        yield LackingPart(
            f"names that are read: {len(strange):,} files have others, first {first}",
            f"nothing reads them; below venue=…/date=…/hour=… a file is called {_NAME}",
        )


def _columns(layout: Layout, files: Iterable[Path]) -> Iterator[LackingPart]:
    for path in files:
        if not _is_ours(path):
            continue
        try:
            expect_columns(path, pq.read_schema(path).names, schema_of(parse_file(path)[0].dataset, 1).names)
        except IntegrityError as error:
            what = sanitise(str(error).partition(": ")[0].replace(str(layout.data_dir), "").lstrip("/"), 200)
            yield LackingPart(f"columns: {what}", "every reader refuses the file; docs/data-files.md has the columns")
            return  # one stands for all
        except (OSError, pa.ArrowException):
            continue  # that it cannot be read is a finding


def _days(layout: Layout, files: Iterable[Path]) -> Iterator[LackingPart]:
    days: dict[VenueName, set[str]] = {}
    for path in files:
        match = _VENUE.search(layout.relative(path))
        if match is not None:
            days.setdefault(VenueName(match[1]), set()).add(match[2])
    for venue, dates in sorted(days.items()):
        name = sanitise(venue, 40)
        without = [date for date in sorted(dates) if not day_files(layout.data_dir, "coverage", venue, date)]
        if without:
            yield LackingPart(
                f"coverage of {name}, {day_ranges(without)}",
                "nothing tells time that was quiet from time that nobody observed: mine and backtest refuse such days",
            )
        if not any(day_files(layout.data_dir, each, venue, date) for date in dates for each in _OF_BOOKS):
            yield LackingPart(f"books of {name}", "statistics of books are unknown, and a backtest fills nothing")
        if not universe_files(layout.data_dir, venue):
            yield LackingPart(
                f"a list of the markets of {name} (metadata/…/universe.jsonl)",
                "markets have no names, ticks and fees, and a backtest does not trade them",
            )


def _is_ours(path: Path) -> bool:
    with suppress(ValueError):
        return parse_file(path)[0].dataset in FOLDERS
    return False
