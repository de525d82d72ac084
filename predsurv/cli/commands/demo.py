"""``predsurv demo``: the whole chain on made-up markets, in a minute, from any folder."""

import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NamedTuple

import pyarrow.parquet as pq
import typer

from predsurv.cli.app import main
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.cli.output.result_tables import earned_tables, market_table
from predsurv.cli.output.trade_tables import MARKETS_SHOWN, outcome
from predsurv.config import load, write_back
from predsurv.core.errors import INTERRUPTED, ConfigError, PredsurvError
from predsurv.core.text import sanitise
from predsurv.trade.journal import OrderJournal, restore
from predsurv.trade.results.result import RunResult
from predsurv.trade.runs.folder import all_runs
from predsurv.trade.runs.info import JOURNAL_FILE
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


class DemoTrades(NamedTuple):
    """The result of the demo's run, and its baskets by strategy."""

    result: RunResult
    baskets: tuple[BasketStats, ...]


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
    with _interrupts() as heard:
        for number, (purpose, command) in enumerate(STEPS, 1):
            title = f"{number} of {len(STEPS)}: {purpose} ── predsurv {' '.join(command)} --config {path}"
            print(f"\n── {title}\n", flush=True)
            _run(path, command)
            if heard:
                raise KeyboardInterrupt  # the step ended in good order, which is no reason to go on
    data = folder / "data"
    datasets = tally(data)
    trades = traded(data)
    print("\n── what is there now ──\n")
    show([_tally_table(datasets, data), *([] if trades is None else _earned(trades.result))])
    missing = shortcomings(datasets, () if trades is None else trades.baskets)
    if missing:
        raise PredsurvError(f"the demo did not do what it should: {'; '.join(missing)}; rerun it, and report this")
    if trades is not None:
        say(f"account: {outcome(trades.result)}")
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


def traded(data: Path) -> DemoTrades | None:
    """Return what the newest run did, None when there is none."""
    runs = list(all_runs(data))
    result = runs[-1].results() if runs else None
    if result is None:
        return None
    journal = OrderJournal(runs[-1].file(JOURNAL_FILE), readonly=True)
    try:
        counts = basket_stats(restore(journal.entries()).account)
    finally:
        journal.close()
    return DemoTrades(result, tuple(counts.values()))


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


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Yield a list that has something in it once a SIGINT was heard, by a step that ended in good order as well."""
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if frame is not None:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _run(path: Path, command: tuple[str, ...]) -> None:
    code = main([*command, "--config", str(path)])
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise PredsurvError(f"demo: 'predsurv {' '.join(command)}' failed with exit code {code}; its reason is above")


def _earned(result: RunResult) -> list[Table]:
    return [*earned_tables(result), market_table(result, first=MARKETS_SHOWN)]


def _tally_table(datasets: list[DatasetSummary], data: Path) -> Table:
    return Table("datasets", f"Recorded in {sanitise(str(data))}", _TALLY, datasets)


def _size(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)
