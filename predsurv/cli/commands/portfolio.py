"""``predsurv portfolio``: what an account owns, at the last known books, with their age."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from predsurv.cli.commands.journals import chosen_account, no_event
from predsurv.cli.options import ConfigFile, Format, OutputFormat
from predsurv.cli.output.portfolio_tables import Account, portfolio_tables
from predsurv.cli.output.render import say, show
from predsurv.config import load
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.market_lists import known_markets_of
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.measures import events_of
from predsurv.trade.runs.folder import last_marks

_REFRESH: Final = 1_000_000_000
_CLEAR: Final = "\x1b[H\x1b[2J"


class _ShownAccount(Struct, frozen=True):
    """Which account is shown, in which format; ``mode`` None: that last traded with, ``venue`` None: every venue."""

    data_dir: Path
    mode: str | None
    venue: str | None
    form: Format


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
    chosen = chosen_account(data_dir, mode, venue, tell)
    if mode is None:
        tell(f"account {chosen.mode}, the last one traded with; --mode shows another")
    halt = halt_flag(data_dir).read()
    if halt is not None:
        tell(f"trading is {halt.trading}: {halt.reason}")
    keys = dict.fromkeys(owned.position.key for owned in fold(Opening(), chosen.entries, no_event).positions())
    cache = known_markets_of(data_dir, keys, clock.now())
    ledger = fold(Opening(), chosen.entries, events_of(cache))
    marks = last_marks(data_dir, chosen.mode, keys)
    account = Account(chosen.mode, ledger, marks, cache, clock.now(), chosen.last)
    show(portfolio_tables(account, None if venue is None else VenueName(venue)), asked.form)
