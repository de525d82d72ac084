"""One place in a feed, kept connected: reconnects after a loss, replaces connections that get old.

The only reconnect loop. A venue brings a codec and an address, and gets jittered reconnects,
replacement without a gap, and a Gap for what was missed. CONNECTION_TRANSITIONS says what leads where.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, Final

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant, TransientError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.streaming.codec import CodecFactory
from predsurv.venues.streaming.connector import NOT_NEEDED, NOT_READY, REPLACED, Connector
from predsurv.venues.streaming.context import FeedContext
from predsurv.venues.streaming.open_connection import OpenConnection
from predsurv.venues.streaming.session import EventFilter
from predsurv.venues.streaming.state_machine import next_state
from predsurv.venues.streaming.takeover import Takeover


class ConnectionState(Enum):
    """What a ReconnectingConnection is doing."""

    CONNECTING = "connecting"
    """Nothing is open; an attempt waits for the circuit breaker or the handshake."""
    BACKING_OFF = "backing_off"
    """Nothing is open; the next attempt waits for the backoff."""
    LIVE = "live"
    """One connection is open, younger than its lifetime."""
    RENEWING = "renewing"
    """One connection is open and old; its replacement waits for the breaker or the handshake."""
    TAKING_OVER = "taking_over"
    """Both are open; the replacement waits for its books, then catches up with the old one."""
    DISCARDING = "discarding"
    """The old one stays; the replacement was not ready in time and is being closed."""
    CLOSED = "closed"
    """Everything is closed for good."""


class ConnectionTrigger(Enum):
    """What moves a ReconnectingConnection from one state to another."""

    OPENED = "opened"
    REFUSED = "refused"
    RETRY = "retry"
    EXPIRED = "expired"
    NOT_READY = "not ready"
    DISCARDED = "discarded"
    TAKEN_OVER = "taken over"
    LOST = "lost"
    CLOSE = "close"


CONNECTION_TRANSITIONS: Final[Mapping[ConnectionState, Mapping[ConnectionTrigger, ConnectionState]]] = {
    ConnectionState.CONNECTING: {
        ConnectionTrigger.OPENED: ConnectionState.LIVE,
        ConnectionTrigger.REFUSED: ConnectionState.BACKING_OFF,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.BACKING_OFF: {
        ConnectionTrigger.RETRY: ConnectionState.CONNECTING,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.LIVE: {
        ConnectionTrigger.EXPIRED: ConnectionState.RENEWING,
        ConnectionTrigger.LOST: ConnectionState.BACKING_OFF,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.RENEWING: {
        ConnectionTrigger.OPENED: ConnectionState.TAKING_OVER,
        ConnectionTrigger.REFUSED: ConnectionState.LIVE,
        ConnectionTrigger.LOST: ConnectionState.BACKING_OFF,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.TAKING_OVER: {
        ConnectionTrigger.TAKEN_OVER: ConnectionState.LIVE,
        ConnectionTrigger.NOT_READY: ConnectionState.DISCARDING,
        ConnectionTrigger.LOST: ConnectionState.LIVE,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.DISCARDING: {
        ConnectionTrigger.DISCARDED: ConnectionState.LIVE,
        ConnectionTrigger.LOST: ConnectionState.BACKING_OFF,
        ConnectionTrigger.CLOSE: ConnectionState.CLOSED,
    },
    ConnectionState.CLOSED: {},
}
"""Drawn in ``docs/architecture.md`` under "Connection"."""


class ConnectionRole(Struct, frozen=True):
    """What a connection is for: its codec and, for one whose books are ignored, which events it emits."""

    codec: CodecFactory
    event_filter: EventFilter | None = None


class _Replacement(Struct):
    """An open connection that is to replace the current one."""

    connection: OpenConnection
    takeover: Takeover
    context: FeedContext

    async def wait_until_ready(self, current: OpenConnection) -> bool:
        """Return True once this connection has every book and ``overlap`` has passed, False when that fails."""
        clock, policy = self.context.clock, self.context.spec.policy
        deadline = clock.monotonic() + policy.takeover_timeout
        ready_at = 0
        while not ready_at or clock.monotonic() < ready_at or not self._has_books_of(current):
            if not ready_at and self._has_books_of(current):
                ready_at = clock.monotonic() + policy.overlap
            if self.connection.task.done() or self.takeover.overflowed or clock.monotonic() >= deadline:
                return False
            await clock.sleep(policy.tick)
        return True

    async def catch_up(self) -> None:
        """Switch to this connection; return when it emits for every instrument, by force after a timeout."""
        clock, policy = self.context.clock, self.context.spec.policy
        self.request_switch()
        deadline = clock.monotonic() + policy.catch_up_timeout
        while not self.takeover.done and not self.connection.task.done():
            if clock.monotonic() >= deadline:
                self.context.queue.put_callback(partial(self.takeover.hand_over, clock.now(), force=True))
            await clock.sleep(policy.tick)

    def request_switch(self) -> None:
        """Switch to this connection once everything queued before is decoded; safe to call twice."""
        self.context.queue.put_callback(partial(self._switch, self.context.clock.now()))

    def _has_books_of(self, current: OpenConnection) -> bool:
        mine = self.connection.session
        return mine.delivered and mine.codec.awaiting() <= current.session.codec.awaiting()

    def _switch(self, ts: int, out: list[MarketEvent]) -> None:
        if not self.takeover.switched:
            session = self.connection.session
            self.takeover.switch(session.subscriptions.keys - session.codec.awaiting())
        self.takeover.hand_over(ts, out)


class ReconnectingConnection:
    """The instruments of one place in a feed (``keys``), and the connection that carries them."""

    def __init__(self, context: FeedContext, role: ConnectionRole) -> None:
        self.keys: set[InstrumentKey] = set()
        self.state = ConnectionState.CONNECTING
        self._context = context
        self._event_filter = role.event_filter
        self._policy = context.spec.policy
        self._connector = Connector(context, role.codec)
        self._current: OpenConnection | None = None
        self._replacement: _Replacement | None = None
        self._task = asyncio.create_task(self._run(), name=f"{context.spec.venue} reconnecting connection")
        self._task.add_done_callback(context.task_done)

    @property
    def unanswered(self) -> AbstractSet[InstrumentKey]:
        """The instruments whose repeated requests on the current connection were not answered."""
        return self._current.session.subscriptions.unanswered if self._current is not None else frozenset()

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Carry ``add`` and no longer ``drop``; events of ``drop`` stop at once."""
        self.keys = (self.keys - drop) | add
        if self._current is not None:
            self._current.request(add, drop)
        if self._replacement is not None:
            self._replacement.takeover.forget(drop)
            self._replacement.connection.request(add, drop)

    async def aclose(self) -> None:
        """Stop; safe to call twice. When the caller is cancelled meanwhile, closing goes on without it."""
        if not self._task.cancelling():  # a second cancel would stop waiting for the socket to close
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while True:
                trigger = await self._step()
                self.state = next_state(CONNECTION_TRANSITIONS, self.state, trigger)
                if trigger in (ConnectionTrigger.LOST, ConnectionTrigger.TAKEN_OVER):
                    await self._retire_current(trigger)
        finally:
            self.state = next_state(CONNECTION_TRANSITIONS, self.state, ConnectionTrigger.CLOSE)
            replacing = self._replacement.connection if self._replacement is not None else None
            still_open = [each for each in (self._current, replacing) if each is not None]
            try:
                await asyncio.gather(*(self._connector.close(each, NOT_NEEDED) for each in still_open))
            finally:
                self._connector.release()

    async def _step(self) -> ConnectionTrigger:
        """Do the work of the present state; return the trigger that ends it."""
        if self.state is ConnectionState.CONNECTING:
            return await self._connect()
        if self.state is ConnectionState.BACKING_OFF:
            await self._connector.back_off()
            return ConnectionTrigger.RETRY
        current, replacement = self._current, self._replacement
        if current is None:
            raise BrokenInvariant(f"no connection is open while {self.state.value}")
        if self.state is ConnectionState.LIVE:
            return await _unless_lost(current, self._expire())
        if self.state is ConnectionState.RENEWING:
            return await _unless_lost(current, self._renew(current))
        if replacement is None:
            raise BrokenInvariant(f"no replacement is open while {self.state.value}")
        if self.state is ConnectionState.TAKING_OVER:
            return await _unless_lost(current, self._take_over(current, replacement))
        return await _unless_lost(current, self._discard(current, replacement))

    async def _connect(self) -> ConnectionTrigger:
        try:
            connection = await self._connector.open(self._event_filter)
        except TransientError as error:
            self._connector.attempt_failed(error)
            return ConnectionTrigger.REFUSED
        self._current = connection
        connection.request(frozenset(self.keys), frozenset())
        return ConnectionTrigger.OPENED

    async def _expire(self) -> ConnectionTrigger:
        """Return when the current connection is old: after half to all of the lifetime, drawn evenly."""
        lifetime = self._policy.lifetime
        if not lifetime:
            await asyncio.Event().wait()
        await self._context.clock.sleep(lifetime // 2 + int(self._context.rand() * lifetime) // 2)
        return ConnectionTrigger.EXPIRED

    async def _renew(self, current: OpenConnection) -> ConnectionTrigger:
        """Open a replacement of ``current`` that carries the same instruments."""
        takeover = Takeover()
        if self._event_filter is None:
            current.session.event_filter = takeover.filter_old
        try:
            connection = await self._connector.open(self._event_filter or takeover.filter_new)
        except TransientError:
            current.session.event_filter = self._event_filter
            self._connector.release()
            return ConnectionTrigger.REFUSED
        self._replacement = _Replacement(connection, takeover, self._context)
        connection.request(frozenset(self.keys), frozenset())
        return ConnectionTrigger.OPENED

    async def _take_over(self, current: OpenConnection, replacement: _Replacement) -> ConnectionTrigger:
        """Let the replacement emit as soon as it is ready."""
        if not await replacement.wait_until_ready(current):
            return ConnectionTrigger.NOT_READY
        if self._event_filter is None:
            await replacement.catch_up()
        return ConnectionTrigger.TAKEN_OVER

    async def _discard(self, current: OpenConnection, replacement: _Replacement) -> ConnectionTrigger:
        """Close the replacement."""
        self._replacement = None
        await self._connector.close(replacement.connection, NOT_READY)
        current.session.event_filter = self._event_filter
        self._connector.release()
        return ConnectionTrigger.DISCARDED

    async def _retire_current(self, trigger: ConnectionTrigger) -> None:
        """Close the current connection; the replacement, if there is one, takes its place at once."""
        retired, replacement = self._current, self._replacement
        self._current = replacement.connection if replacement is not None else None
        self._replacement = None
        if retired is None:
            raise BrokenInvariant("no connection was open")
        error = retired.task.exception() if trigger is ConnectionTrigger.LOST else None
        try:
            if isinstance(error, TransientError):
                await self._connector.close_lost(retired, error)
            else:
                await self._connector.close(retired, REPLACED)
        finally:
            if replacement is not None and self._event_filter is None:
                replacement.request_switch()
        if replacement is None and isinstance(error, TransientError):
            self._connector.attempt_failed(error)


async def _unless_lost(current: OpenConnection, step: Coroutine[Any, Any, ConnectionTrigger]) -> ConnectionTrigger:
    """Return what ``step`` returns; when ``current`` ends first, cancel it and return LOST.

    Raises what ended ``current`` when that was no TransientError.
    """
    running = asyncio.create_task(step)
    try:
        await asyncio.wait([running, current.task], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        with suppress(TransientError):
            current.task.result()
        return ConnectionTrigger.LOST
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
