"""A process of a recording never waits for the command that started it, and stops when that is gone."""

import asyncio
from multiprocessing import Pipe
from pathlib import Path

import pytest

from predsurv.collect.processes import parent_link
from predsurv.collect.processes.messages import STOP, Ended, ListingFound, ListingWanted
from predsurv.collect.processes.parent_link import ParentLink
from predsurv.collect.rescan import ListedUniverse
from predsurv.core.errors import TransientError
from predsurv.core.ids import VenueName
from tests.kit.patience import until

MOCK = VenueName("mock")


async def test_a_list_is_asked_for_and_answered() -> None:
    here, there = Pipe()
    link = ParentLink(there)
    found = ListedUniverse(Path("u.jsonl"), whole=True)
    with link.stopping_with(lambda: None):
        asked = asyncio.create_task(link.listing(MOCK))
        assert await asyncio.to_thread(here.recv) == ListingWanted(MOCK)
        here.send(ListingFound(VenueName("other"), found))  # nobody asked
        here.send(ListingFound(MOCK, found))
        assert await asked == found
        asked = asyncio.create_task(link.listing(MOCK))
        await asyncio.to_thread(here.recv)
        here.send(ListingFound(MOCK, TransientError("no answer")))
        with pytest.raises(TransientError, match="no answer"):
            await asked


@pytest.mark.parametrize("gone", [False, True])
async def test_it_stops_when_told_to_and_when_nobody_is_there_any_more(*, gone: bool) -> None:
    here, there = Pipe()
    link = ParentLink(there)
    stopped = asyncio.Event()
    with link.stopping_with(stopped.set):
        here.close() if gone else here.send(STOP)
        await until(stopped.is_set)
    later: list[str] = []
    with link.stopping_with(lambda: later.append("stopped")):
        assert later == ["stopped"], "asked for before"


async def test_what_nobody_reads_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent_link, "OUTBOX_MAX", 2)
    here, there = Pipe()
    link = ParentLink(there)
    large = b"x" * 10_000_000  # more than a pipe takes
    for _ in range(5):
        link.tell(large)
    assert link.dropped >= 2
    here.close()
    link.end(Ended(None))
    assert not link._sender.is_alive()
