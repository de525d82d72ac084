"""``make bench``: measure, compare, print. Every figure is a ratio within this one run."""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import nautilus, rounds
from benchmarks.decode import Pipeline, Tops, bare, prepare
from benchmarks.frames import Load, generate
from benchmarks.seal import describe, seal_rates, seal_records
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent, Trade
from predsurv.venues.polymarket.fast_decoder import COMPILED, PYTHON, ChangeReaders

FRAMES = 300_000
PEER_FRAMES = 60_000
LIMIT_RATIO = 0.30
PEER_RATIO = 6.0
DELTA_BYTES = 12
OTHERS = (
    "collect", "kalshi", "mapping", "receive", "scan", "hash_checks", "months", "orders", "seal", "simulator",
    "trading", "latency", "live", "memory",
)  # fmt: skip
"""Benchmarks with a command of their own."""


def main() -> int:
    """Run all benchmarks; return 1 when contenders disagree about the books."""
    console = Console()
    core = rounds.pin()
    console.print(f"one process on core {core}, {rounds.ROUNDS} interleaved rounds, CPU time, medians\n")
    load, expected = rounds.apart(prepare, FRAMES)
    failed = hot_path(console, load, expected) or peer(console) or sealing(console, load)
    console.print(f"\nby themselves, as python -m benchmarks.NAME: {', '.join(OTHERS)}", markup=False)
    return failed


def hot_path(console: Console, load: Load, expected: Tops) -> int:
    """Measure decode → book → delta rows against bare decoding of the same frames."""
    ours = {name: Pipeline(load, readers=readers) for name, readers in _readers().items()}
    for name, each in ours.items():
        each.run()
        if _differ(console, f"predsurv, {name}", each.tops(), expected):
            return 1
    taken = rounds.interleave({"limit": bare(load)} | {name: each.run for name, each in ours.items()})
    count = len(load.frames)
    table = _table("Polymarket frames, decode → book → delta rows")
    limit = taken["limit"].median_s
    table.add_row("msgspec struct decode only (limit)", _rate(count, limit), "1.00", "")
    for name in ours:
        mine = taken[name].median_s
        table.add_row(f"predsurv, {name}", _rate(count, mine), f"{limit / mine:.2f}", f"≥ {LIMIT_RATIO:.2f}")
    console.print(table)
    console.print(f"final books equal to the reference: {len(expected)} of {len(expected)} tokens\n")
    return 0


def peer(console: Console) -> int:
    """Measure frames → book against NautilusTrader's adapter, where it is installed."""
    try:
        found = nautilus.version()
    except ImportError as error:
        console.print(nautilus.why_missing(error) + "\n", markup=False)
        return 0
    load = rounds.apart(generate, PEER_FRAMES)
    ours, theirs = {name: Pipeline(load, readers=readers) for name, readers in _readers().items()}, nautilus.Peer(load)
    theirs.run()
    for name, each in ours.items():
        each.run()
        if _differ(console, f"NautilusTrader {found} and predsurv, {name}", theirs.tops(), each.tops()):
            return 1
    taken = rounds.interleave({"theirs": theirs.run} | {name: each.run for name, each in ours.items()})
    count, limit = len(load.frames), taken["theirs"].median_s
    table = _table("Polymarket frames → book (ours also keeps the delta rows)")
    table.add_row(f"NautilusTrader {found} adapter", _rate(count, limit), "1.0", "")
    for name in ours:
        mine = taken[name].median_s
        table.add_row(f"predsurv, {name}", _rate(count, mine), f"{limit / mine:.1f}", f"≥ {PEER_RATIO:.0f}")
    console.print(table)
    return 0


def _readers() -> dict[str, ChangeReaders]:
    return {"Python": PYTHON} | ({"compiled": COMPILED} if COMPILED is not None else {})


def sealing(console: Console, load: Load) -> int:
    """Measure what logging and sealing cost, and the bytes a row takes on disk."""
    kept: list[MarketEvent] = []
    Pipeline(load, kept.extend, read_frames=1).run()
    frames = seal_records([event for event in kept if isinstance(event, BookSnapshot | BookDelta | Trade)])
    table = Table(title="Rows of those frames, log → sealed Parquet", title_justify="left")
    for name in ("dataset", "rows", "rows/s sealed", "bytes per row", "goal"):
        table.add_column(name, justify="left" if name == "dataset" else "right")
    for dataset, rows in frames.rows.items():
        goal = f"≤ {DELTA_BYTES}" if dataset == "deltas" else ""
        size = f"{frames.bytes_per_row[dataset]:.1f}"
        table.add_row(dataset, f"{rows:,}", f"{frames.rows_per_s:,.0f}", size, goal)
    console.print(table)
    console.print(describe(seal_rates()))
    return 0


def _differ(console: Console, who: str, tops: Tops, expected: Tops) -> bool:
    wrong = [asset for asset, best in expected.items() if tops.get(asset) != best]
    if wrong:
        console.print(f"{who}: {len(wrong)} of {len(expected)} final books differ, e.g. {wrong[0]}")
    return bool(wrong)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("contender")
    for name in ("frames/s", "ratio", "goal"):
        table.add_column(name, justify="right")
    return table


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
