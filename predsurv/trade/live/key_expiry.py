"""The end of a key's permission to trade: told a day before, and trading halts before it comes.

What rests then could not be cancelled any more.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from predsurv.core.errors import PredsurvError, SafetyError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock

WARN_BEFORE: Final = 86_400_000_000_000
STOP_BEFORE: Final = 900_000_000_000
"""How long (ns) before its end a key is not traded with any more."""
ASK_EVERY: Final = 300_000_000_000

_MINUTE: Final = 60_000_000_000
_LOG = logging.getLogger(__name__)


class KeyExpiry:
    """Asks a venue when a key expires (``read``, ns UTC or None); ``on_halt`` hears why nothing is to be sent."""

    def __init__(
        self, venue: VenueName, read: Callable[[], Awaitable[int | None]], clock: Clock, on_halt: Callable[[str], None]
    ) -> None:
        self._venue, self._read, self._clock, self._on_halt = venue, read, clock, on_halt
        self._warned = False

    async def check(self) -> None:
        """Warn, once, of an end that is near; raises SafetyError where it is too near, PredsurvError."""
        expires = await self._read()
        if expires is None:
            return
        left = expires - self._clock.now()
        if left <= STOP_BEFORE:
            raise SafetyError(
                f"{self._venue}: the key stops to trade in {max(left, 0) // _MINUTE} minutes; renew your location "
                "there, then 'predsurv keys check' shows the new end"
            )
        if left <= WARN_BEFORE and not self._warned:
            self._warned = True
            minutes = left // _MINUTE
            _LOG.warning("%s: the key stops to trade in %d h %d min", self._venue, minutes // 60, minutes % 60)

    async def run(self) -> None:
        """Check until cancelled; halts trading when the end is too near."""
        while True:
            await self._clock.sleep(ASK_EVERY)
            try:
                await self.check()
            except SafetyError as error:
                self._on_halt(str(error))
            except PredsurvError as error:
                _LOG.info("%s: when the key expires cannot be asked: %s", self._venue, error)
