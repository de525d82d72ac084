"""A circuit breaker for connection attempts, shared by all connections to one endpoint.

An endpoint that is down concerns every connection: while it fails, one caller tries for all, and
neither that caller nor one whose connections keep breaking can flood it with handshakes.
"""

import asyncio

from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock
from predsurv.venues.streaming.policy import StreamPolicy

_MINUTE = 60_000_000_000


class CircuitBreaker:
    """A half-open circuit breaker for one endpoint.

    While closed, every caller may attempt a connection. After an attempt without valid data it is
    half-open: one caller makes the attempts, the others wait until one of them succeeds. Every
    caller that ``acquire`` admits must report ``success``, ``failure`` or ``release``.
    """

    def __init__(self, clock: Clock, policy: StreamPolicy) -> None:
        self._attempts = TokenBucket(clock, tokens=1, period=policy.handshake_interval, burst=1)
        self._retries = TokenBucket(
            clock, tokens=policy.retries_per_minute, period=_MINUTE, burst=policy.retries_at_once
        )
        self._half_open = False
        self._trial: object = None
        """The caller that makes the attempts while half-open."""
        self._changed = asyncio.Event()

    async def acquire(self, caller: object, *, flapped: bool) -> None:
        """Wait until ``caller`` may connect; ``flapped``: its last connection worked, but broke too soon."""
        while True:
            if self._half_open:
                if self._trial not in (None, caller):
                    await self._changed.wait()
                    continue
                self._trial = caller
            if self._half_open or flapped:
                await self._retries.acquire()
            await self._attempts.acquire()
            if not self._half_open or self._trial is caller:
                return

    def success(self) -> None:
        """Close the breaker: the endpoint delivered valid data."""
        if self._half_open:
            self._half_open, self._trial = False, None
            self._wake()

    def failure(self, caller: object) -> None:
        """Record an attempt that ended without valid data; ``caller`` goes on trying for all."""
        if not self._half_open:
            self._half_open, self._trial = True, caller

    def release(self, caller: object) -> None:
        """Let another caller try: ``caller`` makes no further attempts for now."""
        if self._trial is caller:
            self._trial = None
            self._wake()

    def hold(self, duration: int) -> None:
        """Admit nobody for ``duration`` ns, as the venue requested."""
        self._attempts.hold(duration)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
