"""What commands print in terminals of several widths, on a recording that is always the same.

``python -m tests.kit.captures`` writes the files in ``tests/data/captures`` anew: look at what changed, then commit.
"""

import asyncio
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final, NamedTuple, get_args

from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.cli.command_table import available
from predsurv.config import load
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.core.num import Price
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.state.book import Book
from predsurv.store.layout import Layout
from predsurv.venues.mock.venue import MockVenue
from tests.kit.recordings import record, write_universe

FOLDER: Final = Path(__file__).resolve().parents[1] / "data" / "captures"
WIDTHS: Final = (80, 120, 200)

START: Final = 1_800_000_000_000_000_000  # 2027-01-15T08:00:00Z
S: Final = 1_000_000_000
RECORDED_S: Final = 30
_BOOKS: Final = 24
_LEVELS: Final = 10
_LOST: Final = 3
"""Of the books, how many have a gap at the end."""

DAY_BEFORE: Final = "2027-01-14"
DAY: Final = "2027-01-15"
COMMANDS: Final[Mapping[str, str]] = {
    "help": "--help",
    "status": "status --hours 1",
    "verify": "verify --deep",
    "markets": "markets mayor",
    "markets-none": "markets zeppelin",
    "book": f"book politics-0008 --at {DAY}T08:00:10",
    "book-closed": "book crypto-0004-a",
    "book-gap": f"book politics-0000-a --at {DAY}T08:00:29",
    "book-ambiguous": "book ether",
    "scan-diff": f"scan --diff {DAY}",
    "mine": f"mine mock 2027-01-13..{DAY} --top 8",
    "explain": "mine explain politics-0008",
    "episodes": f"mine episodes mock {DAY}",
    "plan": "collect --plan",
    "config": "config show --changed",
    "strategies": "strategies momentum",
    "venue-unknown": "mine moc",
    "day-unknown": "compact mock monday",
    "json-error": "book ether --format json",
    "totals": f"mine totals mock {DAY}",
    "tables": "mine tables mock",
    "sql": "sql 'select market_id, count(*) as trades from trades group by 1 order by 2 desc, 1 limit 3'",
    "sql-views": "sql",
    "logs": "logs collect.log",
    "logs-none": "logs",
    "watch": "watch --duration 1ms --disk-free 0",
    "compact": f"compact mock {DAY}",
    "runs-none": "runs list",
    "portfolio-none": "portfolio",
    "orders-none": "orders",
    "keys-none": "keys check",
    "map-none": "map list",
    "value-wrong": "scan polymarket --limit zero",
    "doctor-venue": "doctor --venue kalshi --offline --frames frames.jsonl",
    **{f"help-{name}": f"{name} --help" for name in sorted(available())},
}
"""A command line by the name of its file."""

