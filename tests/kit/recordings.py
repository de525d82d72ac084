"""Small recordings and universe files written as the program writes them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.seal.seal import seal_segment
from predsurv.store.universe import MarketLine, to_line
from predsurv.store.wal.log import WriteAheadLog


def record(data_dir: Path, now: int, *segments: Sequence[Record], collector: str = "c0") -> None:
    """Record and seal each of ``segments`` as one log segment, at the time ``now`` (ns UTC)."""
    clock = ManualClock(now)
    log = WriteAheadLog(data_dir / "state", collector, clock)
    for records in segments:
        log.append(list(records))
        log.flush()
        path = log.rotate()
        if path is not None:
            seal_segment(path, Layout(data_dir), clock)
    log.close()


def write_universe(data_dir: Path, venue: VenueName, date: str, lines: Iterable[Market | MarketLine]) -> Path:
    """Write the universe file of a day (YYYY-MM-DD) as one scan of an empty folder would."""
    path = Layout(data_dir).universe(venue, date)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = (to_line(each) if isinstance(each, Market) else each for each in lines)
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in written))
    return path
