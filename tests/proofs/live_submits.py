"""Thousands of orders while everything goes wrong with the venue's answers: each is sent once, and its fate is found.

A whole live run in this process, beside the simulated venue that it trades on. Faults follow one another without end:
of the answers to orders and cancels, of the private channel, and at times of every reading as well.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest

from predsurv.core.events import Event, Fill, FillFailed, MarketEvent, OrderUnknown
from predsurv.core.ids import ClientOrderId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.orders import PlaceOrder
from predsurv.engine.step import Step
from predsurv.net.clock import SystemClock
from predsurv.trade.journal import AccountCorrected, AccountUpdated, CommandSent, Entry, OrderNamed
from predsurv.trade.session import TradingSession
from tests.kit.live_trader import (
    LifeOfOrders,
    ProofPlan,
    account_here,
    listed,
    live_config,
    live_session,
    scan,
)
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.trader_kills import made_dir, unequal
from tests.kit.watched_venues import TradedTotals, WatchedVenue, ordered_unread, watched

RESOLVED_WITHIN_S: Final = 15.0
LATE: Final = "late"
"""Orders are dropped as if they had not arrived, and carried out ``LATE_S`` later: long after they were given up."""
LATE_S: Final = 7.0
MS: Final = 1_000_000
FAULTS: Final[Mapping[str, Sequence[str]]] = {
    "polymarket": (
        *("orderlost", "orderreset", "order500", "order500done", "order429", "order425", "orderslow", "orderdelayed"),
        *("cancelonly", "postonly", "disabled", "tradefail", "userdrop", "userfreeze", "userduplicate", "rest500"),
        LATE,
    ),
    "kalshi": (
        *("orderlost", "orderreset", "order500", "order500done", "order429", "order408", "orderslow", "orderblank"),
        *("drop", "freeze", "duplicate", "rest500", "rest429", "restcut", "pause", "halt", LATE),
    ),
}
"""What goes wrong, one after the other; those that halt trading for good (401, 403) are left out."""
READS: Final = frozenset({"rest500", "rest429", "restcut"})
"""Faults of every request: while one lasts the venue does not answer."""


class Resolutions:
    """An observer that measures how long orders are unknown while the venue answers; times in ns, monotonic."""

    def __init__(self, session: TradingSession | None = None) -> None:
        self.session = session
        self.silent_until = 0
        self.lasted: list[int] = []
        self.sent = 0
        self._since: dict[ClientOrderId, int] = {}

    def on_turn(self) -> None:
        """Nothing is to be done."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Nothing is to be done."""

    def on_step(self, event: Event, step: Step) -> None:
        """Take note of what became unknown, and of what is not any more."""
        now = SystemClock().monotonic()
        self.sent += sum(isinstance(each.approved.command, PlaceOrder) for each in step.decisions)
        if isinstance(event, OrderUnknown):
            self._since.setdefault(event.client_order_id, now)
        orders = None if self.session is None else self.session.engine.account.orders
        for name in [*self._since] if orders is not None else ():
            known = orders.get(name) if orders is not None else None
            if known is None or known.state != "unknown":
                self.lasted.append(now - max(self._since.pop(name), min(self.silent_until, now)))

    @property
    def left(self) -> int:
        """The orders that are still unknown."""
        return len(self._since)


async def submitted(name: str, folder: Path, count: int, seed: int, ending: asyncio.Event) -> list[str]:
    """Send ``count`` orders under faults, or as many until ``ending``; return what was wrong."""
    venue = watched(name, folder, markets=100, rate=120, seed=seed)
    await venue.start()
    try:
        os.environ.update(venue.environ)
        config = live_config(folder, venue.environ)
        await scan(config, name)
        seen = Resolutions()
        strategy = LifeOfOrders(seed, listed(config, name), most=20)
        async with live_session(name, config, strategy, seen) as session:
            seen.session = session
            running = asyncio.create_task(session.runner.run())
            faulty = asyncio.create_task(_trouble(venue, seen, random.Random(seed)))
            while seen.sent < count and not running.done() and not ending.is_set():  # noqa: ASYNC110 - anything may send the last one
                await asyncio.sleep(0.2)
            faulty.cancel()
            await asyncio.gather(faulty, return_exceptions=True)
            await asyncio.sleep(12)  # what is unknown last has its time too
            session.runner.stop()
            await running
            entries = [*session.journal.entries()]
            here = account_here(VenueName(name), session.engine.account, entries)
            session.finish(SystemClock().now(), complete=True)
        await venue.pause()
        found = [f"{name} at the end: {each}" for each in unequal(here, venue.truth())]
        return found + judged(venue, entries, seen)
    finally:
        await venue.aclose()


