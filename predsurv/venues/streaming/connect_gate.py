"""Who may try to connect, and when: the manners of all connections to one address.

Kept apart from lanes because an address that is down concerns all of them: while it gives nothing,
one lane tries for all, and neither it nor one that is thrown out again and again storms.
"""

import asyncio

from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock
from predsurv.venues.streaming.session import StreamPolicy

_MINUTE = 60_000_000_000


class ConnectGate:
    """One address. Whoever ``enter`` lets in has to say ``proved``, ``failed`` or ``leave``."""

    def __init__(self, clock: Clock, policy: StreamPolicy) -> None:
        self._gate = TokenBucket(clock, tokens=1, period=policy.handshake_interval, burst=1)
        self._retries = TokenBucket(
            clock, tokens=policy.retries_per_minute, period=_MINUTE, burst=policy.retries_at_once
        )
        self._failing = False
        self._trying: object = None
        self._changed = asyncio.Event()

    async def enter(self, who: object, *, flapped: bool) -> None:
        """Return when ``who`` may try; ``flapped`` when its last connection worked but not for long."""
        while True:
            if self._failing:
                if self._trying not in (None, who):
                    await self._changed.wait()
                    continue
                self._trying = who
            if self._failing or flapped:
                await self._retries.acquire()
            await self._gate.acquire()
            if not self._failing or self._trying is who:
                return

    def proved(self) -> None:
        """Note that the address gives valid data: everybody may try."""
        if self._failing:
            self._failing, self._trying = False, None
            self._wake()

    def failed(self, who: object) -> None:
        """Note that an attempt ended without any valid data: ``who`` goes on trying for all."""
        if not self._failing:
            self._failing, self._trying = True, who

    def leave(self, who: object) -> None:
        """Let somebody else try: ``who`` will not any more."""
        if self._trying is who:
            self._trying = None
            self._wake()

    def hold(self, duration: int) -> None:
        """Let nobody try for ``duration`` ns: the venue asked for it."""
        self._gate.hold(duration)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
