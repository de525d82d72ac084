"""What rotation says that it decided, beside what coverage says of the time from then on: the same probability.

Totals are estimated by these probabilities, so a recording in which the two differ gives wrong ones.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.state.coverage import NOT_WANTED
from predsurv.store.layout import Layout, data_files, day_files, parse_file, utc_text
from predsurv.store.read.verify_books import VerifyFinding
from predsurv.store.read.verify_digests import split_damaged

LAG_MAX: Final = 5_000_000_000
"""How much later (ns) than the plan the coverage of a recorder that lags behind may change."""

_NO: Final = pa.scalar(value=False)
_ROTATIONS: Final = ["ts_recv", "instrument_id", "inclusion"]
_COVERAGE: Final = ["start", "end", "instrument_id", "reason", "inclusion"]


def check_rotations(layout: Layout) -> Iterator[VerifyFinding]:
    """Yield a finding for each instrument and day whose ``rotations`` and ``coverage`` state another probability.

    Damaged files are left out, ``verify.check_files`` reports them. Raises FileNotFoundError when a file was replaced
    meanwhile.
    """
    days: defaultdict[tuple[VenueName, str, str], list[Path]] = defaultdict(list)
    for path in split_damaged(layout, data_files(layout, "rotations"))[0]:
        partition, stamp = parse_file(path)
        days[partition.venue, partition.date, stamp.collector].append(path)
    for (venue, date, collector), paths in sorted(days.items()):
        every = day_files(layout.data_dir, "coverage", venue, date)
        own, _ = split_damaged(layout, [path for path in every if parse_file(path)[1].collector == collector])
        if own:
            yield from _compared(venue, _read(paths, _ROTATIONS), _read(own, _COVERAGE))


def _compared(venue: str, rotations: Any, coverage: Any) -> Iterator[VerifyFinding]:
    met = rotations.join_asof(
        coverage, on="at", by="instrument_id", tolerance=-(2**62), right_on="since", right_by="instrument_id"
    )
    wanted = pc.invert(pc.is_in(met["reason"], value_set=pa.array(sorted(NOT_WANTED))))
    during = pc.and_(pc.greater(met["end"], pc.add(met["at"], LAG_MAX)), pc.fill_null(wanted, _NO))
    other = pc.not_equal(met["inclusion"], met["covered_inclusion"])
    wrong = met.filter(pc.fill_null(pc.and_(during, other), _NO))
    first: dict[str, tuple[int, float, float]] = {}
    columns = (wrong[name].to_pylist() for name in ("instrument_id", "at", "inclusion", "covered_inclusion"))
    for instrument, at, told, covered in zip(*columns, strict=True):
        first.setdefault(instrument, (at, told, covered))
    for instrument, (at, told, covered) in sorted(first.items()):
        what = f"chosen with {told:.6f} at {utc_text(at)}, and covered with {covered:.6f}"
        yield VerifyFinding("rotation", f"{venue}:{sanitise(instrument)}", what)


def _read(paths: Sequence[Path], names: list[str]) -> Any:
    tables = [pq.read_table(path, partitioning=None, page_checksum_verification=True) for path in paths]
    parts = [table.select(names) for table in tables if set(names) <= set(table.column_names)]
    if not parts:
        parts = [pa.table({name: pa.array([], pa.int64()) for name in names})]
    table = pa.concat_tables(parts, promote_options="permissive")
    times = {"ts_recv": "at", "start": "since", "end": "end"}
    columns = {times.get(name, name): _plain(name, table[name]) for name in names}
    if "since" in columns:
        columns["covered_inclusion"] = columns.pop("inclusion")
    return pa.table(columns).sort_by([(next(iter(columns)), "ascending")])


def _plain(name: str, column: Any) -> Any:
    if name in ("instrument_id", "reason"):
        return column.cast(pa.string())
    return column.cast(pa.float64() if name == "inclusion" else pa.int64())
