"""How a replay's journal is compared with the recorded one."""

from predsurv.core.ids import StrategyName
from predsurv.trade.journal import RunStarted
from predsurv.trade.replay_run import ComparedJournal


def entry(ts: int) -> RunStarted:
    return RunStarted(ts, "paper", "r", (StrategyName("s"),), ())


def test_only_the_first_difference_is_kept() -> None:
    compared = ComparedJournal(iter([entry(1), entry(2), entry(3)]))
    for ts in (1, 9, 3):
        compared.append(entry(ts))
    assert compared.equal == 1
    assert compared.difference is not None
    assert (compared.difference.number, compared.difference.replayed) == (3, entry(9))
    compared.close()


def test_what_was_recorded_and_not_replayed_is_a_difference_of_a_whole_run() -> None:
    compared = ComparedJournal(iter([entry(1), entry(2)]))
    compared.append(entry(1))
    compared.end(whole=False)
    assert compared.difference is None
    compared.end(whole=True)
    assert compared.difference is not None
    assert str(compared.difference).endswith("replayed nothing")
