"""A place in a feed goes through its states as the table says, whatever happens to its connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum

import msgspec
import pytest

from predsurv.core.errors import PermanentError, RateLimited, TransientError
from predsurv.core.events import BookSnapshot, Connected, Disconnected, Gap, MarketEvent
from predsurv.net.clock import ManualClock
from predsurv.venues.streaming import connection as module
from predsurv.venues.streaming.connection import (
    CONNECTION_TRANSITIONS,
    ConnectionRole,
    ReconnectingConnection,
)
from predsurv.venues.streaming.connection import ConnectionState as State
from predsurv.venues.streaming.connection import ConnectionTrigger as On
from predsurv.venues.streaming.connector import NOT_NEEDED, NOT_READY, REPLACED
from predsurv.venues.streaming.context import FeedContext, StreamSpec
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.state_machine import next_state
from tests.kit.toy_stream import VENUE, A, B, ToyCodec, ToyVenue

S = 1_000_000_000
LIFETIME_S = 60
POLICY = StreamPolicy(lifetime=LIFETIME_S * S, silence=1_000 * S)


class Bench:
    """One place that carries ``A``, under a clock that a test moves."""

    def __init__(self, *, policy: StreamPolicy = POLICY) -> None:
        self.clock = ManualClock()
        self.venue = ToyVenue()
        spec = StreamSpec(
            venue=VENUE,
            url="",
            codec=lambda _: ToyCodec(),
            instruments_per_connection=10,
            policy=policy,
            connect=self.venue.connect,
        )
        self.context = FeedContext(spec, self.clock, lambda: 1.0)
        self.started: list[ReconnectingConnection] = []
        self.events: list[MarketEvent] = []

    @property
    def connection(self) -> ReconnectingConnection:
        return self.started[0]

    async def advance(self, seconds: float) -> None:
        """Let time pass, reading the feed all the while; starts the connection at first."""
        if not self.started:
            self.started.append(ReconnectingConnection(self.context, ConnectionRole(self.context.spec.codec)))
            self.connection.change({A}, frozenset())
        for _ in range(round(seconds * 4)):
            await self.clock.advance(S // 4)
            self.events += self.context.queue.drain(self.clock.monotonic())

    async def aclose(self) -> None:
        for socket in self.venue.sockets:
            socket.closable.set()
        await self.connection.aclose()
        self.events += self.context.queue.drain(self.clock.monotonic())

    def reasons(self) -> list[str]:
        """Return why connections ended."""
        return [event.reason for event in self.events if isinstance(event, Disconnected)]


Taken = list[tuple[Enum, Enum]]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Every state and trigger that the connection went through."""
    found: Taken = []

    def recording(table: object, state: State, trigger: On) -> State:
        found.append((state, trigger))
        return next_state(CONNECTION_TRANSITIONS, state, trigger)

    monkeypatch.setattr(module, "next_state", recording)
    return found


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.aclose()
    assert all(socket.closed for socket in made.venue.sockets), "nothing stays open"
    assert made.context.open_connections == 0


async def live(bench: Bench) -> None:
    """One connection with a book."""
    await bench.advance(2)
    assert bench.connection.state is State.LIVE


async def renewing(bench: Bench) -> None:
    """The connection is old, and the replacement's handshake takes for ever."""
    await live(bench)
    bench.venue.accepts.clear()
    await bench.advance(LIFETIME_S)


async def taking_over(bench: Bench) -> None:
    """The replacement is open and gets no books."""
    await live(bench)
    bench.venue.answers = False
    await bench.advance(LIFETIME_S)


async def discarding(bench: Bench) -> None:
    """The replacement got no books, and closing it takes for ever."""
    await taking_over(bench)
    bench.venue.sockets[1].closable.clear()
    await bench.advance(11)


async def backing_off(bench: Bench) -> None:
    """The venue refused."""
    bench.venue.refusals.append(RateLimited("slow down", 5 * S))
    await bench.advance(1)


async def nothing(bench: Bench) -> None:
    bench.venue.accepts.clear()
    await bench.advance(1)


def fail_current(bench: Bench) -> None:
    bench.venue.sockets[0].fail()


def refuse_once(bench: Bench) -> None:
    bench.venue.refusals.append(TransientError("no"))
    bench.venue.accepts.set()


OPENED: Taken = [(State.CONNECTING, On.OPENED)]
EXPIRED = [*OPENED, (State.LIVE, On.EXPIRED)]
BOTH_OPEN = [*EXPIRED, (State.RENEWING, On.OPENED)]
NOT_READY_YET = [*BOTH_OPEN, (State.TAKING_OVER, On.NOT_READY)]
REFUSED: Taken = [(State.CONNECTING, On.REFUSED)]

