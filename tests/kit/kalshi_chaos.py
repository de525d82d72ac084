"""Run the real Kalshi adapter against a simulated Kalshi that misbehaves, and judge what it says."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, Connected, Gap, MarketEvent, MarketResolved, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage
from predsurv.ports import Clock, Feed
from predsurv.simulate.fault_log import InjectedFault
from predsurv.state.book import Book
from predsurv.state.coverage import CoverageReducer
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.given_clock import GivenClock
from tests.kit.simulated_kalshi import SimulatedKalshi, key

S = 1_000_000_000

LOOK_EVERY_S = 5.0

QUIET_S = 0.4

QUIET_POLLED_S = 6.0
"""Longer than asking for all books takes without a key."""

QUIET_MAX_S = 15.0

RECOVER_S = 60.0

NOTICE_NS = 45 * S
"""A connection that froze is found dead after 15 s of silence and 10 s without an answer."""

DEAD = frozenset({"disconnect", "stall"})

HARMLESS = frozenset({"unknown", "error26"})


class Judge:
    """Keeps the books a feed tells of, and account of its gaps."""

    def __init__(self, keys: Iterable[InstrumentKey], now: int, *, polled: bool) -> None:
        self.books = {each: Book(each) for each in keys}
        self.coverage = CoverageReducer("polled" if polled else "live")
        self.closed: list[Coverage] = []
        self.counts: Counter[str] = Counter()
        self.recoveries: list[tuple[int, str]] = []
        self.wrong: list[str] = []
        self.looked = 0
        self._settled: set[str] = set()
        self._since: dict[InstrumentKey, tuple[int, str]] = {}
        self._connected = 0
        for each in self.books:
            self.closed += self.coverage.want(Wanted(each, now), None)

    def take(self, batch: Iterable[MarketEvent]) -> None:
        """Take in what the feed said."""
        for event in batch:
            self.counts[type(event).__name__] += 1
            self.closed += self.coverage.apply(event)
            if isinstance(event, BookDelta):
                self.books[event.key].apply(event)
            elif isinstance(event, Gap):
                self.counts[event.reason] += 1
                self.books[event.key].apply(event)
                if event.reason in DEAD or event.key not in self._since:
                    self._since[event.key] = (event.ts_recv, event.reason)
            elif isinstance(event, BookSnapshot):
                self._whole(event)
            elif isinstance(event, Connected):
                self._connected = event.ts_recv
            elif isinstance(event, MarketResolved):
                self._settled.add(event.market_id)

    def _whole(self, book: BookSnapshot) -> None:
        self.books[book.key].apply(book)
        since = self._since.pop(book.key, None)
        if since is not None:
            # What a dead link costs counts from when there is a link again.
            begun = max(since[0], self._connected) if since[1] in DEAD else since[0]
            self.recoveries.append((book.ts_recv - begun, since[1]))

    def untrusted(self) -> int:
        """Return how many books are not trusted, of markets that have one: settled ones have none any more."""
        return sum(not book.trusted for each, book in self.books.items() if each.market_id not in self._settled)

    def look(self, simulated: SimulatedKalshi, stale: frozenset[str]) -> None:
        """Compare every trusted book with the true one, but for the ``stale`` tickers."""
        for each, book in self.books.items():
            if book.trusted and each.market_id not in stale:
                self.looked += 1
                if not simulated.is_exact(book):
                    self.wrong.append(str(each))

    def untold(self, deeds: Iterable[InjectedFault]) -> list[InjectedFault]:
        """Return the outages during or after which no gap was told of any of their markets."""
        gaps: dict[str, list[Coverage]] = {}
        for row in self.closed:
            if row.state == "gap":
                gaps.setdefault(row.key.market_id, []).append(row)
        return [
            deed
            for deed in deeds
            if deed.tokens
            and deed.kind not in HARMLESS
            and not any(
                row.start <= deed.start + NOTICE_NS and row.end >= deed.start - S
                for token in deed.tokens
                for row in gaps.get(token, ())
            )
        ]


async def listen(feed: Feed, judge: Judge) -> None:
    """Judge what the feed says."""
    async for batch in feed.batches():
        judge.take(batch)


async def rest(simulated: SimulatedKalshi, judge: Judge, quiet_s: float = QUIET_S) -> None:
    """Stop the venue until everything has arrived, compare, and go on."""
    await simulated.pause()
    began, count = time.monotonic(), -1
    while count != judge.counts.total() and time.monotonic() - began < QUIET_MAX_S:
        count = judge.counts.total()
        await asyncio.sleep(quiet_s)  # real time: what is on its way is in the machine's queues
    members = simulated.server.app.clients.values()
    # A frame that was lost is missed by its number when the next one arrives, and there is none while the venue rests.
    stale = frozenset(
        ticker
        for each in members
        if each.session.faults.frozen or each.session.faults.unnoticed
        for ticker in each.session.tickers()
    )
    judge.look(simulated, stale)
    simulated.resume()


class ChaosSettings(Struct, frozen=True):
    """How long to run, and what the simulated venue does; ``keyless`` polls instead of streaming.

    ``speed``: how many times as fast as real time all clocks run.
    """

    seconds: float
    rate: int
    markets: int
    tickers: int
    faults: str
    seed: int
    keyless: bool = False
    speed: int = 1


class ChaosReport(Struct, frozen=True):
    """Figures in words, and whether nothing was wrong."""

    lines: tuple[str, ...]
    good: bool


async def chaos(args: ChaosSettings) -> ChaosReport:
    """Run, compare, and report."""
    with tempfile.TemporaryDirectory() as folder:
        simulated = SimulatedKalshi(
            Path(folder),
            markets=args.markets,
            rate=args.rate,
            faults=args.faults,
            seed=args.seed,
            clock=GivenClock(factor=args.speed),
        )
        await simulated.start()
        venue = simulated.venue(keyed=not args.keyless, policy=StreamPolicy(), rand=random.Random(args.seed).random)
        feed, quiet = venue.feed(), QUIET_POLLED_S if args.keyless else QUIET_S
        keys = [key(ticker) for ticker in [*simulated.server.markets.listed][: args.tickers]]
        judge = Judge(keys, simulated.clock.now(), polled=args.keyless)
        listening = asyncio.create_task(listen(feed, judge))
        await feed.watch(frozenset(keys))
        clock, look_every = simulated.clock, round(LOOK_EVERY_S * S)
        cpu, began = time.process_time(), clock.monotonic()
        while clock.monotonic() - began < args.seconds * S and not listening.done():
            await clock.sleep(look_every)
            await rest(simulated, judge, quiet)
        cpu, ran = time.process_time() - cpu, (clock.monotonic() - began) / S
        simulated.server.stop_faults()
        untrusted = await recover(judge, clock)
        await rest(simulated, judge, quiet)
        judge.closed += judge.coverage.cut(simulated.clock.now())
        await feed.aclose()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await venue.aclose()
        await simulated.aclose()
    return report(judge, simulated.server.fault_log.faults, (ran, cpu, untrusted))


async def recover(judge: Judge, clock: Clock) -> int:
    """Wait until every book is trusted; return how many are not in the end."""
    for _ in range(int(RECOVER_S / QUIET_S)):
        if not judge.untrusted():
            break
        await clock.sleep(round(QUIET_S * S))
    return judge.untrusted()


def report(judge: Judge, deeds: list[InjectedFault], spent: tuple[float, float, int]) -> ChaosReport:
    """Return the verdict; ``spent`` is seconds, seconds of CPU, and how many books are not trusted in the end."""
    ran, cpu, untrusted = spent
    kinds = Counter(deed.kind for deed in deeds)
    untold = judge.untold(deeds)
    recoveries = sorted(judge.recoveries)
    p99 = recoveries[len(recoveries) * 99 // 100][0] / 1e9 if recoveries else 0.0
    median = recoveries[len(recoveries) // 2][0] / 1e9 if recoveries else 0.0
    slow = Counter((reason, f"{took / 1e9:.0f} s") for took, reason in recoveries if took > 3e9)
    lines = (
        f"{ran:.0f} s, {judge.counts['BookDelta'] / ran:,.0f} changes/s, {cpu / ran:.0%} of a core for both sides",
        "events: " + ", ".join(f"{name} {count:,}" for name, count in judge.counts.most_common()),
        f"{kinds.total():,} faults: " + ", ".join(f"{name} {count}" for name, count in kinds.most_common()),
        f"trusted books compared {judge.looked:,} times: {len(judge.wrong)} wrong {judge.wrong[:5]}",
        f"outages without a gap: {len(untold)} {[(deed.kind, deed.link) for deed in untold[:5]]}",
        f"recoveries {len(recoveries):,}: median {median:.2f} s, p99 {p99:.2f} s; over 3 s: {dict(slow)}",
        f"not trusted in the end: {untrusted}",
    )
    return ChaosReport(lines, not (judge.wrong or untold or untrusted or p99 > 5))
