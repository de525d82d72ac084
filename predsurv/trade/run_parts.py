"""What a run is put together from beside its engine and brokers: the Protocols of its journal, keeper and services."""

import asyncio
from typing import Protocol

from predsurv.trade.journal import Entry
from predsurv.trade.runs.inputs import RunInput
from predsurv.trade.stats import RunStats


class JournalWriter(Protocol):
    """Where the entries of a run go; see ``OrderJournal``."""

    def append(self, entry: Entry) -> None:
        """Buffer an entry."""
        ...

    def flush(self) -> None:
        """Write what is buffered: it survives the end of this process."""
        ...

    def sync(self) -> None:
        """Return when what was flushed before survives a power cut, too; may be called in another thread. Raises."""
        ...

    def close(self) -> None:
        """Flush, sync and close; safe to call twice."""
        ...


class Keeper(Protocol):
    """Keeps what a run did, and what its decisions depend on; cannot change it."""

    def keep(self, entry: Entry) -> None:
        """Keep a journal entry, before it is carried out."""
        ...

    def take(self, given: RunInput) -> None:
        """Keep an input, before it is processed."""
        ...

    @property
    def next_at(self) -> int:
        """The time (ns UTC) before which ``on_tick`` has nothing to do."""
        ...

    def on_tick(self, ts: int) -> None:
        """Receive that a tick of ``ts`` (ns UTC) was processed."""
        ...

    async def checkpoint(self, stats: RunStats) -> None:
        """Put on disk what is kept so far."""
        ...


class RunService(Protocol):
    """What looks after something for as long as a run goes on; see ``trade.live.live_account``."""

    task: asyncio.Task[None] | None
    """What goes on in the background once it was started; it ends with an error when the run has to end."""

    async def start(self) -> None:
        """Get ready; strategies are called after this has returned. Raises PredsurvError."""
        ...

    async def finish(self) -> None:
        """Bring it to an end, after every order was cancelled."""
        ...

    async def aclose(self) -> None:
        """Stop at once; safe to call twice."""
        ...
