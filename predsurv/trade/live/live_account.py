"""One account in a live run: its private channel, its signs of life, its comparisons, and how it ends."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from predsurv.core.errors import PredsurvError, SafetyError, TransientError, leaves
from predsurv.engine.account.account import TradingAccount
from predsurv.ports import Clock
from predsurv.trade.live.differences import unsettled
from predsurv.trade.live.key_expiry import KeyExpiry
from predsurv.trade.live.reconciler import Reconciler
from predsurv.venues.execution.holds import STOOD_STILL
from predsurv.venues.execution.live_broker import LiveBroker
from predsurv.venues.execution.user_channel import PrivateChannel

COMPARE_EVERY: Final = 60_000_000_000
ALIVE_EVERY: Final = 3_000_000_000
"""How often (ns) the venue hears that somebody still looks after what rests."""
ALIVE_WITHIN: Final = 8_000_000_000
"""Nothing is placed when the venue took no sign of life for this long (ns)."""
OPEN_WITHIN: Final = 20_000_000_000
SETTLE_WITHIN: Final = 30_000_000_000
"""How long (ns) the end of a run waits for trades to settle."""
PULSE: Final = 250_000_000

_LOG = logging.getLogger(__name__)


class LiveAccount:
    """Looks after one account from ``start`` to ``finish``; ``task`` fails when it cannot any more."""

    def __init__(self, broker: LiveBroker, account: TradingAccount, clock: Clock, rand: Callable[[], float]) -> None:
        self._broker, self._account, self._clock = broker, account, clock
        self._venue = broker.account.gateway.venue
        self.reconciler = Reconciler(broker, account, clock)
        self._channel = PrivateChannel(broker.account.reader, broker.holds, clock, rand)
        self._opened, self._wanted = asyncio.Event(), asyncio.Event()
        self._expiry = KeyExpiry(self._venue, broker.account.key_expires, clock, broker.halt)
        self._alive = 0
        self.task: asyncio.Task[None] | None = None
        broker.holds.add("account", "its account was not compared with ours yet")
        broker.holds.add("channel", "its private channel is not open yet")

    async def start(self) -> None:
        """Open everything and compare; nothing is placed before this has returned.

        Raises SafetyError for an order that is not ours and a key that is about to expire, PredsurvError when the venue
        does not answer.
        """
        orders = (*self._account.orders.finished.values(), *self._account.orders.live())
        self._broker.following.adopt(each for each in orders if each.key.venue == self._venue)
        await self._expiry.check()
        await self._stay_alive()
        self.task = asyncio.create_task(self._run(), name=f"{self._venue} account")
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait({opened, self.task}, timeout=OPEN_WITHIN / 1e9, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self.task.done():
            self.task.result()
        if not self._opened.is_set():
            raise TransientError(f"{self._venue}: the private channel does not open; check the key, or try later")
        self._wanted.clear()  # what it is opened for is done here
        await self.reconciler.resolve()
        await self.reconciler.compare()
        await self._broker.account.begin()
        self._release()

    async def finish(self) -> None:
        """Wait for trades to settle, compare a last time, and end; says what is left."""
        try:
            await self._settle()
            await self.reconciler.compare()
            await self._broker.account.end()
        except PredsurvError as error:
            _LOG.warning("%s: not compared at the end: %s", self._venue, error)
        left = [each for each in self._account.orders.live() if each.key.venue == self._venue]
        if left:
            _LOG.error(
                "%s: %d orders may still be open; 'predsurv orders --venue %s' asks for them",
                self._venue,
                len(left),
                self._venue,
            )

    async def aclose(self) -> None:
        """Stop everything; safe to call twice."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self._broker.aclose()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._channel.run(self._broker.absorb, self._on_open))
                group.create_task(self._broker.requests.run())
                group.create_task(self._live())
                group.create_task(self._watch())
                group.create_task(self._compare())
                group.create_task(self._expiry.run())
        except BaseExceptionGroup as failed:
            raise leaves(failed)[0] from failed

    def _on_open(self) -> None:
        self._opened.set()
        self._broker.holds.add("account", "the private channel was down: the account is compared")
        self._broker.holds.lift("channel")
        self._wanted.set()

    async def _compare(self) -> None:
        """Compare when it is wanted, and every minute; until it succeeds nothing is placed."""
        await self._opened.wait()
        while True:
            try:
                async with asyncio.timeout(COMPARE_EVERY / 1e9):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            if not self.reconciler.compared:
                await self._clock.sleep(PULSE)  # the first one is that of ``start``
                continue
            self._wanted.clear()
            try:
                await self.reconciler.compare()
            except SafetyError as error:
                self._broker.holds.add("account", str(error))
                _LOG.error("%s", error)
            except PredsurvError as error:
                self._broker.holds.add("account", "the account cannot be compared")
                _LOG.warning("%s: the account cannot be compared: %s", self._venue, error)
                await self._clock.sleep(ALIVE_EVERY)
                self._wanted.set()
            else:
                self._release()

    def _release(self) -> None:
        if not self._wanted.is_set():
            self._broker.holds.lift("account")

    async def _live(self) -> None:
        while True:
            await self._clock.sleep(ALIVE_EVERY)
            await self._stay_alive()

    async def _stay_alive(self) -> None:
        """Tell the venue that we live; raises PredsurvError the first time only: later it may come back."""
        resting = [each.order for each in self._broker.following.orders.live() if not each.only_takes]
        try:
            await self._broker.account.gateway.stay_alive(resting)
        except PredsurvError as error:
            if not self._alive:
                raise
            _LOG.warning("%s: no sign of life was taken: %s", self._venue, error)
            if self._clock.monotonic() - self._alive > ALIVE_WITHIN:
                self._broker.holds.add("heartbeat", "it takes no sign of life and may cancel what rests")
        else:
            self._alive = self._clock.monotonic()
            self._broker.holds.lift("heartbeat")

    async def _watch(self) -> None:
        """Notice that this process stood still, and what was told of orders that are not ours."""
        last = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            if now - last > STOOD_STILL:
                self._broker.holds.add("account", "this process stood still: the account is compared")
                self._wanted.set()
            if self._broker.following.is_foreign and not self._wanted.is_set():
                self._broker.following.is_foreign = False
                self._wanted.set()
            self._broker.pulse.beat()
            last = now
            await self._clock.sleep(PULSE)

    async def _settle(self) -> None:
        waited = 0
        while waiting := unsettled(self._venue, self._account):
            if not waited:
                _LOG.warning("%s: waiting for trades in %d instruments to settle", self._venue, len(waiting))
            if waited >= SETTLE_WITHIN:
                _LOG.warning("%s: trades in %d instruments are not settled yet", self._venue, len(waiting))
                return
            await self._clock.sleep(PULSE)
            await self._broker.settled()
            waited += PULSE