_CONFIG: Final = """\
data_dir = "data"
[mock]
enabled = true
markets = 60
seed = 7
rate = 200
[collector]
max_instruments = 24
"""
_LOG: Final = """\
{"time": "2027-01-15T08:00:00.000+00:00", "level": "info", "logger": "predsurv.collect", "message": "rotation 1"}
{"time": "2027-01-15T08:00:25.120+00:00", "level": "warning", "logger": "predsurv.venues.streaming", "message": \
"kalshi: connection 1 is over: no data came although the connection stayed open", "collector": "c0", "epoch": 1}
warning: the disk is nearly full
""".replace("\\\n", "")
_FRAMES: Final = """\
{"type": "ticker", "sid": 1, "msg": {"market_ticker": "KX", "mood": "calm"}}
{"type": "weather", "sid": 2, "msg": {}}
"""
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """Text that is taken for a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def recorded_folder(folder: Path) -> Iterator[None]:
    """Work in ``folder``, with half a minute of the made-up exchange recorded there, while the block runs."""
    with chdir(folder):
        Path("config").mkdir()
        Path("config/surveillance.toml").write_text(_CONFIG)
        asyncio.run(_record(folder / "data"))
        Path("collect.log").write_text(_LOG)
        Path("frames.jsonl").write_text(_FRAMES)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            main(["mine", "mock", DAY])  # what is ranked here is explained below
            main(["mine", "episodes", "mock", DAY])  # what others show must not depend on whether it was captured first
        yield


async def _record(data_dir: Path) -> None:
    clock = ManualClock(START, jumps=True)
    venue = MockVenue(load(None, environ={}).config.mock, clock)
    markets: list[Market] = [market async for market in venue.catalog().markets(MarketQuery())]
    write_universe(data_dir, venue.name, DAY, markets)
    write_universe(data_dir, venue.name, DAY_BEFORE, [_as_it_was(market, at) for at, market in enumerate(markets[2:])])
    keys = [market.key(0) for market in markets[:_BOOKS]]
    feed = venue.feed()
    await feed.watch(frozenset(keys))
    books = {key: Book(key) for key in keys}
    end, kept = START + RECORDED_S * S, list[Record]()
    async for batch in feed.batches():
        if batch[-1].ts_recv >= end:
            break
        kept += [event for event in batch if isinstance(event, get_args(Record))]
        for key in {event.key for event in batch if isinstance(event, BookSnapshot | BookDelta)}:
            kept.append(_top(books[key], [event for event in batch if getattr(event, "key", None) == key]))
    lost = dict.fromkeys(keys[:_LOST], end - 5 * S)
    told = [each for each in kept if not _is_lost(each, lost)]
    for key in keys:
        told.append(Coverage(key, START, lost.get(key, end), "covered", "live", 1))
        if key in lost:
            told.append(Coverage(key, lost[key], end, "gap", "stall", 1))
    record(data_dir, end, told)
    for path in Layout(data_dir).manifest.iterdir():
        os.utime(path, ns=(end, end))


def _as_it_was(market: Market, place: int) -> Market:
    """Return what the list said of a market the day before."""
    earlier = replace(market, fetched_at=market.fetched_at - 86_400 * S)
    if place == 0:
        return replace(earlier, description=f"{market.description} Draws count as No.", tick_size=Price(1_000))
    return (
        replace(earlier, close_time=START)
        if place == 1
        else replace(earlier, status="paused" if place == 2 else "active")
    )


def _is_lost(event: Record, lost: Mapping[InstrumentKey, int]) -> bool:
    """Return whether ``event`` is of an instrument that was lost by then; ``lost``: since when (ns UTC)."""
    return (
        isinstance(event, BookSnapshot | BookDelta | Trade | BookTop)
        and event.key in lost
        and (event.ts_recv >= lost[event.key])
    )


def _top(book: Book, events: Iterable[MarketEvent]) -> BookTop:
    """Return the top of a book after what was received of it."""
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event)
    bids, asks = map(pack_levels, book.top(_LEVELS))
    return BookTop(book.key, book.ts_recv, None, bids, asks, trusted=book.trusted)


class Shown(NamedTuple):
    """What a command printed to stdout and stderr, without colours, and its exit code."""

    out: str
    err: str
    code: int


def shown(line: str, width: int) -> Shown:
    """Return what ``predsurv LINE`` shows in a terminal of ``width`` cells."""
    out, err = Terminal(), io.StringIO()
    before = dict(os.environ)
    os.environ |= {"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"}
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(shlex.split(line))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Shown(_plain(out), _plain(err), code)


def captured(line: str) -> str:
    """Return what a command line shows in all widths, as its file has it."""
    parts = []
    for width in WIDTHS:
        seen = shown(line, width)
        parts.append(f"── {width} columns ──\n$ predsurv {line}\n{seen.out}{seen.err}exit code {seen.code}\n")
    return "\n".join(parts)


def _plain(stream: io.StringIO) -> str:
    return _ANSI.sub("", stream.getvalue())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, recorded_folder(Path(place).resolve()):
        for name, line in COMMANDS.items():
            (FOLDER / f"{name}.txt").write_text(captured(line), encoding="utf-8")
