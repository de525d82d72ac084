"""A live run in a process of its own, that tells what it takes the account for and can be killed at a named moment."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from msgspec import Struct

from predsurv.config import Config, load
from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    FillConfirmed,
    FillFailed,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName, VenueName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelIntent, CancelOrder, Decision, Intent, Order, PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.interest import EVERYTHING
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import MarketQuery
from predsurv.state.view import View
from predsurv.store.universe import latest_universe, read_universe
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade import engine_parts
from predsurv.trade.assembly import FundedAccount, LiveSource, open_live
from predsurv.trade.journal import (
    AccountCorrected,
    AccountUpdated,
    CommandSent,
    Entry,
    OrderJournal,
    OrderNamed,
    RunStarted,
)
from predsurv.trade.live.live_account import LiveAccount
from predsurv.trade.pipeline import RunObserver
from predsurv.trade.session import TradingSession
from predsurv.venues.registry import open_account, open_venue
from tests.kit.paper_runs import Recorder
from tests.kit.patient_clocks import tolerate_wrong_clocks

LASTS: Final = 7_200 * 10**9
"""A market that goes on for so long (ns) does not end within a test."""
CANCELS_MAX: Final = 3
"""How often an order is asked to be cancelled at most."""
WIDE: Final = {
    "risk.max_orders_per_minute": 10_000,
    "risk.max_open_orders": 1_000,
    "risk.max_order_notional": "1000000",
    "risk.max_position_notional": "1000000",
    "risk.max_total_exposure": "1000000",
    "risk.max_daily_loss": "1000000",
    "risk.price_collar": "0.5",
    "risk.max_data_age": "60s",
}
"""Limits that stop nothing."""


class ProofPlan(NamedTuple):
    """What a proof does: on which venues, how often, and how it is drawn."""

    venues: Sequence[str]
    rounds: int
    seed: int


class AccountHere(Struct, frozen=True, array_like=True):
    """What a trader takes its account for, in micros: ``open`` by the venue's id, ``corrections`` of the whole journal.

    ``unknown``: orders of which it does not know whether they are open.
    """

    cash: int
    shares: dict[str, int]
    open: dict[str, int]
    unknown: list[str]
    corrections: list[str]


def account_here(venue: VenueName, account: TradingAccount, entries: Sequence[Entry]) -> AccountHere:
    """Return what is here of a venue."""
    live = [each for each in account.orders.live() if each.key.venue == venue]
    corrections = [repr(each.event) for each in entries if isinstance(each, AccountCorrected)]
    return AccountHere(
        account.portfolio.cash(venue),
        {each.key.instrument_id: each.size for each in account.portfolio.positions.totals() if each.size},
        {str(each.order_id): each.remaining for each in live if each.state == "open"},
        [each.client_order_id for each in live if each.state != "open"],
        corrections,
    )


def live_config(folder: Path, environ: Mapping[str, str], **flags: object) -> Config:
    """A configuration for a live run at a simulated venue, its data in ``folder``."""
    given = {"data_dir": str(folder), "trading.mode": "live", **WIDE, **flags}
    return load(None, flags=given, environ=environ, root=folder).config


async def scan(config: Config, name: str) -> None:
    """Write a universe of those open markets that do not end soon."""
    clock, written = SystemClock(), 0
    venue, soon = open_venue(name, config, clock), clock.now() + LASTS
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            if market.close_time is None or market.close_time > soon:
                writer.write(market)
                written += 1
        writer.commit()
    assert written, "of the few markets all end soon"
    await venue.aclose()


@asynccontextmanager
async def live_session(
    name: str, config: Config, strategy: object, observer: RunObserver | None = None
) -> AsyncIterator[TradingSession]:
    """A live run of one strategy, ready to start; the key is in the environment."""
    engine_parts.build = lambda *_: (strategy,)  # type: ignore[assignment, attr-defined]
    clock = SystemClock()
    venue = open_venue(name, config, clock)
    account = await open_account(name, config, clock)
    state = await account.reader.account(clock.now(), ())
    source = LiveSource({venue.name: FundedAccount(account, state.cash)}, clock, system_random)
    session = open_live(config, [venue], source, lambda _: observer or Recorder())
    try:
        yield session
    finally:
        session.close()
        await account.aclose()
        await venue.aclose()


def listed(config: Config, name: str) -> frozenset[str]:
    """Return the markets of the newest universe."""
    path = latest_universe(config.data_dir, VenueName(name))
    assert path is not None
    return frozenset(market.market_id for market in read_universe(path))


class LifeOfOrders:
    """Leads orders in ``markets`` through all that can happen to them; without ``cancels`` they rest until they end."""

    signals = frozenset({"test"})
    interest = EVERYTHING

    def __init__(self, seed: int, markets: AbstractSet[str], *, most: int = 4, cancels: bool = True) -> None:
        self.name = StrategyName("life_of_orders")
        self._rand, self._markets, self._most, self._cancels = random.Random(seed), markets, most, cancels
        self._asked = Counter[ClientOrderId]()

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        if not isinstance(event, BookSnapshot | BookDelta) or event.key.market_id not in self._markets:
            return ()
        found: list[Decision] = []
        mine = view.open_orders(self.name)
        resting = [each for each in mine if each.state == "open" and self._asked[each.client_order_id] < CANCELS_MAX]
        if resting and self._cancels and self._rand.random() < 0.3:
            name = self._rand.choice(resting).client_order_id
            self._asked[name] += 1
            found.append(CancelIntent(self.name, name, "test"))
        if len(mine) < self._most:
            found += self._order(event.key, view, mine)
        return found

    def _order(self, key: InstrumentKey, view: View, mine: Sequence[Order]) -> Sequence[Decision]:
        book = view.book(key)
        bid, ask = (None, None) if book is None else (book.best_bid(), book.best_ask())
        if bid is None or ask is None or not 150_000 < bid[0] < ask[0] < 850_000 or any(o.key == key for o in mine):
            return ()
        if not self._cancels:
            return [Intent(self.name, key, "buy", Price(bid[0] - 100_000), Size(10 * MICROS), "gtc", "test")]
        held, drawn = view.position(key), self._rand.random()
        if held is not None and held.size >= 20 * MICROS and drawn < 0.5:
            price, tif = (bid[0], "ioc") if drawn < 0.2 else (ask[0], "gtc")
            size = Size(held.size // (2 * MICROS) * MICROS)
            return [Intent(self.name, key, "sell", price, size, tif, "test")]  # type: ignore[arg-type]
        if drawn < 0.35:
            return [Intent(self.name, key, "buy", ask[0], Size(10 * MICROS), "ioc", "test")]
        if drawn < 0.7:  # more than is there: a part rests
            more = Size(ask[1] // MICROS * MICROS + 15 * MICROS)
            return [Intent(self.name, key, "buy", ask[0], min(more, Size(400 * MICROS)), "gtc", "test")]
        ladder = (bid[0], bid[0] - 10_000) if drawn > 0.85 else (bid[0],)  # two at once leave in one request
        return [Intent(self.name, key, "buy", Price(each), Size(25 * MICROS), "gtc", "test") for each in ladder]


class Labels:
    """Names journal entries by the step of an order's life that they are."""

    def __init__(self) -> None:
        self._left: dict[ClientOrderId, int] = {}

    def of(self, entry: Entry) -> str:
        """Return the name, "" for none."""
        match entry:
            case RunStarted():
                return "run"
            case OrderNamed():
                return "named"
            case CommandSent():
                return self._command(entry.decision.approved.command)
            case AccountUpdated():
                return self._event(entry.event)
            case _:
                return ""

    def _command(self, command: PlaceOrder | CancelOrder) -> str:
        if isinstance(command, CancelOrder):
            return "cancel"
        self._left[command.client_order_id] = command.size
        return "place"

    def _event(self, event: AccountEvent) -> str:
        if isinstance(event, Fill):
            left = self._left[event.client_order_id] = self._left.get(event.client_order_id, event.size) - event.size
            return "partly filled" if left > 0 else "filled"
        return _EVENTS.get(type(event), "")