async def _trouble(venue: WatchedVenue, seen: Resolutions, rand: random.Random) -> None:
    """Let one fault follow another, with some quiet between."""
    kinds = FAULTS[venue.name]
    while True:
        await asyncio.sleep(rand.uniform(0.2, 1.5))
        kind, lasts = rand.choice(kinds), rand.randrange(200, 2_000) * MS
        if kind == LATE:
            venue.witness.late_s = LATE_S
        else:
            venue.inject(kind, lasts)
        if kind in READS:
            seen.silent_until = SystemClock().monotonic() + lasts
        try:
            await asyncio.sleep(lasts / 1e9)
        finally:
            venue.witness.late_s = 0


def judged(venue: WatchedVenue, entries: Sequence[Entry], seen: Resolutions) -> list[str]:
    """Return what is wrong with what was sent, and print the figures."""
    places = [
        each.decision.approved.command
        for each in entries
        if isinstance(each, CommandSent) and isinstance(each.decision.approved.command, PlaceOrder)
    ]
    sent = venue.witness.sent("place")
    attempts = Counter(name for each in sent for name in _attempts(each.body))
    taken = venue.placed()
    ours = {str(each.client_order_id) for each in places} | {
        str(each.order_id) for each in entries if isinstance(each, OrderNamed)
    }
    found = [f"{venue.name}: sent {times} times: {name[:40]}" for name, times in attempts.items() if times > 1]
    found += [
        f"{venue.name}: {times} orders at the venue of one attempt: {name[:40]}"
        for name, times in Counter(taken.values()).items()
        if times > 1
    ]
    found += [f"{venue.name}: not in the journal: {name[:40]}" for name in taken.values() if name not in ours]
    found += [f"{venue.name}: {seen.left} orders are unknown for good"] if seen.left else []
    lasted = sorted(each / 1e9 for each in seen.lasted)
    if lasted and lasted[-1] > RESOLVED_WITHIN_S:
        found.append(f"{venue.name}: an order was unknown for {lasted[-1]:.1f} s")
    if left := ordered_unread(venue):
        found.append(f"{venue.name}: ordered before it had read {sorted(left)}")
    found += [f"{venue.name}: corrected {each.event}" for each in entries if isinstance(each, AccountCorrected)]
    found += _otherwise_traded(venue, entries)
    middle, most = (lasted[len(lasted) // 2], lasted[-1]) if lasted else (0.0, 0.0)
    late = lasted[len(lasted) * 99 // 100] if lasted else 0.0
    print(
        f"{venue.name}: {len(places)} orders decided, {attempts.total()} sent in {len(sent)} requests, "
        f"{len(taken)} taken; {len(lasted)} were unknown "
        f"for {middle:.2f} s (median), {late:.2f} s (99 %), {most:.2f} s at most: {len(found)} findings"
    )
    return found


def _otherwise_traded(venue: WatchedVenue, entries: Sequence[Entry]) -> list[str]:
    """Return the orders that traded otherwise, at the end, than the journal says."""
    events = [each.event for each in entries if isinstance(each, AccountUpdated)]
    failed = {(each.client_order_id, each.trade_id) for each in events if isinstance(each, FillFailed)}
    names = {str(each.client_order_id): str(each.order_id) for each in entries if isinstance(each, OrderNamed)}
    names |= {known_by: name for name, known_by in venue.placed().items()}
    here: dict[str, TradedTotals] = {}
    for fill in events:
        if isinstance(fill, Fill) and (fill.client_order_id, fill.trade_id) not in failed:
            name, is_turned = names[fill.client_order_id], fill.key.instrument_id.endswith(":no")
            price = MICROS - fill.price if is_turned else fill.price
            here[name] = here.get(name, TradedTotals()).plus(price, fill.size, fill.fee)
    there = venue.traded()
    return [
        f"{venue.name}: order {name[:20]} traded {here.get(name)} here, {there.get(name)} there"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def _attempts(body: bytes) -> list[str]:
    """Return what makes each attempt of a request one of its own: our id, or the signature of what was signed."""
    given = msgspec.json.decode(body)
    orders = given if isinstance(given, list) else given.get("orders", [given])
    return [str(each.get("client_order_id") or each["order"]["signature"]) for each in orders]


async def _submits(folder: Path, plan: ProofPlan) -> list[str]:
    found, ending = list[str](), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    for name in plan.venues:
        found += await submitted(name, made_dir(folder / name), plan.rounds, plan.seed, ending)
    return found


def submits(folder: Path, plan: ProofPlan) -> list[str]:
    """Send so many orders on each venue; return what was found."""
    with pytest.MonkeyPatch.context() as patch:
        tolerate_wrong_clocks(patch)
        return asyncio.run(_submits(folder, plan))
