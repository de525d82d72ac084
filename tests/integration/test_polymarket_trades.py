"""A market's trades from the wire to the recording and to a paper run: told on one token, on the other, or on both."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import structs

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import Config, load
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, complement
from predsurv.ports import MarketQuery
from predsurv.store.layout import Layout
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.read.replay import replay
from predsurv.store.read.verify import verify_recording
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import open_backtest, open_paper
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.collect_runs import column
from tests.kit.given_clock import GivenClock
from tests.kit.paper_runs import Recorder
from tests.kit.patience import until
from tests.kit.traded_polymarket import NO, YES, TradedPolymarket

MS = 1_000_000
POLICY = StreamPolicy(
    tick=20 * MS, handshake_interval=MS, backoff_base=20 * MS, backoff_cap=100 * MS, retries_per_minute=6_000
)
LAST = 77
"""The size that the offer at 55 cents has in the end."""

Telling = Callable[[TradedPolymarket], Awaitable[None]]


@pytest.fixture
async def server() -> AsyncIterator[TradedPolymarket]:
    async with TradedPolymarket() as made:
        yield made


async def scanned(
    data_dir: Path, server: TradedPolymarket, policy: StreamPolicy = POLICY, /, **flags: object
) -> tuple[Config, PolymarketVenue]:
    """Return the configuration of a data folder that has the venue's universe, and the venue."""
    urls = {f"venues.polymarket.{name}_url": f"http://{server.address}" for name in ("gamma", "clob", "data")}
    urls["venues.polymarket.ws_market_url"] = f"ws://{server.address}/ws/market"
    config = load(flags={"data_dir": str(data_dir), **urls, **flags}, environ={}).config
    clock = GivenClock()
    venue = PolymarketVenue(config, clock, lambda: 0.5, policy)
    with UniverseWriter(config.data_dir, VENUE, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            writer.write(market)
        writer.commit()
    return config, venue


async def record(
    data_dir: Path, server: TradedPolymarket, tell: Telling, policy: StreamPolicy = POLICY, /, **flags: object
) -> None:
    """Record what ``tell`` tells, all of it."""
    config, venue = await scanned(data_dir, server, policy, **flags)
    collector = Collector(config, [venue], GivenClock(), CollectorDeps())
    running = asyncio.create_task(collector.run())
    instruments = collector.sessions[0].recorder.instruments
    await until(lambda: instruments and all(each.book.trusted for each in instruments.values()))
    assert server.subscribed(YES)
    assert server.subscribed(NO)
    await tell(server)
    await server.change(55, LAST)
    await until(lambda: instruments[YES].book.asks.size_at(Price(550_000)) == LAST * MS)
    collector.stop()
    await running
    await venue.aclose()


async def ten_of_each(server: TradedPolymarket) -> None:
    """Tell ten trades of 20 shares on YES and ten of 30 on NO, each with what it leaves of the offer."""
    for number in range(10):
        await server.change(55, 1_000 - 20 * (number + 1))
        await server.trade(YES, 55, 20, transaction_hash=f"0x{number}a")
        await server.trade(NO, 55, 30, transaction_hash=f"0x{number}b")


async def ten_of_each_without_transactions(server: TradedPolymarket) -> None:
    """Tell the same trades as an older venue did."""
    for _ in range(10):
        await server.trade(YES, 55, 20)
        await server.trade(NO, 55, 30)


async def each_on_both(server: TradedPolymarket) -> None:
    """Tell the same trades on both tokens, and some of them twice: the first message is on the taker's token."""
    for number in range(10):
        for taken, other, size, letter in ((YES, NO, 20, "a"), (NO, YES, 30, "b")):
            facts = {"at": str(server.stamp + number), "transaction_hash": f"0x{number}{letter}"}
            await server.trade(taken, 55, size, **facts)
            await server.trade(other, 45, size, "SELL", **facts)
            if number % 3 == 0:
                await server.trade(other, 45, size, "SELL", **facts)
                await server.trade(taken, 55, size, **facts)


@pytest.mark.parametrize("tell", [ten_of_each, ten_of_each_without_transactions, each_on_both])
async def test_the_recording_holds_the_trades_of_both_tokens_each_once(
    tmp_path: Path, server: TradedPolymarket, tell: Telling
) -> None:
    await record(tmp_path, server, tell)
    rows = column(tmp_path, "trades", "instrument_id", "price", "size", "taker_side")
    assert Counter(rows) == {
        (YES.instrument_id, 0.55, 20.0, "buy"): 10,
        (NO.instrument_id, 0.55, 30.0, "buy"): 10,
    }
    assert sum(float(str(size)) for _, _, size, _ in rows) == 500
    assert {name for (name,) in column(tmp_path, "coverage", "instrument_id")} == {YES.instrument_id}
    assert {name for (name,) in column(tmp_path, "deltas", "instrument_id")} == {YES.instrument_id}
    assert verify_recording(Layout(tmp_path), deep=True).findings == ()


@pytest.mark.parametrize("asked", [YES, NO])
async def test_whoever_replays_an_instrument_gets_the_trades_of_its_market(
    tmp_path: Path, server: TradedPolymarket, asked: InstrumentKey
) -> None:
    await record(tmp_path, server, ten_of_each)
    times = [int(str(ts)) for (ts,) in column(tmp_path, "trades", "ts_recv")]
    events = list(replay(tmp_path, VENUE, min(times), max(times) + 1, {asked}))
    trades = [event for event in events if isinstance(event, Trade)]
    assert Counter(event.key for event in trades) == {YES: 10, NO: 10}
    assert len({event.trade_id for event in trades}) == 20
    assert {event.key for event in events if isinstance(event, BookDelta)} == {asked} & {YES}


async def test_with_both_books_recorded_each_trade_still_stands_once_as_told(
    tmp_path: Path, server: TradedPolymarket
) -> None:
    await record(tmp_path, server, ten_of_each, **{"collector.both_outcomes": True})
    assert Counter(column(tmp_path, "trades", "instrument_id", "size")) == {
        (YES.instrument_id, 20.0): 10,
        (NO.instrument_id, 30.0): 10,
    }
    assert {name for (name,) in column(tmp_path, "coverage", "instrument_id")} == {
        YES.instrument_id,
        NO.instrument_id,
    }


async def test_where_only_one_of_both_books_finds_a_place_its_recording_has_the_markets_trades(
    tmp_path: Path, server: TradedPolymarket
) -> None:
    flags = {"collector.both_outcomes": True, "collector.max_instruments": 1}
    await record(tmp_path, server, ten_of_each, **flags, **{"collector.pinned": [f"polymarket:{YES.instrument_id}"]})
    assert len(column(tmp_path, "trades", "instrument_id")) == 20
    assert {name for (name,) in column(tmp_path, "coverage", "instrument_id")} == {YES.instrument_id}


async def test_a_paper_run_hears_the_trades_of_both_tokens(tmp_path: Path, server: TradedPolymarket) -> None:
    config, venue = await scanned(tmp_path, server)
    observer = Recorder()
    session = open_paper(config, [venue], GivenClock(), lambda _: observer)
    running = asyncio.create_task(session.runner.run())
    await until(lambda: any(isinstance(event, BookSnapshot) for event in observer.events))
    await ten_of_each(server)

    def heard() -> list[Trade]:
        return [event for event in observer.events if isinstance(event, Trade)]

    await until(lambda: len(heard()) == 20)
    assert Counter((event.key, event.size // MS) for event in heard()) == {(YES, 20): 10, (NO, 30): 10}
    assert not any(event.key == NO for event in observer.events if isinstance(event, BookSnapshot | BookDelta))
    session.runner.stop()
    await running
    session.close()
    await venue.aclose()


async def test_a_backtest_hears_the_trades_of_both_tokens(tmp_path: Path, server: TradedPolymarket) -> None:
    await record(tmp_path, server, ten_of_each)
    config, venue = await scanned(tmp_path, server)
    times = [int(str(ts)) for (ts,) in column(tmp_path, "coverage", "start")]
    span = ReplaySpan(min(times), min(times) + 3_600_000 * MS)
    observer = Recorder()
    session = open_backtest(config, venue, span, lambda _: observer, every_event=True)
    await session.runner.run()
    trades = [event for event in observer.events if isinstance(event, Trade)]
    assert Counter((event.key, event.size // MS) for event in trades) == {(YES, 20): 10, (NO, 30): 10}
    state = session.engine.cache.state(YES)
    assert state is not None
    assert state.last_price == complement(Price(550_000)), "the last one was told on NO"
    session.close()
    await venue.aclose()


async def test_a_lost_connection_is_followed_by_one_that_hears_both_tokens_again(
    tmp_path: Path, server: TradedPolymarket
) -> None:
    async def tell(server: TradedPolymarket) -> None:
        for number in range(3):
            await server.trade(NO, 55, 30 + number)
            before = server.opened
            server.drop()
            await until(lambda: server.opened > before and server.subscribed(NO))  # noqa: B023 - waited for here
        await server.trade(NO, 55, 40)

    await record(tmp_path, server, tell)
    sizes = [size for name, size in column(tmp_path, "trades", "instrument_id", "size") if name == NO.instrument_id]
    assert 40.0 in sizes
    assert len(sizes) == len(set(sizes)) <= 4
    assert "disconnect" in {reason for (reason,) in column(tmp_path, "coverage", "reason")}
    assert verify_recording(Layout(tmp_path), deep=True).findings == ()


async def test_connections_that_replace_each_other_lose_and_double_no_trade(
    tmp_path: Path, server: TradedPolymarket
) -> None:
    sizes = iter(range(1, 1_000_000))
    told: list[tuple[str, float]] = []

    async def tell(server: TradedPolymarket) -> None:
        while server.opened < 6 or len(told) < 100:
            for key in (YES, NO):
                size = next(sizes)
                await server.change(55, size)
                await server.trade(key, 55, size, transaction_hash=f"0x{size}")
                told.append((key.instrument_id, float(size)))
            await asyncio.sleep(0)

    policy = structs.replace(POLICY, lifetime=60 * MS, overlap=20 * MS)
    await record(tmp_path, server, tell, policy)
    assert Counter(column(tmp_path, "trades", "instrument_id", "size")) == Counter(told)
    assert {reason for (reason,) in column(tmp_path, "coverage", "reason")} <= {"live", "subscribing"}
