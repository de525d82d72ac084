"""The scans that ``collect`` and ``trade`` make themselves: the first one of a new host, and those while recording.

They run in processes of their own, but for the mock venue, whose list is that of the running venue.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from predsurv.cli.commands.scan import NO_LIMITS, scan_job, scan_line
from predsurv.cli.commands.scan_process import OnProgress, ScanManner, ScanOutcome, scan_in_process
from predsurv.cli.output.progress import progress_line
from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock, MarketQuery, Venue
from predsurv.scan.job import ScanProgress, scan_venues
from predsurv.store.universe import latest_universe

BESIDE: Final = ScanManner(share=2, niceness=10)
"""Beside a recording a scan takes half of the venue's request limit, and the recording has priority."""

ALONE: Final = ScanManner()

FIRST_SCAN_SECONDS_MAX: Final = 1_800
"""How long the first scan of a venue may take: six times what the longest list took."""

SCAN_SECONDS_MAX: Final = 2 * FIRST_SCAN_SECONDS_MAX
"""How long a scan beside a recording may take, at half the venue's request limit: one that hangs would be the last."""

LINE_INTERVAL: Final = 10_000_000_000
"""How often (ns) the progress of a first scan is a line where there is no terminal."""

_LOG: Final = logging.getLogger("predsurv.scan")


async def rescan(config: Config, venues: Mapping[VenueName, Venue], name: VenueName) -> ListedUniverse:
    """Scan the venue ``name`` and write its universe file; raises TransientError. Cancelling it ends the scan."""
    try:
        async with asyncio.timeout(SCAN_SECONDS_MAX):
            outcome = await _scan(config, venues[name] if config.mock.enabled else None, name, BESIDE)
    except TimeoutError:
        raise TransientError(f"its list was not read within {SCAN_SECONDS_MAX // 60} minutes") from None
    return _listed(config, outcome)


def all_listed(config: Config, venues: Sequence[Venue]) -> bool:
    """Return whether each of the venues has a universe, so that ``scan_missing`` has nothing to do."""
    return all(latest_universe(config.data_dir, venue.name) is not None for venue in venues)


async def scan_missing(config: Config, venues: Sequence[Venue], clock: Clock) -> None:
    """Scan each of the venues that has no universe yet, showing progress on stderr.

    Raises TransientError when a list cannot be read in time, ConfigError when no market of it is within the limits.
    """
    missing = [venue for venue in venues if latest_universe(config.data_dir, venue.name) is None]
    if not missing:
        return
    names = ", ".join(venue.name for venue in missing)
    _LOG.info("no list of the markets of %s in %s yet: scanning first", names, config.data_dir)
    with _progress(clock) as update:
        results = await asyncio.gather(*(_first_scan(config, venue, update) for venue in missing))
    if failed := [failure for failure in results if failure is not None]:
        raise TransientError("; ".join(failed) + "; nothing can be recorded without the list: try 'predsurv doctor'")


async def _first_scan(config: Config, venue: Venue, update: OnProgress) -> str | None:
    """Return why the scan failed, None when it did not; raises ConfigError when the limits leave nothing."""
    try:
        async with asyncio.timeout(FIRST_SCAN_SECONDS_MAX):
            outcome = await _scan(config, venue if config.mock.enabled else None, venue.name, ALONE, update)
    except TimeoutError:
        return f"{venue.name}: its list was not read within {FIRST_SCAN_SECONDS_MAX // 60} minutes"
    except TransientError as error:
        return f"{venue.name}: {error}"
    if outcome.scan is None or outcome.failure:
        return f"{venue.name}: {outcome.failure}"
    if outcome.scan.path is None:
        raise ConfigError(
            f"{venue.name}: no market is within the configured limits; see 'predsurv config show' for them"
        )
    _LOG.info("%s: %d markets are listed in %s", venue.name, outcome.scan.totals.markets, outcome.scan.path)
    return None


async def _scan(
    config: Config, running: Venue | None, name: VenueName, manner: ScanManner, update: OnProgress = lambda _: None
) -> ScanOutcome:
    """Scan the ``running`` venue here, or with None the venue ``name`` in a process of its own."""
    if running is None:
        return await scan_in_process(config, name, manner, update)
    job = scan_job(config, [name], NO_LIMITS, SystemClock())._replace(progress=update)
    (result,) = await scan_venues([running], job)
    return ScanOutcome(result, result.failure or "")


def _listed(config: Config, outcome: ScanOutcome) -> ListedUniverse:
    if outcome.scan is None or outcome.scan.path is None:
        raise TransientError(outcome.failure or "no market is within the configured limits")
    query: MarketQuery = scan_job(config, [outcome.scan.venue], NO_LIMITS, SystemClock()).queries[outcome.scan.venue]
    return ListedUniverse(outcome.scan.path, whole=not query.limit)


@contextmanager
def _progress(clock: Clock) -> Iterator[OnProgress]:
    """Show progress: lines that are redrawn on a terminal, a log line now and then elsewhere."""
    due: dict[VenueName, int] = {}
    with progress_line() as show:

        def update(step: ScanProgress) -> None:
            show((step.venue, scan_line(step)))
            now = clock.monotonic()
            if now >= due.setdefault(step.venue, now + LINE_INTERVAL):
                due[step.venue] = now + LINE_INTERVAL
                _LOG.info("%s", scan_line(step))

        yield update
