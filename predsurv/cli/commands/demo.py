"""``predsurv demo``: the whole chain on made-up markets, in a minute, from any folder."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import pyarrow.parquet as pq
import typer

from predsurv.cli.app import INTERRUPTED, main
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import load, write_back
from predsurv.core.errors import ConfigError, PredsurvError
from predsurv.core.text import sanitise
from predsurv.trade.assembly import journal_path
from predsurv.trade.journal import OrderJournal, restore
from predsurv.trade.stats import BasketStats, basket_stats

STEPS: Final = (
    ("which markets are there", ("scan",)),
    ("record their order books and trades", ("collect", "--duration", "12s")),
    ("what happened in them", ("mine", "--top", "10", "--html")),
    ("trade on them, on paper", ("trade", "--paper", "--duration", "20s")),
)

SETTINGS: Final[Mapping[str, object]] = {
    "mock.enabled": True,
    "collector.max_instruments": 200,
    "collector.instruments_per_connection": 50,
    "collector.rotation_period": "5s",
    "storage.snapshot_interval": "500ms",
    "storage.heartbeat_interval": "5s",
    "storage.seal_interval": "5s",
    "metrics.port": 0,
}
"""What differs from the defaults: small capacity and short periods, so that a minute shows everything."""

CONFIG_FILE: Final = "demo.toml"
"""Marks a folder that a demo created and may clear."""

_DATASETS: Final = ("orderbook_snapshots", "book_deltas", "trades", "coverage", "lifecycle", "stats")
_TALLY: Final = (
    Column("dataset", "Dataset", keep=9),
    Column("rows", "Rows", "int", keep=9),
    Column("files", "Files", "int"),
    Column("bytes", "Size", "bytes"),
)
_BASKETS: Final = (
    Column("strategy", "Strategy", keep=9),
    Column("found", "Found", "int", keep=9),
    Column("filled", "Filled", "int", keep=9),
    Column("settled", "Settled", "int", keep=9),
    Column("pnl", "Profit", "micros", "$", keep=9),
)


class DatasetSummary(NamedTuple):
    """What one dataset of the demo holds."""

    name: str
    rows: int
    files: int
    bytes: int


def demo(
    *, folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where to put it all.")] = Path("data/demo")
) -> None:
    """Run scan, collect, mine and trade on made-up markets: no network, no account, in a minute."""
    path = prepare(folder)
    for number, (purpose, command) in enumerate(STEPS, 1):
        print(f"\n── {number} of {len(STEPS)}: {purpose} ── predsurv {' '.join(command)} --config {path}\n", flush=True)
        _run(path, command)
    data = folder / "data"
    datasets = tally(data)
    baskets = traded(data)
    print("\n── what is there now ──\n")
    show([_tally_table(datasets, data), _basket_table(baskets)])
    missing = shortcomings(datasets, baskets.values())
    if missing:
        raise PredsurvError(f"the demo did not do what it should: {'; '.join(missing)}; rerun it, and report this")
    say(f"everything is in {folder}; look at it with 'predsurv status --config {path}', or at the report.html above")


def prepare(folder: Path) -> Path:
    """Return the configuration of a demo in a fresh ``folder``; raises ConfigError when it holds something else."""
    path = folder / CONFIG_FILE
    try:
        if path.is_file():
            shutil.rmtree(folder / "data", ignore_errors=True)
        elif folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} holds something that no demo made; choose another folder with --dir")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; choose another folder with --dir") from None
    flags = {**SETTINGS, "data_dir": str(folder.absolute() / "data")}
    write_back(load(flags=flags, environ={}, root=folder / "data").config, path)  # no file there: built-in defaults
    return path


def tally(data: Path) -> list[DatasetSummary]:
    """Return rows, files and bytes of each dataset under ``data``; universe rows are lines."""
    universes = sorted((data / "metadata").rglob("universe.jsonl"))
    lines = sum(path.read_bytes().count(b"\n") for path in universes)
    found = [DatasetSummary("metadata", lines, len(universes), _size(universes))]
    for name in _DATASETS:
        files = sorted((data / name).rglob("*.parquet"))
        rows = sum(pq.read_metadata(path).num_rows for path in files)
        found.append(DatasetSummary(name, rows, len(files), _size(files)))
    return found


def traded(data: Path) -> dict[str, BasketStats]:
    """Return the order-group counts of the latest journal by strategy; empty when nothing was traded."""
    journals = sorted(journal_path(data, "x").parent.glob("*.db"), key=lambda path: path.stat().st_mtime_ns)
    if not journals:
        return {}
    journal = OrderJournal(journals[-1], readonly=True)
    try:
        counts = basket_stats(restore(journal.entries()).account)
        return {str(name): count for name, count in counts.items()}
    finally:
        journal.close()


def shortcomings(datasets: Iterable[DatasetSummary], baskets: Iterable[BasketStats]) -> list[str]:
    """Return a line for each thing the demo should have produced and did not."""
    missing = [f"{each.name} is empty" for each in datasets if not each.rows]
    counts = list(baskets)
    if not any(count.found for count in counts):
        missing.append("no basket was found")
    elif not any(count.filled for count in counts):
        missing.append("no basket was filled")
    elif not any(count.settled and count.pnl > 0 for count in counts):
        missing.append("no basket settled with a profit")
    return missing


def _run(path: Path, command: tuple[str, ...]) -> None:
    code = main([*command, "--config", str(path)])
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise PredsurvError(f"demo: 'predsurv {' '.join(command)}' failed with exit code {code}; its reason is above")


def _tally_table(datasets: list[DatasetSummary], data: Path) -> Table:
    return Table("datasets", f"Recorded in {sanitise(str(data))}", _TALLY, datasets)


def _basket_table(baskets: Mapping[str, BasketStats]) -> Table:
    rows: list[tuple[Value, ...]] = [
        (name, count.found, count.filled, count.settled, count.pnl) for name, count in baskets.items()
    ]
    note = "a basket buys every outcome for less than the dollar that one of them will pay"
    return Table("baskets", "Arbitrage baskets", _BASKETS, rows, note, empty="no basket")


def _size(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)
