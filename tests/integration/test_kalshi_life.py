"""What the venue says of itself and of new markets reaches both feeds: pauses, births, trades without a key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade, VenuePhase
from predsurv.ports import Feed, MarketQuery, Phased
from predsurv.state.market_facts import MarketTimeline
from predsurv.venues.kalshi import exchange_status, market_lookup, market_updates, trade_poller
from tests.kit.patience import PATIENCE_S
from tests.kit.simulated_kalshi import SimulatedKalshi

MS = 1_000_000
S = 1_000 * MS


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask more often than of the real venue."""
    monkeypatch.setattr(exchange_status, "STATUS_INTERVAL", 100 * MS)
    monkeypatch.setattr(market_updates, "UPDATES_INTERVAL", 300 * MS)
    monkeypatch.setattr(market_lookup, "LOOKUP_INTERVAL", 100 * MS)
    monkeypatch.setattr(trade_poller, "TRADES_INTERVAL", 300 * MS)


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[SimulatedKalshi]:
    running = SimulatedKalshi(tmp_path, rate=1_000, markets=60)
    await running.start()
    yield running
    await running.aclose()


class Reader:
    """Reads a feed until something has happened."""

    def __init__(self, feed: Feed) -> None:
        self.events: list[MarketEvent] = []
        self._feed = feed
        self._batches = feed.batches()

    async def until(self, reached: Callable[[Sequence[MarketEvent]], bool]) -> list[MarketEvent]:
        """Return the events up to the batch with which ``reached`` is true of them."""
        seen: list[MarketEvent] = []
        async with asyncio.timeout(PATIENCE_S):
            async for batch in self._batches:
                seen += batch
                if reached(seen):
                    break
        self.events += seen
        return seen

    async def aclose(self) -> None:
        await self._feed.aclose()


def phase_is(phase: str) -> Callable[[Sequence[MarketEvent]], bool]:
    return lambda events: any(isinstance(event, VenuePhase) and event.phase == phase for event in events)


def moves(events: Sequence[MarketEvent]) -> int:
    return sum(isinstance(event, BookDelta | Trade) for event in events)


@pytest.mark.parametrize("keyed", [True, False])
async def test_a_pause_of_the_exchange_is_heard_and_ends(simulated: SimulatedKalshi, keyed: bool) -> None:
    venue = simulated.venue(keyed=keyed)
    assert isinstance(venue, Phased)
    assert (await venue.current_phase()).phase == "open"
    reader, keys = Reader(feed := venue.feed()), simulated.busiest(20)
    await feed.watch(frozenset(keys))
    await reader.until(lambda events: moves(events) > 20)
    simulated.inject("pause", 9_000 * MS)
    began = simulated.clock.now()
    quiet = range(began + 5_000 * MS, began + 9_000 * MS)  # what was on its way has arrived by then
    await reader.until(phase_is("cancel_only"))
    assert (await venue.current_phase()).resumes is not None
    pause = await venue.next_pause()
    assert pause is not None
    assert pause.start <= simulated.clock.now() < pause.end
    paused = await reader.until(phase_is("open"))
    assert not moves([event for event in paused if event.ts_recv in quiet])
    await reader.until(lambda events: moves(events) > 20)
    await reader.aclose()
    await venue.aclose()


@pytest.mark.parametrize("keyed", [True, False])
async def test_a_market_born_while_recording_is_heard_of_whole_and_settles(
    simulated: SimulatedKalshi, keyed: bool
) -> None:
    known = set(simulated.server.markets.listed)
    venue = simulated.venue(keyed=keyed)
    async for _ in venue.catalog().markets(MarketQuery()):
        pass
    reader = Reader(feed := venue.feed())
    await feed.watch(frozenset(simulated.busiest(5)))

    def born(events: Sequence[MarketEvent]) -> set[str]:
        changes = [event for event in events if isinstance(event, MarketChange) and event.market_id not in known]
        whole = [event.market for event in changes if event.market is not None]
        return {market.market_id for market in whole if market.status == "active" and "fee" not in market.assumed}

    await reader.until(lambda events: bool(born(events)))
    assert born(reader.events) <= set(simulated.server.markets.listed)
    settled = [event for event in reader.events if isinstance(event, MarketResolved)]
    if not settled:
        await reader.until(lambda events: any(isinstance(event, MarketResolved) for event in events))
    await reader.aclose()
    await venue.aclose()


async def test_polled_trades_are_those_of_the_venue(simulated: SimulatedKalshi) -> None:
    venue = simulated.venue(keyed=False)
    assert venue.traits.trades == "polled"
    reader, keys = Reader(feed := venue.feed()), simulated.busiest(30)
    await feed.watch(frozenset(keys))
    await reader.until(lambda events: sum(isinstance(event, Trade) for event in events) > 20)
    simulated.inject("rest500", 1_500 * MS)
    await asyncio.sleep(1)
    await simulated.pause()
    tickers = {key.market_id for key in keys}

    def told() -> list[str]:
        return [str(event.trade_id) for event in reader.events if isinstance(event, Trade)]

    made = [str(row["trade_id"]) for row in simulated.server.markets.trades if row["market_ticker"] in tickers]
    made.reverse()
    last = made[-1]
    if last not in told():
        await reader.until(lambda events: any(isinstance(e, Trade) and e.trade_id == last for e in events))
    assert told() == made[made.index(told()[0]) :], "each once, in order, those of the outage included"
    await reader.aclose()
    await venue.aclose()


@pytest.mark.parametrize("keyed", [True, False])
async def test_a_moved_close_time_and_a_fee_to_come_are_facts_of_both_feeds(
    simulated: SimulatedKalshi, keyed: bool
) -> None:
    watched = simulated.busiest(3)[0]
    markets, now = simulated.server.markets, simulated.clock.now()
    close_time = (now // S + 7_200) * S
    market_of = MarketTimeline()
    markets.fee_changes.append(
        {
            "series_ticker": markets.listed[watched.market_id].series,
            "fee_type": "quadratic_with_maker_fees",
            "fee_multiplier": 2,
            "scheduled_ts": datetime.fromtimestamp(now // S + 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    venue = simulated.venue(keyed=keyed)
    async for market in venue.catalog().markets(MarketQuery()):
        if market.market_id == watched.market_id:
            market_of.add(MarketChange(venue.name, market.market_id, None, now, None, "listed", "", market=market))
    reader = Reader(feed := venue.feed())
    await feed.watch(frozenset({watched}))
    await reader.until(lambda events: any(isinstance(event, BookSnapshot) for event in events))
    simulated.server.move_close(watched.market_id, close_time)

    def known(events: Sequence[MarketEvent]) -> bool:
        for event in events:
            if isinstance(event, MarketChange) and event.market_id == watched.market_id:
                market_of.add(event)
        later, soon = market_of.at(now + 4_000 * S), market_of.at(simulated.clock.now())
        return (
            later is not None
            and soon is not None
            and later.market.close_time == soon.market.close_time == close_time
            and (later.market.fee.rate, later.market.fee.maker_rate) == (140_000, 35_000)
            and soon.market.fee.rate <= 70_000
        )

    await reader.until(known)
    await reader.aclose()
    await venue.aclose()
