"""A paper run that is stopped anywhere is restored from its journal as it was: ``tests.proofs.restores``, in small."""

from pathlib import Path

from tests.kit.restore_trials import WatchedAccount, record, stops_of
from tests.kit.state_dump import state_bytes
from tests.kit.stopped_runs import RecordedRun


async def test_a_stopped_run_is_restored_as_it_was(tmp_path: Path) -> None:
    recorded = await record(tmp_path, 12, 1)
    seen = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        seen.append(await stops_of(recorded, tmp_path / name, 24, 1))
    assert seen[0] == seen[1]
    assert seen[0]["found"] == []
    assert seen[0]["stops"] == 24
    assert 0 < seen[0]["early"] < 24


async def test_a_stop_in_the_middle_of_trading_holds_something(tmp_path: Path) -> None:
    whole = RecordedRun(await record(tmp_path, 12, 1))
    (tmp_path / "again").mkdir()
    stops, _ = await whole.stopped(tmp_path / "again", frozenset(range(2, len(whole.entries) + 1)))
    assert len({each.held.account for each in stops}) > 20
    assert any(each.held.consumed for each in stops)
    assert any(each.held.sent for each in stops)
    assert all(each.held.day != state_bytes((0, 0, False)) for each in stops[1:])


def test_fills_that_may_still_fail_are_restored() -> None:
    account = WatchedAccount(3)
    account.run(20)
    assert account.stops > 20
    assert account.found == []
