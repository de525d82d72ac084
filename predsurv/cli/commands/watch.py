"""``predsurv watch``: look at a data folder from outside, and tell when something is wrong or a market settles."""

import asyncio
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from predsurv.cli.notify import check_target, deliver
from predsurv.cli.options import ConfigFile, Duration, Mock, OutputFormat, mock_flag
from predsurv.cli.output.render import say
from predsurv.cli.runtime import duration_ns
from predsurv.collect.running import RunningCollector, running_collectors
from predsurv.config import load
from predsurv.core.durations import parse_duration
from predsurv.core.errors import ConfigError, IntegrityError, TransientError
from predsurv.core.events import MarketResolved
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.num import format_micros, parse_micros
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from predsurv.store.layout import NS_HOUR, Layout, data_files, parse_file
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import read_events
from predsurv.store.universe import find_markets, iso_second, universe_files
from predsurv.telemetry.alert_rules import Alert, AlertLimits, AlertRules, BookCount, ResolvedMarket, Sighting
from predsurv.trade.halt_flag import halt_flag

_EVERY: Final = "10s"
_GAP_SHARE: Final = "0.1"
_DISK_FREE_GB: Final = 2.0
_LATE: Final = NS_HOUR
"""How long (ns) after it was received the row of a settlement may be sealed, and is told still."""

_LISTS: Final = 2
"""In how many days' lists, newest first, a settled market's question is looked for."""

_MICROS: Final = 1_000_000


def watch(
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify", metavar="COMMAND|URL", help="Gets each alert as JSON: on stdin, or posted. May be repeated."
        ),
    ] = None,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="How often to look.")] = _EVERY,
    gap_share: Annotated[
        str, typer.Option("--gap-share", metavar="SHARE", help="Alarm when more of the wanted books are lost for 60 s.")
    ] = _GAP_SHARE,
    disk_free: Annotated[
        float, typer.Option("--disk-free", metavar="GB", min=0, help="Alarm when less is free.")
    ] = _DISK_FREE_GB,
    duration: Duration = None,
    mock: Mock = False,
) -> None:
    """Watch recording and trading from outside, and tell what goes wrong, what is well again, and which markets settle.

    Alarms: a collector that ran has stopped, too many of its books are lost, the disk fills up, trading is halted.
    """
    settings = load(config, flags=mock_flag(mock)).config
    for target in notify or ():
        check_target(target)
    limits = AlertLimits(_share(gap_share), round(disk_free * 1_000_000_000))
    watcher = FolderWatcher(settings.data_dir, limits, SystemClock())
    try:
        asyncio.run(_watch(watcher, notify or (), _interval(every), duration_ns(duration), format))
    except KeyboardInterrupt:
        return


class FolderWatcher:
    """Looks at one data folder again and again."""

    def __init__(self, data_dir: Path, limits: AlertLimits, clock: Clock) -> None:
        self._layout = Layout(data_dir)
        self._rules = AlertRules(limits)
        self._clock = clock
        self._began = clock.now()
        self._files: frozenset[Path] = frozenset(data_files(self._layout, "lifecycle"))
        self._settled: set[tuple[str, str]] = set()

    def look(self) -> list[Alert]:
        """Return what is to be told since the last look."""
        folder = self._layout.data_dir
        halt = halt_flag(folder).read()
        sighting = Sighting(
            self._clock.now(),
            {each.holder.collector: _count(each) for each in running_collectors(self._layout)},
            shutil.disk_usage(next(each for each in (folder, *folder.resolve().parents) if each.is_dir())).free,
            None if halt is None else f"trading is {halt.trading}: {sanitise(halt.reason, 200)}",
            tuple(self._resolved()),
        )
        return self._rules.look(sighting)

    def _resolved(self) -> Iterator[ResolvedMarket]:
        """Yield the markets whose settlement was sealed since the last look; merged files hold no news."""
        files = frozenset(data_files(self._layout, "lifecycle"))
        venues = sorted({parse_file(path)[0].venue for path in files - self._files})
        self._files = files
        for venue in venues:
            yield from self._resolved_at(venue)

    def _resolved_at(self, venue: VenueName) -> Iterator[ResolvedMarket]:
        now = self._clock.now()
        wanted = ReplayQuery(venue, max(self._began, now - _LATE), now + 1, None, datasets=("lifecycle",))
        try:
            events = [each for each in read_events(self._layout, wanted) if isinstance(each, MarketResolved)]
        except IntegrityError as error:
            say(f"warning: {error}")
            return
        new = {event.market_id: event for event in events if (venue, event.market_id) not in self._settled}
        lists = universe_files(self._layout.data_dir, venue)
        known = find_markets((lists[date] for date in sorted(lists)[: -_LISTS - 1 : -1]), new.keys())
        for market_id, event in new.items():
            self._settled.add((venue, market_id))
            yield _resolved_market(event, known.get(market_id))


async def _watch(
    watcher: FolderWatcher, targets: Sequence[str], every: int, limit: int | None, form: OutputFormat
) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    say("watching; Ctrl-C ends it")
    while True:
        for alert in await asyncio.to_thread(watcher.look):
            await asyncio.to_thread(_tell, alert, targets, form)
        left = every if limit is None else min(every, limit - (clock.monotonic() - began))
        if left <= 0:
            return
        await clock.sleep(left)


def _tell(alert: Alert, targets: Sequence[str], form: OutputFormat) -> None:
    body = msgspec.json.encode({**msgspec.to_builtins(alert), "at": iso_second(alert.at)})
    line = f"{iso_second(alert.at)} {alert.kind} {sanitise(alert.subject, 80)}: {sanitise(alert.message, 500)}"
    print(line if form == "table" else body.decode(), file=sys.stdout, flush=True)
    for target in targets:
        try:
            deliver(target, body)
        except TransientError as error:
            say(f"warning: {error}; the alert above was not delivered")


def _count(collector: RunningCollector) -> BookCount:
    books = [venue.books for venue in collector.venues]
    wanted = sum(sum(each.values()) for each in books)
    known = sum(each.get("live", 0) + each.get("polled", 0) for each in books)
    return BookCount(wanted, known)


def _resolved_market(event: MarketResolved, market: Market | None) -> ResolvedMarket:
    """Return what is told of a settlement, in the market's own words where a list has them."""
    labels = {} if market is None else {each.instrument_id: each.label for each in market.outcomes}
    paid = ", ".join(f"{sanitise(labels.get(one, one), 80)} pays {format_micros(paid)}" for one, paid in event.payouts)
    question = "" if market is None else sanitise(market.question, 200)
    return ResolvedMarket(event.venue, event.market_id, f"void: {paid}" if event.void else paid, question)


def _share(text: str) -> int:
    try:
        share = parse_micros(text)
    except ValueError:
        share = -1
    if not 0 <= share <= _MICROS:
        raise ConfigError(f"--gap-share: expected a share from 0 to 1; got {sanitise(text, 40)!r}")
    return share


def _interval(text: str) -> int:
    try:
        every = parse_duration(text)
    except ValueError:
        every = 0
    if every <= 0:
        raise ConfigError(f'--every: expected a time such as "10s" or "1m"; got {sanitise(text, 40)!r}')
    return every
