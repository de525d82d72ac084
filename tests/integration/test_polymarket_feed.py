"""The streaming feed against a server that speaks Polymarket's market channel, well and badly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from predsurv.config import CollectorConfig, Config, PolymarketConfig, VenuesConfig
from predsurv.core.errors import PermanentError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Dropped,
    Gap,
    Malformed,
    MarketEvent,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.given_clock import GivenClock
from tests.kit.overflow import overflowing
from tests.kit.patience import PATIENCE_S
from tests.kit.payloads import Payloads
from tests.kit.recorded_polymarket import RecordedPolymarket

MS = 1_000_000
FAST = StreamPolicy(
    tick=10 * MS,
    keepalive=50 * MS,
    book_timeout=300 * MS,
    silence=300 * MS,
    silence_max=600 * MS,
    stable=50 * MS,
    request_interval=50 * MS,
    backoff_base=10 * MS,
    backoff_cap=40 * MS,
    outage_attempts=4,
    handshake_interval=5 * MS,
    retries_per_minute=6_000,
)


def key(token: str) -> InstrumentKey:
    return InstrumentKey(VenueName("polymarket"), MarketId(f"0x{token[:8]}"), InstrumentId(token))


KEYS = [key(str(10**20 + number)) for number in range(5)]


@pytest.fixture
async def server(payloads: Payloads) -> AsyncIterator[RecordedPolymarket]:
    running = RecordedPolymarket(payloads)
    await running.start()
    yield running
    await running.aclose()


@pytest.fixture
async def listen(server: RecordedPolymarket) -> AsyncIterator[Callable[..., "Listener"]]:
    opened: list[Listener] = []

    def make(policy: StreamPolicy = FAST, per_connection: int = 10) -> Listener:
        config = Config(
            venues=VenuesConfig(
                polymarket=PolymarketConfig(
                    gamma_url=server.http_url, clob_url=server.http_url, ws_market_url=server.ws_url
                )
            ),
            collector=CollectorConfig(instruments_per_connection=per_connection),
        )
        opened.append(Listener(PolymarketVenue(config, GivenClock(), lambda: 1.0, policy).feed()))
        return opened[-1]

    yield make
    for listener in opened:
        await listener.feed.aclose()


class Listener:
    """A feed and its events so far."""

    def __init__(self, feed: StreamingFeed) -> None:
        self.feed = feed
        self.events: list[MarketEvent] = []
        self._batches = feed.batches()

    async def until(self, satisfied: Callable[[Sequence[MarketEvent]], bool]) -> list[MarketEvent]:
        """Return what comes until ``satisfied`` with it."""
        fresh: list[MarketEvent] = []
        async with asyncio.timeout(PATIENCE_S):
            while not satisfied(fresh):
                fresh += await anext(self._batches)
        self.events += fresh
        return fresh

    async def opened(self, *keys: InstrumentKey) -> list[MarketEvent]:
        """Return what comes until each of ``keys`` had a snapshot after the last gap of any."""
        return await self.until(lambda events: set(keys) <= live(events))

    async def count(self, kind: type, number: int = 1) -> list[MarketEvent]:
        """Return what comes until ``number`` events of ``kind`` did."""
        return await self.until(lambda events: sum(isinstance(event, kind) for event in events) >= number)


def live(events: Sequence[MarketEvent]) -> set[InstrumentKey]:
    """Return the instruments with a book; fails on a delta without one."""
    found: set[InstrumentKey] = set()
    for event in events:
        if isinstance(event, BookSnapshot):
            found.add(event.key)
        elif isinstance(event, Gap):
            found.discard(event.key)
    return found


def gaps(events: Sequence[MarketEvent], reason: str) -> set[InstrumentKey]:
    return {event.key for event in events if isinstance(event, Gap) and event.reason == reason}


def assert_deltas_build_on_books(events: Sequence[MarketEvent]) -> None:
    found: set[InstrumentKey] = set()
    for event in events:
        if isinstance(event, BookSnapshot):
            found.add(event.key)
        elif isinstance(event, Gap):
            found.discard(event.key)
        elif isinstance(event, BookDelta):
            assert event.key in found


Listen = Callable[..., Listener]


# The best levels and the venue's time (ns UTC) of the book that each source opens with.
OPENING_BOOKS = {
    "own": ((210_000, 380_860_000), (220_000, 1_754_700_000), 1_830_000_061_403_000_000),
    "recorded": ((140_000, 83_240_000), (150_000, 473_320_000), 1_778_204_225_247_000_000),
}


async def test_snapshots_come_before_changes_and_trades(listen: Listen, server: RecordedPolymarket) -> None:
    listener, token = listen(), key(server.recordings.token)
    await listener.feed.watch({token})
    await listener.opened(token)
    await listener.until(lambda events: {Trade, BookDelta} <= {type(event) for event in events})
    assert isinstance(listener.events[0], Connected)
    book = next(event for event in listener.events if isinstance(event, BookSnapshot))
    assert (book.bids[0], book.asks[0], book.ts_venue) == OPENING_BOOKS[server.recordings.source]
    assert_deltas_build_on_books(listener.events)


async def test_instruments_are_spread_over_connections(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen(per_connection=2)
    await listener.feed.watch(set(KEYS))
    events = await listener.opened(*KEYS)
    assert sorted(len(tokens) for tokens in server.links.values() if tokens) == [1, 2, 2]
    assert {event.connections for event in events if isinstance(event, Connected)} >= {1, 2, 3}


async def test_the_wanted_set_can_change_at_any_time(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen(per_connection=2)
    await listener.feed.watch(set(KEYS[:2]))
    await listener.opened(*KEYS[:2])
    await listener.feed.watch({KEYS[0], KEYS[2]})
    fresh = await listener.opened(KEYS[2])
    assert not any(isinstance(event, BookDelta) and event.key == KEYS[1] for event in fresh)
    assert server.openings == 1
    await listener.feed.watch(frozenset())
    await listener.count(Disconnected)


async def test_a_keepalive_is_sent(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen()
    await listener.feed.watch({KEYS[0]})
    await listener.until(lambda _: server.received.count("PING") >= 3)


@pytest.mark.parametrize("code", [None, 1000, 1013])
async def test_a_lost_connection_is_a_gap_until_the_next_snapshots(
    listen: Listen, server: RecordedPolymarket, code: int | None
) -> None:
    listener = listen()
    await listener.feed.watch(set(KEYS))
    await listener.opened(*KEYS)
    await server.drop(code, "slow consumer: send buffer full" if code else "")
    events = await listener.until(lambda events: gaps(events, "disconnect") == set(KEYS) and live(events) == set(KEYS))
    gone = [event for event in events if isinstance(event, Disconnected)]
    assert all((str(code) if code else "without a close frame") in event.reason for event in gone)
    epochs = [event.epoch for event in listener.events if isinstance(event, Connected)]
    assert epochs == list(range(1, len(epochs) + 1))
    assert server.openings == 2
    assert_deltas_build_on_books(listener.events)


async def test_a_freeze_with_pongs_is_found(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen()
    await listener.feed.watch(set(KEYS))
    await listener.opened(*KEYS)
    server.frozen = True
    events = await listener.until(lambda events: gaps(events, "stall") == set(KEYS))
    (since,) = {event.ts_recv for event in events if isinstance(event, Gap)}
    assert since == max(
        event.ts_recv for event in listener.events if isinstance(event, BookDelta | BookSnapshot | Trade)
    )
    server.frozen = False
    await listener.opened(*KEYS)
    assert_deltas_build_on_books(listener.events)


async def test_a_quiet_market_is_not_a_freeze(listen: Listen, server: RecordedPolymarket) -> None:
    server.interval = 3600
    listener = listen()
    await listener.feed.watch({KEYS[0]})
    events = await listener.count(BookSnapshot, 4)
    assert server.openings == 1
    assert gaps(events, "stall") == {KEYS[0]}


async def test_a_missing_snapshot_is_requested_again(listen: Listen, server: RecordedPolymarket) -> None:
    server.withhold = {KEYS[0].instrument_id}
    listener = listen()
    await listener.feed.watch(set(KEYS[:2]))
    events = await listener.until(lambda events: KEYS[0] in gaps(events, "subscribing"))
    assert not any(isinstance(event, BookDelta | BookSnapshot) and event.key == KEYS[0] for event in events)
    server.withhold = set()
    await listener.opened(KEYS[0])
    assert server.openings == 1


async def test_a_snapshot_that_one_connection_never_gets_is_requested_on_another(
    listen: Listen, server: RecordedPolymarket
) -> None:
    server.withhold = {KEYS[0].instrument_id}
    listener = listen()
    await listener.feed.watch(set(KEYS[:2]))
    await listener.until(lambda _: server.openings == 2)
    server.withhold = set()
    await listener.opened(KEYS[0])
    carried = [tokens for tokens in server.links.values() if tokens]
    assert sorted(map(sorted, carried)) == [[KEYS[0].instrument_id], [KEYS[1].instrument_id]]


async def test_a_server_that_sends_no_books_is_a_stall(listen: Listen, server: RecordedPolymarket) -> None:
    server.frozen = True
    listener = listen()
    await listener.feed.watch({KEYS[0]})
    await listener.until(lambda events: gaps(events, "stall") == {KEYS[0]})


async def test_garbage_does_not_end_the_feed(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen()
    await listener.feed.watch(set(KEYS))
    await listener.opened(*KEYS)
    token = KEYS[0].instrument_id
    for frame in (
        "",
        "{",
        "[1,2",
        '{"event_type":"dance"}',
        '{"event_type":"book","asset_id":"' + token + '","bids":7,"asks":[]}',
    ):
        await server.say(frame)
    events = await listener.until(lambda events: gaps(events, "decode_error") == {KEYS[0]} and KEYS[0] in live(events))
    assert sum(isinstance(event, Malformed) for event in events) == 4
    assert [event.kind for event in events if isinstance(event, Unknown)] == ["dance"]
    assert server.openings == 1
    assert_deltas_build_on_books(listener.events)


async def test_a_slow_consumer_gets_a_declared_loss(listen: Listen, server: RecordedPolymarket) -> None:
    listener = listen(FAST_AND_SMALL)
    await listener.feed.watch(set(KEYS))
    await listener.opened(*KEYS)
    for _ in range(60):
        await server.say('{"event_type":"noise"}')
    async with asyncio.timeout(PATIENCE_S):
        while not overflowing(listener.feed):  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0)
    events = await listener.until(lambda events: gaps(events, "overflow") == set(KEYS) == live(events))
    assert all(event.count > 0 for event in events if isinstance(event, Dropped))
    assert server.openings == 1
    assert_deltas_build_on_books(listener.events)


async def test_a_handshake_refused_for_load_waits_as_long_as_asked(listen: Listen, server: RecordedPolymarket) -> None:
    server.refuse = [(429, {"Retry-After": "1"})]
    listener = listen()
    began = GivenClock().monotonic()
    await listener.feed.watch({KEYS[0]})
    await listener.opened(KEYS[0])
    assert GivenClock().monotonic() - began >= 1_000 * MS
    assert server.openings == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_handshake_refused_for_good_raises(listen: Listen, server: RecordedPolymarket, status: int) -> None:
    server.refuse = [(status, {})]
    listener = listen()
    await listener.feed.watch({KEYS[0]})
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        await listener.opened(KEYS[0])


async def test_an_outage_is_declared_once_and_attempts_go_on(listen: Listen, server: RecordedPolymarket) -> None:
    server.refuse = [(503, {})] * 7
    listener = listen()
    await listener.feed.watch({KEYS[0]})
    events = await listener.opened(KEYS[0])
    assert ["outage: 4 attempts" in event.reason for event in events if isinstance(event, Disconnected)] == [True]
    assert server.handshakes == 8


async def test_closing_the_feed_leaves_nothing_running(listen: Listen) -> None:
    before = asyncio.all_tasks()
    listener = listen(per_connection=2)
    await listener.feed.watch(set(KEYS))
    await listener.opened(*KEYS)
    await listener.feed.aclose()
    await listener.feed.aclose()
    with pytest.raises(StopAsyncIteration):
        await listener.count(BookDelta)
    async with asyncio.timeout(PATIENCE_S):
        while {task for task in asyncio.all_tasks() - before if task.get_name().startswith("polymarket")}:  # noqa: ASYNC110
            await asyncio.sleep(0)


FAST_AND_SMALL = StreamPolicy(
    tick=10 * MS,
    keepalive=50 * MS,
    book_timeout=300 * MS,
    silence=300 * MS,
    waiting_frames_max=20,
    request_interval=50 * MS,
    backoff_base=10 * MS,
    handshake_interval=5 * MS,
    retries_per_minute=6_000,
)
