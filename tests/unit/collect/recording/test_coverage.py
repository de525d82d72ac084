"""Whoever rotates out is remembered somewhere at every moment, and claims are made late."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.recording.coverage import CLAIM_HELD, CoverageTracker
from predsurv.core.events import BookSnapshot, Gap, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage
from tests.kit.recorder_samples import START, A, B, C, S, book, gap


def rows(tiles: list[Coverage]) -> list[tuple[int, int, str]]:
    return [((row.start - START) // S, (row.end - START) // S, row.reason) for row in tiles]


def live() -> CoverageTracker:
    account = CoverageTracker("live")
    account.apply(Wanted(A, START))
    account.apply(book(A, START))
    return account


def test_covered_time_is_claimed_only_when_no_stall_can_take_it_back() -> None:
    account, held = live(), CLAIM_HELD // S
    assert account.cut(START + CLAIM_HELD) == []
    assert rows(account.cut(START + CLAIM_HELD + 60 * S)) == [(0, 60, "live")]
    late = account.apply(gap(A, START + 70 * S, "stall"))
    assert rows(late) == [(60, 70, "live")]
    assert rows(account.shut(A, START + (held + 60) * S)) == [(70, held + 60, "stall")]


def test_a_gap_that_began_before_the_last_claim_begins_there() -> None:
    account = live()
    account.cut(START + CLAIM_HELD + 60 * S)
    assert account.apply(gap(A, START + 10 * S, "stall")) == []
    assert rows(account.apply(book(A, START + 90 * S))) == [(60, 90, "stall")]


def test_what_a_crash_left_open_is_noted_when_it_is_cut_before_anything_is_wanted() -> None:
    account = CoverageTracker("live")
    account.resume([Coverage(A, START, START, "gap", "crash", 0)])
    account.drain()
    assert rows(account.cut(START + 7 * S)) == [(0, 7, "crash")]
    ((key, left),) = account.drain()
    assert (key, rows([] if left is None else [left])) == (A, [(7, 7, "crash")])


def test_who_rotates_out_is_idle_until_somebody_else_remembers() -> None:
    account = live()
    account.apply(Unwanted(A, START + 5 * S, "rotated_out"))
    assert account.idle() == [(A, START + 5 * S)]
    account.drain()
    account.hand_over([(A, START + 5 * S), (B, START)])
    assert not account.tracks(A)
    assert account.drain() == [(A, None)]
    assert account.idle() == []


def test_who_came_back_meanwhile_is_not_forgotten() -> None:
    account = live()
    account.apply(Unwanted(A, START + 5 * S, "rotated_out"))
    ends = account.idle()
    account.apply(Wanted(A, START + 6 * S))
    account.hand_over(ends)
    assert account.tracks(A)
    assert account.idle() == []
    account.apply(Unwanted(A, START + 7 * S, "rotated_out"))
    account.hand_over(ends)  # of an earlier turn
    assert account.idle() == [(A, START + 7 * S)]


def test_who_is_laid_off_is_accounted_for_up_to_the_last_tile_only() -> None:
    account = CoverageTracker("live")
    account.resume([Coverage(A, START, START, "gap", "shutdown", 0)])
    account.lay_off([A, B])
    assert account.idle() == [(A, START)]
    assert rows(account.apply(Wanted(A, START + 9 * S))) == [(0, 9, "rotated_out")]


def test_an_interval_can_be_split() -> None:
    account = live()
    assert rows(account.split(A, START + 3 * S)) == [(0, 3, "live")]
    assert account.split(B, START) == []
    assert rows(account.shut(A, START + 5 * S)) == [(3, 5, "live")]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "book", "gap", "drop", "resume", "split", "cut", "lay off", "hand over"]),
        st.sampled_from([A, B, C]),
        st.integers(0, 400),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_notes_begin_at_every_moment_where_the_last_tile_ended(steps: list[tuple[str, InstrumentKey, int]]) -> None:
    account, now = CoverageTracker("live"), START
    noted: dict[InstrumentKey, int] = {}
    ends: dict[InstrumentKey, int] = {}
    for what, key, wait in steps:
        now += wait * S
        for tile in taken(account, what, key, now, ends.get(key, now)):
            assert tile.start == ends.get(tile.key, noted[tile.key])
            ends[tile.key] = tile.end
        for changed, interval in account.drain():
            noted.pop(changed, None)
            if interval is not None:
                noted[changed] = interval.start
        assert all(ends.get(each, start) == start for each, start in noted.items())
        assert all(account.tracks(each) == (each in noted) for each in (A, B, C))


def taken(account: CoverageTracker, what: str, key: InstrumentKey, now: int, ended: int) -> list[Coverage]:
    if what == "resume" and not account.tracks(key):
        account.resume([Coverage(key, ended, ended, "gap", "crash", 0)])
    elif what == "lay off":
        account.lay_off([key])
    elif what == "hand over":
        account.hand_over(account.idle())
    elif what == "cut":
        return account.cut(now)
    elif what == "split":
        return account.split(key, now)
    events: dict[str, BookSnapshot | Gap | Wanted] = {
        "want": Wanted(key, now),
        "book": book(key, now),
        "gap": gap(key, now - 100 * S, "stall"),
    }
    event = events.get(what, Unwanted(key, now, "rotated_out") if what == "drop" else None)
    return [] if event is None else account.apply(event)
