"""Runs stopped at many points and restored: what differs from what they held."""

from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

from predsurv.net.clock import ManualClock
from predsurv.trade.journal import encoded, restore
from predsurv.trade.runs.folder import RunFolder, all_runs
from tests.kit.paper_runs import Recorder, S, configured, opened, run, scanned
from tests.kit.random_accounts import RandomAccount
from tests.kit.state_dump import account_bytes, state_bytes
from tests.kit.stopped_runs import RecordedRun, RunStop, entries_of

_CONTINUED: Final = 10
"""Of so many stops one is gone on from."""


class WatchedAccount(RandomAccount):
    """Compares its account with what its journal restores, whenever an event was processed; ``found`` differences."""

    def __init__(self, seed: int) -> None:
        self.found, self.stops, self._compared = list[str](), 0, 0
        super().__init__(seed)

    def check(self) -> None:
        """Compare, where there is a new entry."""
        super().check()
        if len(self.journal) == self._compared:
            return
        self._compared = len(self.journal)
        self.stops += 1
        once, twice = (state_bytes(restore(self.journal)) for _ in range(2))
        if once != twice:
            self.found.append(f"entry {self._compared}: restored twice it differs")
        if account_bytes(restore(self.journal).account) != account_bytes(self.engine.account):
            self.found.append(f"entry {self._compared}: the account differs")


async def record(folder: Path, seconds: int, seed: int) -> RunFolder:
    """Record a paper run of so many seconds of virtual time in the data folder ``folder``."""
    clock, config = ManualClock(), configured(folder, **{"mock.seed": seed, "mock.faults": ["drop@7s", "gap@11s"]})
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    await run(session, clock, seconds * S)
    session.close()
    (recorded,) = all_runs(folder)
    return recorded


async def stops_of(recorded: RunFolder, folder: Path, stops: int, seed: int) -> dict[str, Any]:
    """Go through a run with stops and return what was seen; all of it has to be the same in every process."""
    whole = RecordedRun(recorded)
    places = Random(seed).sample(range(2, len(whole.entries) + 1), min(stops, len(whole.entries) - 1))
    made, again = await whole.stopped(folder, frozenset(places))
    bodies = list(map(encoded, again))
    found = [] if bodies == list(map(encoded, whole.entries)) else ["its journal is not the same bytes"]
    digest = sha256(b"".join(bodies))
    for stop in made:
        digest.update(_compared(stop, found))
    continued, decided = made[::_CONTINUED], 0
    for stop in continued:
        since = await whole.gone_on(stop)
        digest.update(b"".join(since))
        decided += len(since) - 1
    return {
        "digest": digest.hexdigest(),
        "entries": len(bodies),
        "stops": len(made),
        "early": sum(each.early for each in made),
        "continued": len(continued),
        "decided": decided,
        "levels": sum(len(each.held.consumed) for each in made),
        "found": found,
    }


def _compared(stop: RunStop, found: list[str]) -> bytes:
    """Return the state restored after a stop, and note what differs."""
    restored = restore(entries_of(stop.path))
    found += [f"entry {stop.entry}: {each}" for each in stop.held.differences(restored)]
    once, twice = (state_bytes(restore(entries_of(stop.path))) for _ in range(2))
    if once != twice:
        found.append(f"entry {stop.entry}: restored twice it differs")
    return once
