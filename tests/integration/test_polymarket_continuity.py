"""A feed on a venue whose truth is known: replaced, lossy, frozen and refusing connections."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, Connected, Disconnected, Gap
from predsurv.core.ids import InstrumentKey
from tests.kit.oracle_polymarket import Venue, key
from tests.kit.scripted_feed import MS, Row, Run, rows, talk

Start = Callable[..., Run]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    runs: list[Run] = []

    def make(venue: Venue, **options: int) -> Run:
        runs.append(Run(venue, **options))
        return runs[-1]

    yield make
    for run in runs:
        await run.aclose()


@pytest.mark.parametrize("lag_s", [0.0, 0.03])
async def test_replaced_connections_lose_and_double_no_change(start: Start, lag_s: float) -> None:
    venue = Venue(6)
    venue.lag = lambda: venue.rng.random() * lag_s
    # The venue falls silent before the last replacement, for as long as the machine takes: nobody is to ask why.
    run = start(venue, lifetime=60 * MS, per_connection=3, silence=1_000_000 * MS)
    await run.feed.watch(venue.keys)
    await run.opened()
    sent: list[Row] = []
    await talk(venue, sent, bursts=3_000)
    await run.until(run.equal)
    await run.until(lambda: len(run.of(Connected)) >= 12)
    assert run.of(Gap) == []
    for name in venue.tokens:
        assert [row for row in rows(run.events) if row[0] == name] == [row for row in sent if row[0] == name]
    received = [event.ts_recv for event in run.events]
    assert received == sorted(received)
    assert run.memory.counts.alarms == 0


async def test_replacing_goes_on_after_either_end_is_lost(start: Start) -> None:
    venue = Venue(4)
    run = start(venue, lifetime=30 * MS)
    await run.feed.watch(venue.keys)
    await run.opened()
    sent: list[Row] = []
    for number in range(600):
        await talk(venue, sent, bursts=20, pause=0.001)
        if venue.sockets:
            venue.sockets[number % len(venue.sockets)].fail()
        if number >= 60 and len(run.of(Disconnected)) > 20:  # a slow machine is often between two connections
            break
    await run.opened()
    await run.until(run.equal)
    assert len(run.of(Disconnected)) > 20
    live: set[InstrumentKey] = set()
    for event in run.events:
        if isinstance(event, BookSnapshot):
            live.add(event.key)
        elif isinstance(event, Gap):
            live.discard(event.key)
        elif isinstance(event, BookDelta):
            assert event.key in live


async def test_the_wanted_set_can_change_while_connections_are_replaced(start: Start) -> None:
    venue = Venue(8)
    run = start(venue, lifetime=20 * MS, per_connection=4)
    sent: list[Row] = []
    for _ in range(40):
        wanted = frozenset(venue.rng.sample(sorted(venue.keys), 5))
        await run.feed.watch(wanted)
        await talk(venue, sent, bursts=10, pause=0.001)
    await run.feed.watch(venue.keys)
    for book in run.books.values():
        book.trusted = False
    await run.feed.watch(frozenset())
    await run.feed.watch(venue.keys)
    await run.opened()
    await run.until(run.equal)


async def test_a_connection_without_its_books_replaces_nothing(start: Start) -> None:
    venue = Venue(3)
    run = start(venue, lifetime=40 * MS)
    await run.feed.watch(venue.keys)
    await run.opened()
    venue.books = lambda names: b"[]"  # type: ignore[method-assign]
    first = venue.sockets[0]
    await run.until(lambda: len(run.of(Connected)) >= 2)
    await asyncio.sleep(0.1)
    assert not first.closed
    assert {event.epoch for event in run.events if isinstance(event, BookSnapshot)} == {1}


async def test_a_lost_change_is_found_and_repaired(start: Start) -> None:
    venue = Venue(3)
    run = start(venue, silence=60_000 * MS, book_timeout=10_000 * MS)
    await run.feed.watch(venue.keys)
    await run.opened()
    name = next(iter(venue.tokens))
    venue.burst(name)
    venue.tell(venue.burst(name), name)
    await run.until(lambda: any(event.reason == "hash_mismatch" for event in run.events if isinstance(event, Gap)))
    assert {event.key for event in run.events if isinstance(event, Gap) and event.reason == "hash_mismatch"} == {
        key(name)
    }
    await run.opened()
    assert run.equal()
    assert run.memory.counts.alarms == 1


async def test_frozen_time_is_not_covered(start: Start) -> None:
    venue = Venue(3)
    run = start(venue)
    await run.feed.watch(venue.keys)
    await run.opened()
    name = next(iter(venue.tokens))
    venue.tell(venue.burst(name), name)
    await run.until(lambda: bool(run.of(BookDelta)))
    last = max(event.ts_recv for event in run.events)
    venue.sockets[0].frozen = True
    await run.until(lambda: len(run.of(Gap)) == 3)
    assert {(event.ts_recv, event.reason) for event in run.events if isinstance(event, Gap)} == {(last, "stall")}
    await run.opened()
