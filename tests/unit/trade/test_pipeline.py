"""Time alone ends trading: ticks drive the simulated broker and the engine where no event comes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, MarketEvent, OrderCancelled, VenuePhase
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelIntent, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.engine import Engine
from predsurv.engine.fills.latencies import Latencies
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import Step
from predsurv.net.clock import ManualClock
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.trade.journal import OrderJournal
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from predsurv.trade.pipeline import TICK, EventPipeline, RunComponents
from predsurv.trade.stats import RunStats
from tests.kit.trading_samples import LIMITS, ME, MS, START, S, book, delta, intent, market, trade

KALSHI = VenueName("kalshi")
CLOSE = START + 10 * S


class Quoter:
    """Wants a bid at 45, or what it is given, at every book event."""

    name = ME
    signals = frozenset({"test"})
    interest = EVERYTHING

    def __init__(self, wanted: Intent) -> None:
        self.wanted = wanted

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        return [self.wanted] if isinstance(event, BookSnapshot | BookDelta) else []


class Run:
    """A paper run on one Kalshi market that closes at ``CLOSE``; keeps what happened."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.market: Market = market(venue=KALSHI, close_time=CLOSE, min_order_size=10_000, **changes)
        self.key = self.market.key(0)
        cache = MarketCache({KALSHI})
        cache.add(self.market)
        account = TradingAccount({KALSHI: Money(1_000 * MICROS)})
        wanted = intent(price=45, key=self.key, tif="gtc")
        self.engine = Engine(run="run", limits=LIMITS, strategies=[Quoter(wanted)], cache=cache, account=account)
        self.stats = RunStats()
        self.happened: list[Event] = []
        broker = PaperBroker(
            PaperSettings(KALSHI, Latencies(send=100 * MS)), cache, Portfolio({KALSHI: Money(1_000 * MICROS)})
        )
        components = RunComponents(
            engine=self.engine,
            journal=OrderJournal(folder / "journal.db", durable=False),
            stats=self.stats,
            brokers={KALSHI: broker},
            clock=ManualClock(START),
            halt=None,
            realtime=False,
        )
        self.pipeline = EventPipeline(components, self._keep)

    def _keep(self, event: Event, step: Step) -> None:
        if step.booked:
            self.happened.append(event)

    async def see(self, *events: MarketEvent) -> None:
        batch: Sequence[MarketEvent] = events
        await self.pipeline.process_batch(batch)

    @property
    def refusals(self) -> dict[str, int]:
        return dict(self.stats.of(ME).refusals)


async def test_a_resting_order_is_cancelled_at_the_close_by_ticks_alone(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.see(book(key=run.key))
    await run.pipeline.tick_until(CLOSE + 2 * TICK)
    (cancelled,) = [each for each in run.happened if isinstance(each, OrderCancelled)]
    assert (cancelled.reason, cancelled.ts_recv) == ("market_closed", CLOSE)
    assert run.engine.account.orders.live_count() == 0


async def test_nothing_is_sent_after_the_close_and_dead_quotes_fill_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.see(book(key=run.key))
    late = book(bids=(), asks=((1, 1_000),), key=run.key, ts=CLOSE + 5 * S)
    await run.see(late, trade(1, 1_000, ts=CLOSE + 6 * S, key=run.key))
    assert not [each for each in run.happened if isinstance(each, Fill)]
    assert run.refusals == {"market_closed": 1}


async def test_a_recording_that_begins_after_every_close_gives_no_order(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.see(book(key=run.key, ts=CLOSE + S), delta("ask", 52, 100, CLOSE + 2 * S, run.key))
    assert run.happened == []
    assert run.refusals == {"market_closed": 2}
    assert run.engine.account.placed == 0


async def test_a_pause_of_the_venue_holds_what_rests_and_refuses_the_rest(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.see(book(bids=((40, 100),), key=run.key), VenuePhase(KALSHI, START + S, None, "cancel_only", "{}"))
    await run.see(delta("ask", 44, 500, START + 2 * S, run.key), trade(40, 500, ts=START + 3 * S, key=run.key))
    assert not [each for each in run.happened if isinstance(each, Fill)]
    assert run.refusals == {"venue_paused": 1}
    assert run.engine.account.orders.live_count() == 1
    await run.see(VenuePhase(KALSHI, START + 4 * S, None, "open", "{}"))
    await run.see(trade(44, 4, ts=START + 5 * S, key=run.key))
    assert len([each for each in run.happened if isinstance(each, Fill)]) == 1


async def test_fills_at_an_assumed_fee_say_so(tmp_path: Path) -> None:
    run = Run(tmp_path, assumed=("fee",))
    await run.see(book(key=run.key))
    await run.see(trade(44, 4, ts=START + S, key=run.key), trade(44, 2, ts=START + 2 * S, key=run.key))
    assert [each.fee_assumed for each in run.happened if isinstance(each, Fill)] == [True, True]
