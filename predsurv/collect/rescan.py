"""Reading the venues' lists again while recording, so that a recorder that runs for months knows its venues.

The scan itself is the caller's and takes place elsewhere. What is here decides when, and lets the sessions learn what
the new universe file says, a slice at a time: the event loop has its turn between two slices.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.session import RecordingSession
from predsurv.collect.status import RescanStatus
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.events import MarketChange
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.ports import Clock
from predsurv.store.universe import latest_universe, read_universe

SLICE: Final = 100
"""Markets that are read and taken in without a pause."""

PAUSE: Final = 5_000_000
"""How long (ns) the reading pauses between two slices."""

FIRST_AFTER: Final = 5_000_000_000
"""How long (ns) after the start the first scan begins at the earliest."""

SECOND_LOOK: Final = 60_000_000_000
"""How old (ns) the newest universe file is when the lists are read again for the first time: what was born between the
scan and the first connection was announced to nobody."""

LISTING_LAG: Final = 5 * 60 * 1_000_000_000
"""A market that was stated less than this (ns) before a list was read is not missed in it: lists lag behind."""

_LOG: Final = logging.getLogger(__name__)


class ListedUniverse(Struct, frozen=True):
    """The universe file that a scan wrote. ``whole``: what the scan did not list is not listed, or not asked for."""

    path: Path
    whole: bool


ScanVenue = Callable[[VenueName], Awaitable[ListedUniverse]]
"""Reads a venue's list and writes its universe file; raises PredsurvError."""


class Rescanner:
    """Scans the venues of ``sessions`` every ``interval`` (ns), the first time once the newest file is a minute old."""

    def __init__(
        self,
        sessions: Sequence[RecordingSession],
        scan: ScanVenue,
        clock: Clock,
        *,
        interval: int,
        data_dir: Path,
    ) -> None:
        self.status = RescanStatus()
        self._sessions = sessions
        self._scan = scan
        self._clock = clock
        self._interval = interval
        self._data_dir = data_dir

    async def run(self) -> None:
        """Scan until cancelled; what fails is tried again with the next scan."""
        wait = max(FIRST_AFTER, min(self._interval, SECOND_LOOK) - self._age())
        while True:
            self.status = replace(self.status, due=self._clock.now() + wait, running=False)
            await self._clock.sleep(wait)
            began = self._clock.monotonic()
            self.status = replace(self.status, running=True)
            for session in self._sessions:
                await self._rescan(session)
            wait = max(FIRST_AFTER, self._interval - (self._clock.monotonic() - began))

    def _age(self) -> int:
        """Return how old (ns) the oldest of the venues' newest universe files is."""
        paths = [latest_universe(self._data_dir, session.venue.name) for session in self._sessions]
        written = [path.stat().st_mtime_ns for path in paths if path is not None]
        return max(0, self._clock.now() - min(written, default=0))

    async def _rescan(self, session: RecordingSession) -> None:
        name, began, before = session.venue.name, self._clock.now(), len(session.scheduler.candidates)
        try:
            found = await self._scan(name)
            news = await self._take_in(session, found, began)
        except (PredsurvError, OSError) as error:
            _LOG.warning("%s: the list could not be read again (%s); tried again with the next scan", name, error)
            self.status = replace(self.status, failed=self.status.failed + 1, trouble=f"{name}: {error}")
            return
        done, at = self.status.completed + 1, self._clock.now()
        self.status = replace(self.status, completed=done, last=at, news=self.status.news + news, trouble=None)
        after = len(session.scheduler.candidates)
        _LOG.info("%s: listed again: %d markets new or changed, %d candidates (%d before)", name, news, after, before)

    async def _take_in(self, session: RecordingSession, found: ListedUniverse, began: int) -> int:
        """Let the session learn what is listed and what is not any more; return the number of markets with news."""
        news, markets = 0, read_universe(found.path)
        while listed := await asyncio.to_thread(_next_listed, markets):
            if not session.recorder.watermark:
                raise TransientError("nothing was received yet")
            news += session.learn(map(_statement, listed))
            await self._clock.sleep(PAUSE)
        if found.whole:
            await self._remove_delisted(session, began - LISTING_LAG)
        return news

    async def _remove_delisted(self, session: RecordingSession, since: int) -> None:
        """Let the markets leave that nobody has stated since ``since`` (ns UTC), unless they are being recorded."""
        missed = iter(session.scheduler.candidates.stated_before(since))
        while some := list(islice(missed, SLICE)):
            recorded = {key.market_id for key in session.recorder.instruments}  # of their end the feed tells
            for market_id in some:
                if market_id not in recorded:
                    gone = session.scheduler.candidates.remove(market_id, over=False)
                    session.records += session.scheduler.let_go(gone)
            await self._clock.sleep(PAUSE)


def _next_listed(markets: Iterator[Market]) -> list[Market]:
    """Return the next slice of the markets that their list has."""
    return list(islice((market for market in markets if market.last_seen is None), SLICE))


def _statement(market: Market) -> MarketChange:
    return MarketChange(market.venue, market.market_id, None, market.fetched_at, None, "listed", "{}", market)
