"""Opens connections one after another for one place in a feed, with breaker, backoff and events.

The only code that declares connections opened, closed and unavailable.
"""

import asyncio
import logging
from typing import Final

from predsurv.core.errors import RateLimited, TransientError
from predsurv.core.events import Connected, Disconnected, GapReason
from predsurv.core.text import sanitise
from predsurv.net.backoff import Backoff
from predsurv.venues.streaming.codec import CodecFactory
from predsurv.venues.streaming.context import FeedContext
from predsurv.venues.streaming.open_connection import FrozenError, OpenConnection
from predsurv.venues.streaming.session import ConnectionSession, EventFilter

NOT_NEEDED: Final = "not needed any more"
REPLACED: Final = "replaced by a new connection"
NOT_READY: Final = "did not become ready to take over"

_logger = logging.getLogger(__name__)


class Connector:
    """Opens and closes the connections of one place; ``codec`` makes each connection's codec."""

    def __init__(self, context: FeedContext, codec: CodecFactory) -> None:
        self._context = context
        self._codec = codec
        self._policy = context.spec.policy
        self._venue = context.spec.venue
        self._backoff = Backoff(context.rand, base=self._policy.backoff_base, cap=self._policy.backoff_cap)
        self._delay_min: int | None = None
        """What the venue asked to wait for before the next attempt (ns), None when it asked nothing."""
        self._flapped = False
        """The last connection worked, but broke before it was stable."""

    async def open(self, event_filter: EventFilter | None) -> OpenConnection:
        """Return a new connection that carries nothing yet; raises TransientError or PermanentError."""
        context, spec = self._context, self._context.spec
        await context.breaker.acquire(self, flapped=self._flapped)
        try:
            socket = await spec.connect(spec.url, spec.headers() if spec.headers is not None else None)
        except TransientError:
            context.breaker.failure(self)
            raise
        epoch = context.next_epoch()
        session = ConnectionSession(
            self._venue, epoch, self._codec(epoch), self._policy, context.clock.monotonic(), event_filter=event_filter
        )
        context.open_connections += 1
        context.queue.put_events([Connected(self._venue, context.clock.now(), epoch, context.open_connections)])
        return OpenConnection(context, session, socket)

    async def close(self, connection: OpenConnection, reason: str) -> None:
        """Close a connection that still works, and declare its end with ``reason``."""
        self._declare_end(connection, "disconnect", reason)
        await asyncio.shield(connection.aclose())

    async def close_lost(self, connection: OpenConnection, error: TransientError) -> None:
        """Close a connection that ended with ``error``; declare and log that, and judge how well it worked."""
        session, now, reason = connection.session, self._context.clock.monotonic(), sanitise(str(error))
        self._declare_end(connection, "stall" if isinstance(error, FrozenError) else "disconnect", reason)
        _logger.warning("%s: connection %d is over: %s", self._venue, session.epoch, reason)
        stable = session.stable(now)
        if stable:
            self._backoff.reset()
        self._flapped = session.delivered and not stable
        if not session.delivered:
            self._context.breaker.failure(self)
        await asyncio.shield(connection.aclose())

    def attempt_failed(self, error: TransientError) -> None:
        """Record that there is no connection because of ``error``; declares an outage once there are enough."""
        self._delay_min = error.retry_after_ns
        if isinstance(error, RateLimited):
            self._context.breaker.hold(error.retry_after_ns or self._policy.backoff_base)
        if self._backoff.failures + 1 != self._policy.outage_attempts:
            return
        reason = sanitise(f"outage: {self._policy.outage_attempts} attempts failed, still trying: {error}")
        _logger.error("%s: %s", self._venue, reason)
        now = self._context.clock.now()
        self._context.queue.put_events([Disconnected(self._venue, now, 0, self._context.open_connections, reason)])

    async def back_off(self) -> None:
        """Wait before the next attempt."""
        await self._context.clock.sleep(self._backoff.next_delay(self._delay_min))

    def release(self) -> None:
        """Let the other connections of the feed try: none is wanted here for now."""
        self._context.breaker.release(self)

    def _declare_end(self, connection: OpenConnection, cause: GapReason, reason: str) -> None:
        context, session = self._context, connection.session
        context.open_connections -= 1
        end = Disconnected(self._venue, context.clock.now(), session.epoch, context.open_connections, sanitise(reason))
        context.queue.put_end(session, cause, end)
