"""Which account a command is about: the journals of a data folder, read by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.errors import ConfigError, IntegrityError, PredsurvError, TransientError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.trade.journal import Entry, OrderJournal
from predsurv.trade.journal_path import journal_path
from predsurv.trade.journal_times import last_entry_time
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.runs.folder import all_runs
from predsurv.trade.runs.info import JOURNAL_FILE

_BACKTEST: Final = "backtest"


class ReadJournal(Struct, frozen=True):
    """A journal as it is now; ``last``: the latest time in it (ns UTC), 0 for none."""

    mode: str
    entries: tuple[Entry, ...]
    venues: frozenset[VenueName]
    last: int


def no_event(venue: object, market_id: object) -> None:
    """Say of no market which event it belongs to."""


def chosen_account(data_dir: Path, mode: str | None, venue: str | None, tell: Callable[[str], None]) -> ReadJournal:
    """Return the account asked for, or of those with the venue the one last traded with; raises ConfigError.

    A backtest is shown only when it is named, or when nothing was traded otherwise.
    """
    paths = _journals(data_dir)
    if not paths:
        raise ConfigError(f"nothing was traded in {data_dir} yet; run 'predsurv trade --paper' first")
    if mode is not None and mode not in paths:
        raise ConfigError(f"no account {sanitise(mode, 40)!r}; there are {', '.join(paths)}")
    read = _read_all(paths, tell) if mode is None else [read_journal(mode, paths[mode])]
    found = [each for each in read if venue is None or venue in each.venues]
    if not found:
        venues = ", ".join(sorted({name for each in read for name in each.venues})) or "none yet"
        raise ConfigError(f"nothing was traded at {sanitise(venue or '', 40)!r} with this account; venues: {venues}")
    return max(found, key=lambda each: (not each.mode.startswith(_BACKTEST), each.last))


def _journals(data_dir: Path) -> dict[str, Path]:
    """Return the journals of accounts by name, and of backtests, whose accounts do not last, those of the newest."""
    folder = journal_path(data_dir, "x").parent
    found = {path.stem: path for path in sorted(folder.glob("*.db")) if not path.stem.startswith(_BACKTEST)}
    for run in all_runs(data_dir):
        if run.account.startswith(_BACKTEST) and run.file(JOURNAL_FILE).exists():
            found[run.account] = run.file(JOURNAL_FILE)
    return found


def _read_all(paths: Mapping[str, Path], tell: Callable[[str], None]) -> list[ReadJournal]:
    """Return the journals that can be read, at least one, and tell of the others."""
    read, refused = list[ReadJournal](), list[PredsurvError]()
    for name, path in paths.items():
        try:
            read.append(read_journal(name, path))
        except (IntegrityError, TransientError) as error:
            refused.append(error)
    if not read:
        raise refused[0]
    for each in refused:
        tell(f"warning: account left out: {each}")
    return read


def read_journal(name: str, path: Path) -> ReadJournal:
    journal = OrderJournal(path, readonly=True)
    try:
        entries = tuple(journal.entries())
    finally:
        journal.close()
    venues = fold(Opening(), entries, no_event).cash()
    return ReadJournal(name, entries, frozenset(venues), last_entry_time(entries) or 0)