# What is arranged, what happens then, how long it takes (s), the transitions taken, and the state reached.
Case = tuple[Callable[[Bench], Awaitable[None]], Callable[[Bench], object], float, Taken, State]
CASES: dict[str, Case] = {
    "connecting opens": (nothing, lambda bench: bench.venue.accepts.set(), 1, [*OPENED], State.LIVE),
    "connecting is refused": (backing_off, lambda _: None, 1, [*REFUSED], State.BACKING_OFF),
    "backing off ends": (
        backing_off,
        lambda _: None,
        6,
        [*REFUSED, (State.BACKING_OFF, On.RETRY), *OPENED],
        State.LIVE,
    ),
    "live is lost": (live, fail_current, 0.5, [*OPENED, (State.LIVE, On.LOST)], State.BACKING_OFF),
    "live expires": (renewing, lambda _: None, 1, [*EXPIRED], State.RENEWING),
    "renewing is refused": (
        renewing,
        refuse_once,
        1,
        [*EXPIRED, (State.RENEWING, On.REFUSED)],
        State.LIVE,
    ),
    "renewing loses the connection": (
        renewing,
        fail_current,
        0.5,
        [*EXPIRED, (State.RENEWING, On.LOST)],
        State.BACKING_OFF,
    ),
    "renewing opens": (taking_over, lambda _: None, 1, [*BOTH_OPEN], State.TAKING_OVER),
    "the replacement takes over": (
        renewing,
        lambda bench: bench.venue.accepts.set(),
        8,
        [*BOTH_OPEN, (State.TAKING_OVER, On.TAKEN_OVER)],
        State.LIVE,
    ),
    "the old one is lost before the replacement is ready": (
        taking_over,
        fail_current,
        1,
        [*BOTH_OPEN, (State.TAKING_OVER, On.LOST)],
        State.LIVE,
    ),
    "the replacement is not ready": (discarding, lambda _: None, 1, [*NOT_READY_YET], State.DISCARDING),
    "the replacement is discarded": (
        discarding,
        lambda bench: bench.venue.sockets[1].closable.set(),
        1,
        [*NOT_READY_YET, (State.DISCARDING, On.DISCARDED)],
        State.LIVE,
    ),
    "the old one is lost while the replacement closes": (
        discarding,
        fail_current,
        0.5,
        [*NOT_READY_YET, (State.DISCARDING, On.LOST)],
        State.BACKING_OFF,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_transitions(name: str, bench: Bench, taken: Taken) -> None:
    arrange, act, seconds, transitions, state = CASES[name]
    await arrange(bench)
    act(bench)
    await bench.advance(seconds)
    assert taken == transitions
    assert bench.connection.state is state


CLOSED_IN: dict[State, Callable[[Bench], Awaitable[None]]] = {
    State.CONNECTING: nothing,
    State.BACKING_OFF: backing_off,
    State.LIVE: live,
    State.RENEWING: renewing,
    State.TAKING_OVER: taking_over,
    State.DISCARDING: discarding,
}


@pytest.mark.parametrize("state", CLOSED_IN)
async def test_closing_in_any_state_leaves_nothing_open(state: State, bench: Bench, taken: Taken) -> None:
    await CLOSED_IN[state](bench)
    assert bench.connection.state is state
    await bench.aclose()
    assert taken[-1] == (state, On.CLOSE)
    assert bench.connection.state is State.CLOSED
    assert set(bench.reasons()) <= {NOT_NEEDED, NOT_READY} | ({"slow down"} if state is State.BACKING_OFF else set())


def test_the_cases_take_every_transition_of_the_table() -> None:
    table = {(state, trigger) for state, leads in CONNECTION_TRANSITIONS.items() for trigger in leads}
    tried = {step for _, _, _, transitions, _ in CASES.values() for step in transitions}
    assert tried | {(state, On.CLOSE) for state in CLOSED_IN} == table


async def test_a_replacement_takes_over_without_a_gap(bench: Bench) -> None:
    await bench.advance(LIFETIME_S + 10)
    assert [event.connections for event in bench.events if isinstance(event, Connected)] == [1, 2]
    assert bench.reasons() == [REPLACED]
    assert [event for event in bench.events if isinstance(event, Gap)] == []
    assert bench.venue.sockets[0].closed


async def test_a_replacement_takes_the_place_of_a_lost_connection_at_once(bench: Bench) -> None:
    await taking_over(bench)
    fail_current(bench)
    bench.venue.sockets[1].answers = True
    await bench.advance(1)
    assert bench.reasons() == ["lost"]
    assert len(bench.venue.sockets) == 2, "nothing new was opened"
    bench.connection.change({B}, {A})
    await bench.advance(1)
    assert [event.key for event in bench.events if isinstance(event, BookSnapshot)][-1] == B


async def test_closing_while_the_old_one_closes_closes_its_replacement_too(bench: Bench) -> None:
    await taking_over(bench)
    old = bench.venue.sockets[0]
    old.closable.clear()
    old.fail()
    await bench.advance(1)
    closing = asyncio.create_task(bench.connection.aclose())
    await bench.advance(1)
    old.closable.set()
    await bench.advance(1)
    await closing
    assert all(socket.closed for socket in bench.venue.sockets)


async def test_a_defect_ends_the_feed_with_it(bench: Bench) -> None:
    await live(bench)
    bench.venue.sockets[0].fail(ZeroDivisionError("defect"))
    await bench.advance(1)
    assert isinstance(bench.context.error, ZeroDivisionError)
    assert bench.connection.state is State.CLOSED


@pytest.mark.parametrize("arrange", [nothing, renewing])
async def test_a_refusal_for_good_ends_the_feed(arrange: Callable[[Bench], Awaitable[None]], bench: Bench) -> None:
    await arrange(bench)
    bench.venue.refusals.append(PermanentError("forbidden"))
    bench.venue.accepts.set()
    await bench.advance(1)
    assert isinstance(bench.context.error, PermanentError)
    assert bench.connection.state is State.CLOSED


async def test_connections_without_a_lifetime_are_never_replaced() -> None:
    bench = Bench(policy=msgspec.structs.replace(POLICY, lifetime=0))
    await bench.advance(3 * LIFETIME_S)
    assert len(bench.venue.sockets) == 1
    await bench.aclose()
