"""What runs now, as ``predsurv status`` shows it: collectors with their logs, traders, halts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from predsurv.cli.output.render import Column, Table, Value
from predsurv.collect.running import RunningCollector, RunningVenue
from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.state.coverage import COVERED_DELAY
from predsurv.store.layout import NS_SECOND, RUNS, Layout, parse_segment
from predsurv.store.universe import iso_second
from predsurv.store.wal.segment import IncompleteSegment, SegmentReader
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.info import LOCK_FILE

_LOGS: Final = (
    Column("collector", "Collector", keep=9),
    Column("segments", "Segments", "int", keep=6),
    Column("records", "Not sealed", "int", "records", keep=8),
    Column("bytes", "Size", "bytes", keep=7),
    Column("last_seal", "Last seal", "time", "UTC", keep=9),
    Column("quarantined", "In quarantine", "int", "files", keep=6),
)
_RUNNING: Final = (
    Column("collector", "Collector", keep=9),
    Column("process", "Process", keep=5),
    Column("since", "Since", "time", "UTC", keep=8),
    Column("venue", "Venue", keep=9),
    Column("rotation_s", "Rotates every", "duration", keep=6),
    Column("rotated", "Last rotation", "time", "UTC", keep=4),
    Column("logged", "In the log up to", "time", "UTC", keep=7),
    Column("books", "Books now", keep=8),
    Column("counted", "Counted up to", "time", "UTC", keep=9),
)
_RUNNING_NOTE: Final = (
    f"covered time is final after {COVERED_DELAY // NS_SECOND} s and is counted from the next seal on; "
    "until then the log has it"
)
STARTING: Final = "starting"
_TRADING: Final = (
    Column("run", "Run", keep=9, fit="whole"),
    Column("mode", "Mode", keep=6, fit="whole"),
    Column("venues", "Venues", keep=5),
    Column("strategies", "Strategies", keep=8),
    Column("since", "Since", "time", "UTC", keep=9),
    Column("until", "Until", "time", "UTC", keep=4, if_any=True),
)


def running_table(running: Iterable[RunningCollector], counted: Mapping[tuple[VenueName, str], int]) -> Table:
    """Return what is being recorded now, a row per venue; ``counted``: the end of all counted time, ns UTC."""
    rows: list[Sequence[Value]] = []
    for each in running:
        holder = each.holder
        rows += [
            (
                holder.collector,
                holder.process,
                holder.since,
                venue.venue,
                None if venue.rotation is None else venue.rotation.period,
                None if venue.rotation is None else venue.rotation.since,
                venue.logged,
                ", ".join(f"{count:,} {reason}" for reason, count in venue.books.items()),
                _counted(venue, counted.get((venue.venue, holder.collector))),
            )
            for venue in each.venues
        ] or [(holder.collector, holder.process, holder.since, None, None, None, None, STARTING, None)]
    return Table("running", "Being recorded now", _RUNNING, rows, _RUNNING_NOTE, empty="no collector runs")


def _counted(venue: RunningVenue, last: int | None) -> int | None:
    """Return up to when (ns UTC) the observed time of every book is counted; ``last``: of any book."""
    return last if last is None or venue.final is None else min(last, venue.final)


def log_table(layout: Layout) -> Table:
    """Return one row per collector: what waits in its log and when it last sealed."""
    collectors = {path.name.removesuffix(".lock") for path in layout.state.glob("*.lock")}
    segments = [(parse_segment(path)[0], path) for path in layout.wal.glob("*.db")]
    quarantined = sum(1 for _ in layout.quarantine.glob("*")) if layout.quarantine.is_dir() else 0
    rows: list[Sequence[Value]] = []
    for name in sorted(collectors):
        own = [path for collector, path in segments if collector == name]
        size = sum(file.stat().st_size for path in own for file in layout.wal.glob(path.name + "*"))
        seals = [path.stat().st_mtime_ns for path in layout.manifest.glob(f"{name}-*.jsonl")]
        rows.append((name, len(own), _records(own), size, max(seals, default=None), quarantined))
    return Table("log", "Log", _LOGS, rows, empty="no collector ran here")


def _records(segments: Iterable[Path]) -> int | None:
    """Return how many records wait in log segments to be sealed, None where one cannot be read."""
    total = 0
    for path in segments:
        try:
            with closing(SegmentReader(path)) as reader:
                total += reader.records()
        except FileNotFoundError:  # sealed meanwhile
            continue
        except IncompleteSegment:  # nothing was written to it yet
            continue
        except IntegrityError:
            return None
    return total


def trading_table(data_dir: Path) -> Table:
    """Return the trading runs that go on now, and whether trading is halted."""
    found = [(run, run.info()) for run in _running(data_dir)]
    rows: list[Sequence[Value]] = [
        (
            run.run,
            info.mode,
            ", ".join(info.venues),
            ", ".join(info.strategies),
            info.started,
            None if info.requested is None else info.started + info.requested,
        )
        for run, info in found
    ]
    halt = halt_flag(data_dir).read()
    note = ""
    if halt is not None:
        note = f"trading is {halt.trading} since {iso_second(halt.ts)}: {sanitise(halt.reason, 200)}"
    empty = f"no trader runs; {note}" if note else "no trader runs"
    return Table("trading", "Being traded now", _TRADING, rows, note, empty=empty)


def _running(data_dir: Path) -> Iterator[RunFolder]:
    """Yield the runs that go on; those that are over have no lock file, or nobody holds it."""
    for path in sorted((data_dir / RUNS).glob(f"*/{LOCK_FILE}")):
        run = RunFolder(path.parent)
        with suppress(IntegrityError, OSError):  # it has just begun, or is damaged: 'runs list' tells
            if run.state(run.info()) == "running":
                yield run
