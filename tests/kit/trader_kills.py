"""Kill a live trader at every step of an order's life, and compare what it takes its account for after the restart.

One account and one journal for all kills of a lane: each trader begins with what the killed one left, compares, tells
its account while the venue's time stands still, trades on, and is killed at the next point. The figures of both sides
have to be the same to the last unit, without any correction.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

from predsurv.simulate.server import ServerResponse
from tests.kit.live_trader import AccountHere, TraderTask, forking, live_config, run_trader, scan
from tests.kit.watched_venues import PrivateRequest, VenueTruth, WatchedVenue, ordered_unread, watched

PATIENCE_S: Final = 20
"""Seconds that a trader may take to reach its point before it is killed wherever it is."""
START_S: Final = 60
FAULT: Final = 4_000_000_000
"""How long (ns) a fault lasts that a point needs."""

_RESET: Final = ServerResponse(500, reset=True)


class KillPoint(NamedTuple):
    """Where a trader is killed: at a journal ``entry``, before or after it is stored, or at what the venue sees.

    ``fault``: what goes wrong at the venue meanwhile, so that it is reached.
    """

    name: str
    entry: str = ""
    before: bool = False
    request: str = ""
    when: str = ""
    fault: str = ""


def _stored(entry: str, fault: str = "") -> list[KillPoint]:
    return [
        KillPoint(f"{entry}, {name}", entry, name == "not stored", fault=fault) for name in ("not stored", "stored")
    ]


def _asked(request: str) -> list[KillPoint]:
    found = (("arrived", "arrived, not carried out"), ("done", "carried out, not answered"), ("answered", "answered"))
    return [KillPoint(f"{request}, {text}", request=request, when=when) for when, text in found]


_BOTH: Final = (
    KillPoint("run, stored", "run"),
    KillPoint("first comparison", request="balance", when="done"),
    *_stored("place"),
    *_asked("place"),
    *_stored("accepted"),
    *_stored("partly filled"),
    *_stored("filled"),
    *_stored("cancel"),
    *_asked("cancel"),
    *_stored("cancelled"),
    *_stored("unknown", "order500"),
    *_stored("rejected", "order429"),
    KillPoint("while trading", when="later"),
)
POINTS: Final = {
    "polymarket": (*_BOTH, *_stored("named"), *_stored("confirmed"), *_stored("failed", "tradefail")),
    "kalshi": (*_BOTH, KillPoint("amend, carried out, not answered", request="amend", when="done")),
}


class KillTally:
    """What the kills of a venue came to; ``found``: what was not equal."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.compared = self.orders = self.open = self.held = 0
        self.found: list[str] = []