_EVENTS: Final[Mapping[type, str]] = {
    OrderAccepted: "accepted",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnknown: "unknown",
    FillConfirmed: "confirmed",
    FillFailed: "failed",
}


class TraderTask(Struct, frozen=True):
    """What a trader is to do. ``crash``: the journal entry at which it kills itself, "" for none; ``before`` that is
    stored or after; only once it was told to go on, except for the start of the run.
    """

    venue: str
    folder: str
    environ: Mapping[str, str]
    seed: int
    crash: str = ""
    before: bool = False
    skip: int = 0
    cancels: bool = True


def run_trader(task: TraderTask, told: Connection) -> None:
    """Trade until killed, or until ``told`` anything after the go-ahead: then end in good order."""
    os.environ.update(task.environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tolerate_wrong_clocks(pytest.MonkeyPatch())  # of this process, which trades and ends
    going: list[bool] = []
    if task.crash:
        _crash_at(task, going)
    asyncio.run(_trade(task, told, going))


async def _trade(task: TraderTask, told: Connection, going: list[bool]) -> None:
    config = live_config(Path(task.folder), task.environ)
    strategy = LifeOfOrders(task.seed, listed(config, task.venue), cancels=task.cancels)
    words = asyncio.Queue[object]()
    asyncio.get_running_loop().add_reader(told.fileno(), lambda: words.put_nowait(_next(told)))
    async with live_session(task.venue, config, strategy) as run:
        started, gone = LiveAccount.start, asyncio.Event()

        def tell() -> None:
            told.send(account_here(VenueName(task.venue), run.engine.account, [*run.journal.entries()]))

        async def start(self: LiveAccount) -> None:
            await started(self)
            tell()
            await words.get()
            going.append(True)
            gone.set()

        async def stop() -> None:
            await gone.wait()
            await words.get()

        LiveAccount.start = start  # type: ignore[method-assign]
        running, stopping = asyncio.create_task(run.runner.run()), asyncio.create_task(stop())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        run.runner.stop()
        await running
        tell()
        run.finish(SystemClock().now(), complete=True)


def _next(told: Connection) -> object:
    """Return the next word of who started this; nobody is there any more: this process has no business either."""
    try:
        return told.recv()
    except EOFError:
        os._exit(1)


def _crash_at(task: TraderTask, going: Sequence[bool]) -> None:
    append, flush, labels = OrderJournal.append, OrderJournal.flush, Labels()
    seen, due = [0], [False]

    def crashing_append(self: OrderJournal, entry: Entry) -> None:
        hit = labels.of(entry) == task.crash and (bool(going) or task.crash == "run")
        seen[0] += hit
        hit = hit and seen[0] > task.skip
        if hit and task.before:
            die()
        append(self, entry)
        due[0] = due[0] or hit

    def crashing_flush(self: OrderJournal) -> None:
        flush(self)
        if due[0]:
            die()

    OrderJournal.append = crashing_append  # type: ignore[method-assign]
    OrderJournal.flush = crashing_flush  # type: ignore[method-assign]


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


_OPENINGS: Final = tuple(f"predsurv.venues.{venue}.execution.opening" for venue in ("polymarket", "kalshi"))


def forking() -> Any:
    """Return a context whose processes are forked from one that has imported everything."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([__name__, *_OPENINGS])
    return made
