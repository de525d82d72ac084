"""Whatever the machine's clock does, rows sorted by time fold to the books that were folded as they came."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.clock import SteadyClock
from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import each_record
from predsurv.core.num import MICROS
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.state.book import Book
from tests.kit.packed_levels import unpack_levels
from tests.kit.recorder_samples import KEYS, START, S, book, delta, gap, recording, trade
from tests.kit.two_hands import TwoHands

RECORDED_THEN = frozenset({"clock_step", "rotated_out", "subscribing", "shutdown"})
"""Gaps that are never found out later: nothing can have been recorded in them."""

_JUMPS = (0, 0, 0, 0, -S // 2, S // 3, -10 * S, 12 * S, 600 * S, -600 * S, 3_600 * S, -3_600 * S, 90_000 * S)
_OPS = st.lists(
    st.tuples(
        st.sampled_from("bbbaasgltddddnnncw"),
        st.sampled_from([0, 1, S // 50, S // 50, S, 40 * S]),
        st.sampled_from(_JUMPS),
        st.integers(0, 2),
        st.integers(1, 8),
        st.integers(0, 3),
    ),
    max_size=40,
)
_Op = tuple[str, int, int, int, int, int]


class World:
    """A feed whose events wait in a queue, a recorder that takes them as a session does, and a clock that is set."""

    def __init__(self) -> None:
        self.hands = TwoHands(START)
        self.clock = SteadyClock(self.hands)
        self.recorder = recording(*KEYS)
        self.records: list[Record] = []
        self.queue: deque[MarketEvent] = deque()
        self._quiet_since = 0

    def run(self, op: _Op) -> None:
        kind, duration, jump, number, price, size = op
        self.hands.run(duration, step=jump)
        if kind == "d":
            self.drain(1 + size)
        elif kind == "n":
            self.turn()
        elif kind == "c":
            self.check_clock()
            self.records += self.recorder.coverage.cut(self.recorder.watermark)
        elif kind == "w":
            self.records += self.recorder.want(dict.fromkeys(KEYS[: size + 1], MICROS), {})
        else:
            self.queue.append(_event(kind, KEYS[number], self.hands.wall, price, size))

    def drain(self, count: int) -> None:
        """Fold what waits: a batch that was received some time ago."""
        batch = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        if batch:
            self.check_clock()
            self.records += each_record(self.recorder.apply(self.clock.stamp(batch), self.clock.time))
            self._quiet_since = 0

    def turn(self) -> None:
        """Let the recorder have its turn: time goes on when nothing waited between two of them."""
        self.check_clock()
        if not self.queue:
            if self._quiet_since:
                self.records += self.recorder.advance(self._quiet_since)
            self._quiet_since = self.clock.now()

    def check_clock(self) -> None:
        if self.clock.jumped():
            self._quiet_since = 0
            self.records += self.recorder.step_clock(self.clock.time)
            self.clock.not_before(self.recorder.watermark)


def _event(kind: str, key: InstrumentKey, now: int, price: int, size: int) -> MarketEvent:
    match kind:
        case "b":
            return delta(key, now, price, size)
        case "a":
            return delta(key, now, price + 8, size, "ask")
        case "s":
            return book(key, now, price, price + 8)
        case "g":
            return gap(key, now, "disconnect")
        case "l":
            return gap(key, now - size * 3 * S, "stall")  # found out late
        case _:
            return trade(key, now)


def changes(records: list[Record], key: InstrumentKey, until: int) -> list[BookSnapshot | BookDelta]:
    """Return the book records of ``key`` up to ``until``, by time as a reader of the files has them."""
    found = [r for r in records if isinstance(r, BookSnapshot | BookDelta) and r.key == key and r.ts_recv <= until]
    return sorted(found, key=lambda record: record.ts_recv)


def fold(records: list[Record], key: InstrumentKey, until: int) -> Book:
    folded = Book(key)
    for record in changes(records, key, until):
        folded.apply(record)
    return folded


def intervals(records: list[Record], key: InstrumentKey) -> list[Coverage]:
    return [r for r in records if isinstance(r, Coverage) and r.key == key]


def in_gaps(records: list[Record]) -> Iterator[tuple[Record, Coverage]]:
    for row in records:
        if isinstance(row, BookSnapshot | BookDelta) or (isinstance(row, BookTop) and row.trusted):
            for lost in intervals(records, row.key):
                if lost.reason in RECORDED_THEN and lost.start < row.ts_recv < lost.end:
                    yield row, lost


@given(_OPS)
def test_rows_by_time_are_the_books_by_arrival_and_none_lies_in_a_gap(ops: list[_Op]) -> None:
    world = World()
    for op in ops:
        world.run(op)
        for key, instrument in world.recorder.instruments.items():
            if instrument.book.trusted:
                folded = fold(world.records, key, world.recorder.watermark)
                assert folded.top(99) == instrument.book.top(99)
        assert world.recorder.watermark <= world.clock.now()
    world.drain(len(world.queue))
    world.records += world.recorder.stop()
    times = [r.ts_recv for r in world.records if isinstance(r, BookDelta | Trade)]
    assert times == sorted(times)
    assert list(in_gaps(world.records)) == []
    for key in KEYS:
        assert all(one.end == other.start for one, other in pairwise(intervals(world.records, key)))
    for top in world.records:
        if isinstance(top, BookTop) and top.trusted:
            shown = (unpack_levels(top.bids), unpack_levels(top.asks))
            assert fold(world.records, top.key, top.ts_recv).top(2) == shown


@given(_OPS)
def test_no_event_is_lost_to_a_jump(ops: list[_Op]) -> None:
    kept = [op for op in ops if op[0] in "basdn"]
    jumping, still = World(), World()
    for kind, duration, jump, *drawn in kept:
        jumping.run((kind, duration, jump, *drawn))  # type: ignore[arg-type]
        still.run((kind, duration, 0, *drawn))  # type: ignore[arg-type]
    for world in (jumping, still):
        world.drain(len(world.queue))
    one, other = ([r for r in world.records if isinstance(r, BookDelta)] for world in (jumping, still))
    assert [(r.key, r.side, r.price, r.size) for r in one] == [(r.key, r.side, r.price, r.size) for r in other]


def test_a_gap_that_waited_while_the_clock_was_set_ahead_loses_the_book_from_the_jump_on() -> None:
    world = World()
    world.queue.append(book(KEYS[0], START))
    world.drain(1)
    world.hands.run(S)
    world.queue.append(Gap(KEYS[0], world.hands.wall, "disconnect", 1))
    world.hands.run(S // 100, step=600 * S)
    world.drain(1)
    world.hands.run(S)
    world.turn()
    world.hands.run(S)
    world.turn()
    world.records += world.recorder.stop()
    found = intervals(world.records, KEYS[0])
    assert [each.reason for each in found if each.end - each.start > 1] == ["clock_step", "disconnect"]
    assert [each.state for each in found] == ["gap"] * len(found)


def test_a_gap_that_is_noticed_when_it_begins_lies_behind_what_was_received_before() -> None:
    recorder = recording(KEYS[0])
    records = recorder.apply([book(KEYS[0], START), delta(KEYS[0], START + 5 * S, 41, 1)])
    records += recorder.apply([Gap(KEYS[0], START + 4 * S, "subscribing", 1)])  # recorded time went slower meanwhile
    records += recorder.advance(START + 9 * S) + recorder.stop()
    found = [(each.start - START, each.end - START, each.reason) for each in intervals(records, KEYS[0])]
    assert found == [(0, 5 * S, "live"), (5 * S, 9 * S, "subscribing")]
