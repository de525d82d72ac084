"""Where coverage ended is stored somewhere at every moment, and covered time is written late."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.core.events import BookSnapshot, Gap, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage
from predsurv.state.coverage import COVERED_DELAY, between, open_gap
from tests.kit.recorder_samples import START, A, B, C, S, book, gap


def rows(intervals: list[Coverage]) -> list[tuple[int, int, str]]:
    return [((row.start - START) // S, (row.end - START) // S, row.reason) for row in intervals]


def live() -> CoverageTracker:
    coverage = CoverageTracker("live")
    coverage.want(Wanted(A, START), None)
    coverage.apply(book(A, START))
    return coverage


def test_covered_time_is_written_only_when_no_stall_can_retract_it() -> None:
    coverage, held = live(), COVERED_DELAY // S
    assert coverage.cut(START + COVERED_DELAY) == []
    assert rows(coverage.cut(START + COVERED_DELAY + 60 * S)) == [(0, 60, "live")]
    late = coverage.apply(gap(A, START + 70 * S, "stall"))
    assert rows(late) == [(60, 70, "live")]
    assert rows(coverage.close(A, START + (held + 60) * S)) == [(70, held + 60, "stall")]


def test_a_gap_that_began_before_the_last_written_interval_begins_at_its_end() -> None:
    coverage = live()
    coverage.cut(START + COVERED_DELAY + 60 * S)
    assert coverage.apply(gap(A, START + 10 * S, "stall")) == []
    assert rows(coverage.apply(book(A, START + 90 * S))) == [(60, 90, "stall")]


def test_a_gap_that_a_crash_left_is_checkpointed_when_it_is_cut_before_anything_is_wanted() -> None:
    coverage = CoverageTracker("live")
    coverage.resume([Coverage(A, START, START, "gap", "crash", 0)])
    coverage.take_changes()
    assert rows(coverage.cut(START + 7 * S)) == [(0, 7, "crash")]
    ((key, left),) = coverage.take_changes()
    assert (key, rows([] if left is None else [left])) == (A, [(7, 7, "crash")])


def test_a_rotated_out_instrument_is_tracked_until_its_end_is_stored() -> None:
    coverage = live()
    coverage.apply(Unwanted(A, START + 5 * S, "rotated_out"))
    assert coverage.idle("rotated_out") == [(A, START + 5 * S)]
    coverage.take_changes()
    coverage.release([(A, START + 5 * S), (B, START)])
    assert coverage.untracked([A, B]) == [A, B]
    assert coverage.take_changes() == [(A, None)]
    assert coverage.idle("rotated_out") == []


def test_an_instrument_that_came_back_meanwhile_stays_tracked() -> None:
    coverage = live()
    coverage.apply(Unwanted(A, START + 5 * S, "rotated_out"))
    ends = coverage.idle("rotated_out")
    coverage.want(Wanted(A, START + 6 * S), None)
    coverage.release(ends)
    assert coverage.untracked([A]) == []
    assert coverage.idle("rotated_out") == []
    coverage.apply(Unwanted(A, START + 7 * S, "rotated_out"))
    coverage.release(ends)  # of an earlier turn
    assert coverage.idle("rotated_out") == [(A, START + 7 * S)]


def test_an_instrument_set_rotated_out_is_accounted_for_up_to_its_last_interval_only() -> None:
    coverage = CoverageTracker("live")
    coverage.resume([Coverage(A, START, START, "gap", "shutdown", 0)])
    coverage.set_rotated_out([A, B])
    assert coverage.idle("rotated_out") == [(A, START)]
    assert rows(coverage.want(Wanted(A, START + 9 * S), None)) == [(0, 9, "rotated_out")]


def test_an_open_interval_can_be_split() -> None:
    coverage = live()
    assert rows(coverage.split(A, START + 3 * S)) == [(0, 3, "live")]
    assert coverage.split(B, START) == []
    assert rows(coverage.close(A, START + 5 * S)) == [(3, 5, "live")]


class Model:
    """A tracker with the two places that survive it: the checkpoint of open intervals, and the coverage index."""

    def __init__(self) -> None:
        self.tracker = CoverageTracker("live")
        self.checkpoint: dict[InstrumentKey, Coverage] = {}
        self.index: dict[InstrumentKey, int] = {}
        self.ends: dict[InstrumentKey, int] = {}  # of the last interval of each

    def act(self, what: str, key: InstrumentKey, now: int, detail: int) -> list[Coverage]:
        """Do one thing that the collector does; return the closed intervals."""
        tracker = self.tracker
        events: dict[str, BookSnapshot | Gap | Unwanted] = {
            "book": book(key, now, epoch=1 + detail % 2),
            "gap": gap(key, now - detail * S, ("stall", "disconnect", "disk_full")[detail % 3]),
            "drop": Unwanted(key, now, "rotated_out"),
        }
        others: dict[str, Callable[[], list[Coverage] | None]] = {
            "want": lambda: tracker.want(Wanted(key, now, (MICROS, 250_000)[detail % 2]), self.index.get(key)),
            "split": lambda: tracker.split(key, now - detail * S),
            "cut": lambda: tracker.cut(now),
            "set rotated out": lambda: tracker.set_rotated_out([key]),
            "move to index": lambda: self._move_to_index(detail % 3),
            "stop": lambda: self._restart(now, orderly=True),
            "crash": lambda: self._restart(now, orderly=False),
        }
        return tracker.apply(events[what]) if what in events else others[what]() or []

    def _move_to_index(self, count: int) -> None:
        ends = self.tracker.idle("rotated_out")
        self.index |= dict(ends)
        self.tracker.release(ends[:count])

    def _restart(self, now: int, *, orderly: bool) -> list[Coverage]:
        closed: list[Coverage] = []
        if orderly:
            for key in list(self.checkpoint):
                if self.checkpoint[key].reason != "rotated_out":
                    closed += self.tracker.close(key, now)
            self.note()
        self.tracker = CoverageTracker("live")
        gaps: list[Coverage] = []
        for interval in self.checkpoint.values():
            if orderly or interval.reason in ("rotated_out", "shutdown", "crash"):
                gaps.append(interval)
                continue
            end = max(now, interval.start)
            closed += [between(interval, interval.start, end)] if end > interval.start else []
            gaps.append(open_gap(interval.key, end, "crash"))
        self.tracker.resume(gaps)
        return closed

    def note(self) -> None:
        """Do as a commit does with what changed."""
        for key, interval in self.tracker.take_changes():
            self.checkpoint.pop(key, None)
            if interval is not None:
                self.checkpoint[key] = interval


ACTIONS = ["want", "book", "gap", "drop", "split", "cut", "set rotated out", "move to index", "stop", "crash"]
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from([A, B, C]), st.integers(0, 400), st.integers(0, 100)),
    max_size=60,
)


@given(STEPS)
def test_time_is_tiled_and_every_end_is_stored_at_every_moment(
    steps: list[tuple[str, InstrumentKey, int, int]],
) -> None:
    model, now, first = Model(), START, dict[InstrumentKey, int]()
    for what, key, wait, detail in steps:
        now += wait * S
        for interval in model.act(what, key, now, detail):
            assert interval.start < interval.end
            assert interval.start == model.ends.get(interval.key, first.get(interval.key))
            model.ends[interval.key] = interval.end
        if what == "want":
            first.setdefault(key, now)
        model.note()
        assert model.tracker.untracked([A, B, C]) == [each for each in (A, B, C) if each not in model.checkpoint]
        for each, began in first.items():
            end = model.ends.get(each, began)
            assert (model.checkpoint[each].start if each in model.checkpoint else model.index[each]) == end
