"""What is recorded is counted, by its observed time, and decides what is recorded next."""

import logging
from contextlib import closing
from pathlib import Path

import pytest

from predsurv.collect.learning import LiveLearning
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.activity import Activity
from predsurv.collect.selection.interest import LiveWeights
from predsurv.collect.selection.planner import Candidate
from predsurv.core.events import BookDelta, Gap, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.level_changes import LevelChanges
from predsurv.core.num import MICROS, Price, Size
from tests.kit.recorder_samples import START, VENUE, S, book


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number:02d}"), InstrumentId(f"i{number:02d}"))


def mirror(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number:02d}"), InstrumentId(f"no{number:02d}"))


def change(number: int, ts: int, size: int) -> BookDelta:
    return BookDelta(key(number), ts, None, 1, None, "bid", Price(400_000), Size(size * MICROS))


def trade(which: InstrumentKey, ts: int, price: int, shares: int) -> Trade:
    return Trade(which, ts, None, Price(price), Size(shares * MICROS), "buy", None)


def test_changes_trades_of_both_outcomes_and_covered_time_are_counted() -> None:
    recorder, learning = Recorder(RecordingPolicy()), LiveLearning(LiveWeights())
    recorder.advance(START)
    mirrors = {key(0): mirror(0)}
    learning.count(recorder.want({key(0): MICROS, key(1): MICROS}, {key(0): None, key(1): None}, mirrors))
    events: list[MarketEvent] = [
        book(key(0), START + 10 * S),
        change(0, START + 20 * S, 5),
        change(0, START + 30 * S, 6),
        trade(key(0), START + 30 * S, 500_000, 10),
        trade(mirror(0), START + 31 * S, 250_000, 8),
    ]
    learning.count(recorder.apply(events))
    learning.count(recorder.advance(START + 110 * S))
    learning.take_in(recorder, lambda _: mirrors)
    (seen,) = learning.recent.known().items()
    assert seen[0] == key(0), "the other was never covered"
    scale = seen[1].seconds / 100
    assert 0.9 < scale < 1
    assert (seen[1].updates / scale, seen[1].trades / scale, seen[1].dollars / scale) == (2.0, 2.0, 5.0 + 2.0)


def test_changes_that_are_put_together_are_counted_one_by_one() -> None:
    recorder, learning = Recorder(RecordingPolicy()), LiveLearning(LiveWeights())
    recorder.advance(START)
    recorder.want({key(0): MICROS, key(1): MICROS}, {key(0): None, key(1): None})
    opening: list[MarketEvent] = [book(key(0), START + S), book(key(1), START + S)]
    changes = [change(0, START + 2 * S, 5), change(1, START + 2 * S, 5), change(0, START + 2 * S, 6)]
    for said in (changes, [LevelChanges(changes)]):
        learning.count(recorder.apply([*opening, *said]))
        opening = []
    assert learning._updates == {key(0): 4, key(1): 2}


def test_time_counts_once_whether_its_interval_is_closed_before_a_plan_or_after_it() -> None:
    recorder, learning = Recorder(RecordingPolicy()), LiveLearning(LiveWeights())
    recorder.advance(START)
    learning.count(recorder.want({key(0): MICROS}, {key(0): None}))
    learning.count(recorder.apply([book(key(0), START)]))
    learning.count(recorder.advance(START + 60 * S))
    learning.take_in(recorder, lambda _: {})  # 60 s of an open interval
    first = learning.recent.known()[key(0)].seconds
    learning.count(recorder.apply([Gap(key(0), START + 90 * S, "disconnect", 1)]))  # closed: 30 s more
    learning.count(recorder.advance(START + 120 * S))
    learning.take_in(recorder, lambda _: {})
    kept = 0.5 ** (60 / 7_200) * 0.5 ** (30 / 900)
    assert abs(learning.recent.known()[key(0)].seconds - (first * kept + 30)) < 1


def test_a_market_that_turns_hot_is_preferred_with_the_next_plan() -> None:
    recorder, learning = Recorder(RecordingPolicy()), LiveLearning(LiveWeights())
    recorder.advance(START)
    keys = [key(number) for number in range(30)]
    learning.count(recorder.want(dict.fromkeys(keys, MICROS), dict.fromkeys(keys)))
    learning.count(recorder.apply([book(each, START) for each in keys]))
    busy = [change(3, START + number * S // 10, number % 7 + 1) for number in range(1, 3_000)]
    learning.count(recorder.apply(busy))
    learning.count(recorder.advance(START + 300 * S))
    candidates = [Candidate(each, True, (number + 1) * 1_000_000 * MICROS) for number, each in enumerate(keys)]
    before = learning.interests(candidates, {})
    learning.take_in(recorder, lambda _: {})
    after = learning.interests(candidates, {})
    assert max(before, key=before.__getitem__) == key(29)
    assert max(after, key=after.__getitem__) == key(3)
    closed = [Candidate(key(3), False), *candidates[4:]]
    assert key(3) not in learning.interests(closed, {})


def taught() -> LiveLearning:
    learning = LiveLearning(LiveWeights())
    learning.recent.add({key(3): Activity(300.0, 3_000.0)}, START)
    return learning


def test_what_was_learnt_is_known_to_the_next_run(tmp_path: Path) -> None:
    with closing(CoverageIndex(tmp_path, "c0")) as index:
        first = LiveLearning(LiveWeights())
        first.recall(VENUE, index)
        first.recent = taught().recent
        first.remember(VENUE, index)
        second = LiveLearning(LiveWeights())
        second.recall(VENUE, index)
        assert second.recent.known() == taught().recent.known()


def test_a_run_that_never_asked_for_what_was_learnt_does_not_replace_it(tmp_path: Path) -> None:
    with closing(CoverageIndex(tmp_path, "c0")) as index:
        index.store_learnt(VENUE, b"sums")
        taught().remember(VENUE, index)
        assert index.learnt(VENUE) == b"sums"


def test_what_cannot_be_read_or_kept_is_told_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index, learning = CoverageIndex(tmp_path, "c0"), taught()
    index.store_learnt(VENUE, b"damaged")
    learning.recall(VENUE, index)
    index.close()
    learning.recall(VENUE, index)
    learning.remember(VENUE, index)
    assert key(3) in learning.recent.known()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert ["begins anew" in each for each in told] == [True, True, False]
    assert "is not kept" in told[2]
