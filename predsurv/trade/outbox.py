"""Commands on their way to brokers that really send them: each waits until the journal has it on disk.

Separate from the pipeline, so that events are decided on while a disk takes its time: one sync serves all that was
journalled before it began.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from predsurv.core.orders import Approved
from predsurv.ports import Clock
from predsurv.trade.run_parts import JournalWriter

AT_ONCE_MAX: Final = 200_000
"""A disk that took less than this (ns) last time is waited for in place: a thread costs about as much."""


class Outbox:
    """Submits what was put in, in that order, after a sync of the journal that was begun later.

    Once anything has failed nothing is submitted any more, and every call raises why.
    """

    def __init__(
        self, journal: JournalWriter, submit: Callable[[Sequence[Approved]], Awaitable[None]], clock: Clock
    ) -> None:
        self._journal, self._submit, self._clock = journal, submit, clock
        self._waiting: list[Approved] = []
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._last_sync = AT_ONCE_MAX

    def put(self, commands: Sequence[Approved]) -> None:
        """Sync what was flushed to the journal, and then submit commands of it, if any; does not wait."""
        self.check()
        self._waiting += commands
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def check(self) -> None:
        """Raise why nothing is submitted any more."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def drain(self) -> None:
        """Return when everything was submitted that was put in before."""
        if self._task is not None:
            await asyncio.wait([self._task])
        self.check()

    async def _work(self) -> None:
        while self._wanted:
            self._wanted = False
            commands, self._waiting = self._waiting, []
            await self._sync()
            if commands:
                await self._submit(commands)

    async def _sync(self) -> None:
        began = self._clock.monotonic()
        if self._last_sync < AT_ONCE_MAX:
            self._journal.sync()
        else:
            await asyncio.to_thread(self._journal.sync)
        self._last_sync = self._clock.monotonic() - began
