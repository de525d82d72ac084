"""``predsurv portfolio``: what an account owns, at the last known books, with their age."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from predsurv.cli.options import ConfigFile, Format, OutputFormat
from predsurv.cli.output.portfolio_tables import Account, portfolio_tables
from predsurv.cli.output.render import say, show
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError, PredsurvError, TransientError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from predsurv.trade.assembly import journal_path
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import Entry, OrderJournal
from predsurv.trade.journal_times import last_entry_time
from predsurv.trade.market_lists import known_markets_of
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.measures import events_of
from predsurv.trade.runs.folder import all_runs, last_marks
from predsurv.trade.runs.info import JOURNAL_FILE

_REFRESH: Final = 1_000_000_000
_CLEAR: Final = "\x1b[H\x1b[2J"
_BACKTEST: Final = "backtest"


class _ShownAccount(Struct, frozen=True):
    """Which account is shown, in which format; ``mode`` None: that last traded with, ``venue`` None: every venue."""

    data_dir: Path
    mode: str | None
    venue: str | None
    form: Format


class _JournalRead(Struct, frozen=True):
    """A journal as it is now; ``last``: the latest time in it (ns UTC), 0 for none."""

    mode: str
    entries: tuple[Entry, ...]
    venues: frozenset[VenueName]
    last: int


def portfolio(
    *,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="MODE", help="The account: paper or mock; default: last traded with."),
    ] = None,
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Only what is at this venue.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Show cash by venue, positions and profit of one account, at the last known books."""
    asked = _ShownAccount(load(config).config.data_dir, mode, venue, format)
    clock = SystemClock()
    if not watch:
        _show(asked, clock, say)
        return
    try:
        asyncio.run(_watch(asked, clock))
    except KeyboardInterrupt:
        return


async def _watch(asked: _ShownAccount, clock: Clock) -> None:
    is_screen = sys.stdout.isatty()
    news = _News()
    while True:
        if is_screen:
            print(_CLEAR, end="", flush=True)
        _show(asked, clock, say if is_screen else news.say)
        news.begin_round()
        await clock.sleep(_REFRESH)


class _News:
    """Says what was not said in the round before: no screen is cleared, so every line stays."""

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._now: set[str] = set()

    def say(self, message: str) -> None:
        """Say a message of this round if it is new."""
        self._now.add(message)
        if message not in self._before:
            say(message)

    def begin_round(self) -> None:
        """Begin the next round."""
        self._before, self._now = self._now, set()


def _show(asked: _ShownAccount, clock: Clock, tell: Callable[[str], None]) -> None:
    data_dir, mode, venue = asked.data_dir, asked.mode, asked.venue
    chosen = _chosen(data_dir, mode, venue, tell)
    if mode is None:
        tell(f"account {chosen.mode}, the last one traded with; --mode shows another")
    halt = halt_flag(data_dir).read()
    if halt is not None:
        tell(f"trading is {halt.trading}: {halt.reason}")
    keys = dict.fromkeys(owned.position.key for owned in fold(Opening(), chosen.entries, _nowhere).positions())
    cache = known_markets_of(data_dir, keys, clock.now())
    ledger = fold(Opening(), chosen.entries, events_of(cache))
    marks = last_marks(data_dir, chosen.mode, keys)
    account = Account(chosen.mode, ledger, marks, cache, clock.now(), chosen.last)
    show(portfolio_tables(account, None if venue is None else VenueName(venue)), asked.form)


def _nowhere(venue: object, market_id: object) -> None:
    """Say of no market which event it belongs to."""


def _chosen(data_dir: Path, mode: str | None, venue: str | None, tell: Callable[[str], None]) -> _JournalRead:
    """Return the account asked for, or of those with the venue the one last traded with; raises ConfigError.

    A backtest is shown only when it is named, or when nothing was traded otherwise.
    """
    paths = _journals(data_dir)
    if not paths:
        raise ConfigError(f"nothing was traded in {data_dir} yet; run 'predsurv trade --paper' first")
    if mode is not None and mode not in paths:
        raise ConfigError(f"no account {sanitise(mode, 40)!r}; there are {', '.join(paths)}")
    read = _read_all(paths, tell) if mode is None else [_read(mode, paths[mode])]
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


def _read_all(paths: Mapping[str, Path], tell: Callable[[str], None]) -> list[_JournalRead]:
    """Return the journals that can be read, at least one, and tell of the others."""
    read, refused = list[_JournalRead](), list[PredsurvError]()
    for name, path in paths.items():
        try:
            read.append(_read(name, path))
        except (IntegrityError, TransientError) as error:
            refused.append(error)
    if not read:
        raise refused[0]
    for each in refused:
        tell(f"warning: account left out: {each}")
    return read


def _read(name: str, path: Path) -> _JournalRead:
    journal = OrderJournal(path, readonly=True)
    try:
        entries = tuple(journal.entries())
    finally:
        journal.close()
    venues = fold(Opening(), entries, _nowhere).cash()
    return _JournalRead(name, entries, frozenset(venues), last_entry_time(entries) or 0)
