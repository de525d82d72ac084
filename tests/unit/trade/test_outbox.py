"""Nothing is submitted before the journal has it on disk, and deciding goes on meanwhile."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from predsurv.core.errors import TransientError
from predsurv.core.orders import Approved
from predsurv.trade.journal import Entry
from predsurv.trade.outbox import AT_ONCE_MAX, Outbox
from tests.kit.trading_samples import START, approved, place

FIRST, SECOND, THIRD = (approved(place(name)) for name in ("a", "b", "c"))


class Stopwatch:
    """A clock of which every thread can let time pass."""

    def __init__(self) -> None:
        self.passed = 0

    def now(self) -> int:
        return START + self.passed

    def monotonic(self) -> int:
        return self.passed

    async def sleep(self, duration: int) -> None:
        raise NotImplementedError


class SlowJournal:
    """``syncs`` counts those that began; each goes on until ``disk`` is set, and takes ``takes`` ns by the clock."""

    def __init__(self, clock: Stopwatch, takes: int = AT_ONCE_MAX) -> None:
        self.syncs, self.takes, self.threads = 0, takes, set[int]()
        self.disk, self.began = threading.Event(), threading.Event()
        self.refuses = False
        self._clock = clock

    def append(self, entry: Entry) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def sync(self) -> None:
        self.syncs += 1
        self.threads.add(threading.get_ident())
        self.began.set()
        assert self.disk.wait(60)
        self._clock.passed += self.takes
        if self.refuses:
            raise TransientError("full")


class Desk:
    def __init__(self, takes: int = AT_ONCE_MAX) -> None:
        clock = Stopwatch()
        self.journal, self.sent = SlowJournal(clock, takes), list[Approved]()
        self.together = list[int]()
        self.outbox = Outbox(self.journal, self._submit, clock)

    async def _submit(self, commands: Sequence[Approved]) -> None:
        self.sent += commands
        self.together.append(len(commands))


async def test_a_command_waits_for_a_sync_that_began_after_it_was_put_in() -> None:
    desk = Desk()
    desk.outbox.put([FIRST])
    assert await asyncio.to_thread(desk.journal.began.wait, 60)
    desk.outbox.put([SECOND])
    desk.outbox.put([THIRD])
    assert (desk.sent, desk.journal.syncs) == ([], 1)
    desk.journal.disk.set()
    await desk.outbox.drain()
    assert (desk.sent, desk.journal.syncs) == ([FIRST, SECOND, THIRD], 2), "the two later ones share one"
    assert desk.together == [1, 2], "and may leave in one request"


async def test_notes_and_answers_are_synced_without_a_command() -> None:
    desk = Desk()
    desk.journal.disk.set()
    desk.outbox.put([])
    await desk.outbox.drain()
    assert (desk.sent, desk.journal.syncs) == ([], 1)
    await Desk().outbox.drain()


async def test_after_a_sync_that_failed_nothing_is_sent_any_more() -> None:
    desk = Desk()
    desk.journal.refuses = True
    desk.journal.disk.set()
    desk.outbox.put([FIRST])
    with pytest.raises(TransientError, match="full"):
        await desk.outbox.drain()
    desk.journal.refuses = False
    with pytest.raises(TransientError, match="full"):
        desk.outbox.put([SECOND])
    with pytest.raises(TransientError, match="full"):
        desk.outbox.check()
    assert desk.sent == []


@pytest.mark.parametrize(("takes", "here"), [(AT_ONCE_MAX - 1, True), (AT_ONCE_MAX, False)])
async def test_a_quick_disk_is_waited_for_in_place(takes: int, here: bool) -> None:
    desk = Desk(takes)
    desk.journal.disk.set()
    desk.outbox.put([FIRST])
    await desk.outbox.drain()
    desk.journal.threads.clear()
    desk.outbox.put([SECOND])
    await desk.outbox.drain()
    assert desk.sent == [FIRST, SECOND]
    assert (desk.journal.threads == {threading.get_ident()}) is here