class Lane:
    """One venue, one account, one journal, and the traders that are killed one after the other."""

    def __init__(
        self, venue: WatchedVenue, folder: Path, tally: KillTally, seed: int, scanning: asyncio.Lock | None = None
    ) -> None:
        self._venue, self._folder, self._tally = venue, folder, tally
        self._scanning = scanning or asyncio.Lock()
        self._rand, self._context = random.Random(seed), forking()
        self._corrections, self._is_missed = 0, False

    async def run(self, points: Sequence[KillPoint]) -> None:
        """Kill a trader at each point in turn, then let one end in good order."""
        await self._venue.start()
        try:
            async with self._scanning:  # the environment is that of the whole process
                with mock.patch.dict(os.environ, self._venue.environ):
                    await scan(live_config(self._folder, self._venue.environ), self._venue.name)
            for point in (*points, None):
                await self._cycle(point)
        finally:
            await self._venue.aclose()

    async def _cycle(self, point: KillPoint | None) -> None:
        """Let a trader compare, trade, and die at its point; without one it ends in good order."""
        witness = self._venue.witness
        start, self._is_missed = len(witness.requests), False
        await self._venue.pause()
        trader, here = self._begin(point)
        try:
            if point is not None and point.request == "balance":
                self._arm(trader, point)
            told = await told_by(here, trader)
            if told is not None:
                self._compare(told, point)
            await self._venue.resume()
            if told is not None:
                await self._go_on(trader, here, point)
        finally:
            trader.kill()
            await asyncio.to_thread(trader.join)
            here.close()
            witness.on_arrival, witness.on_answer = lambda _: None, lambda _, answer: answer
        if point is not None:
            self._count(trader.exitcode, point)
        if left := ordered_unread(self._venue, start):
            self._tally.found.append(f"{self._venue.name}: ordered before it had read {sorted(left)}")

    def _begin(self, point: KillPoint | None) -> tuple[Any, Connection]:
        here, there = self._context.Pipe()
        task = TraderTask(
            self._venue.name,
            str(self._folder),
            self._venue.environ,
            self._rand.randrange(1 << 30),
            crash="" if point is None else point.entry,
            before=point is not None and point.before,
            skip=self._skip(point),
            cancels=point is None or point.request != "amend",
        )
        trader = self._context.Process(target=run_trader, args=(task, there))
        trader.start()
        there.close()
        return trader, here

    def _skip(self, point: KillPoint | None) -> int:
        """Return how often a point is passed before the kill."""
        return 0 if point is None or point.fault or point.entry == "run" else self._rand.randrange(3)

    async def _go_on(self, trader: Any, here: Connection, point: KillPoint | None) -> None:
        """Let a trader that has compared trade until it is killed, or, without a point, end."""
        if point is not None and point.request and point.request != "balance":
            self._arm(trader, point)
        if point is not None and point.fault:
            self._venue.inject(point.fault, FAULT)
        here.send("go")
        if point is not None and point.when != "later":
            await asyncio.to_thread(trader.join, PATIENCE_S)
            self._is_missed = trader.exitcode is None
            return
        await asyncio.sleep(1 + self._rand.random())
        if point is not None:
            _kill(trader)
            return
        here.send("stop")
        last = await told_by(here, trader)
        await self._venue.pause()
        if last is None:
            self._tally.found.append(f"{self._venue.name}: the last run did not end in good order")
        else:
            self._compare(last, None)

    def _count(self, exit_code: int | None, point: KillPoint) -> None:
        """Count a kill where it was meant, and find whatever ended a trader before."""
        tally = self._tally
        if exit_code != -signal.SIGKILL:
            tally.found.append(f"{self._venue.name}: at {point.name} it ended with {exit_code}")
        (tally.missed if self._is_missed else tally.reached)[point.name] += 1

    def _arm(self, trader: Any, point: KillPoint) -> None:
        """Kill the trader when the venue sees what the point says."""
        witness, left = self._venue.witness, [self._rand.randrange(3) if point.request != "balance" else 0]

        def meets(request: PrivateRequest) -> bool:
            if request.what != point.request or trader.exitcode is not None:
                return False
            left[0] -= 1
            return left[0] < 0

        def arrival(request: PrivateRequest) -> ServerResponse | None:
            if point.when != "arrived" or not meets(request):
                return None
            _kill(trader)
            return _RESET

        def answer(request: PrivateRequest, response: ServerResponse) -> ServerResponse:
            if point.when == "arrived" or not meets(request):
                return response
            if point.when == "done":
                _kill(trader)
                return response._replace(reset=True)
            asyncio.get_running_loop().call_later(0.003 * self._rand.random(), lambda: _kill(trader))
            return response

        witness.on_arrival, witness.on_answer = arrival, answer

    def _compare(self, here: AccountHere, point: KillPoint | None) -> None:
        there, tally = self._venue.truth(), self._tally
        tally.compared += 1
        tally.open += len(there.open)
        tally.held += len(there.shares)
        tally.orders = len(self._venue.placed())
        at = "the end" if point is None else f"the start that is killed at {point.name!r}"
        tally.found += [f"{self._venue.name} at {at}: {each}" for each in unequal(here, there)]
        new = here.corrections[self._corrections :]
        self._corrections = len(here.corrections)
        tally.found += [f"{self._venue.name} at {at}: corrected {each}" for each in new]


def unequal(here: AccountHere, there: VenueTruth) -> list[str]:
    """Return what is not the same on both sides."""
    found = []
    if here.cash != there.cash:
        found.append(f"cash {here.cash} here, {there.cash} there ({here.cash - there.cash:+})")
    if here.shares != there.shares:
        names = {name for name in {*here.shares, *there.shares} if here.shares.get(name) != there.shares.get(name)}
        found += [
            f"shares of {name[:30]}: {here.shares.get(name)} here, {there.shares.get(name)} there" for name in names
        ]
    if here.open != there.open:
        found.append(f"open orders: {here.open} here, {dict(there.open)} there")
    if here.unknown:
        found.append(f"orders of which nobody knows: {here.unknown}")
    return found


async def told_by(here: Connection, trader: Any) -> AccountHere | None:
    """Return what the trader tells next, None when it ended before, or says nothing for too long."""
    for _ in range(START_S * 50):
        if here.poll():
            with suppress(EOFError):
                told = here.recv()
                assert isinstance(told, AccountHere)
                return told
            return None
        if trader.exitcode is not None:
            return None
        await asyncio.sleep(0.02)
    return None


def _kill(trader: Any) -> None:
    if trader.exitcode is None:
        with suppress(ProcessLookupError):
            os.kill(trader.pid, signal.SIGKILL)


async def killed(
    name: str, folder: Path, plan: Sequence[KillPoint], seed: int, scanning: asyncio.Lock | None = None
) -> KillTally:
    """Kill traders at the points of ``plan``, one after the other, on a venue with an account of its own.

    ``scanning`` is shared by all that are killed side by side in one process.
    """
    tally = KillTally()
    venue = watched(name, folder, markets=60, rate=200, seed=7 + seed % 5)
    await Lane(venue, folder, tally, seed, scanning).run(plan)
    return tally


def made_dir(folder: Path) -> Path:
    """Return a folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
