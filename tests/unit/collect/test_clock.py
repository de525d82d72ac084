"""Recorded time never goes back, whatever the machine's clock does, and jumps are noticed."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.collect.clock import OFFSET_WINDOW, SLEW, STEP_MAX, STILL_MAX, TOLERANCE, ClockOffset, SteadyClock
from predsurv.core.level_changes import LevelChanges
from tests.kit.recorder_samples import START, A, S, book, delta, gap
from tests.kit.two_hands import TwoHands


def test_while_the_machines_clock_is_right_it_is_followed() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    for duration in (S, 0, 5, 1_000 * S):
        hands.run(duration, step=-(duration // 2_000))  # steered by 500 ppm at most
        assert (clock.now(), clock.ahead, clock.jumped()) == (hands.wall, 0, 0)
    batch = [delta(A, hands.wall, 40, 1)]
    assert clock.stamp(batch) is batch


def test_a_jump_forward_is_followed_and_reported_once() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(S, step=2 * S)
    assert clock.now() == hands.wall
    assert [clock.jumped(), clock.jumped()] == [2 * S, 0]


def test_after_a_step_back_time_goes_on_slower_until_the_clock_has_caught_up() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(S, step=-100 * S)
    assert clock.now() == START + S - S // SLEW
    assert clock.jumped() == -100 * S
    hands.run(500 * S)
    assert clock.now() == START + (501 - 50) * S - S // SLEW
    hands.run(500 * S)
    assert (clock.now(), clock.ahead) == (hands.wall, 0)


def test_during_a_small_step_back_time_stands_still() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(0, step=-TOLERANCE // 2)
    assert clock.now() == START
    assert not clock.jumped()
    hands.run(TOLERANCE)
    assert clock.now() == hands.wall == START + TOLERANCE // 2


def test_events_are_stamped_with_recorded_time_and_keep_their_order_across_the_step() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(S)
    before = delta(A, hands.wall, 40, 1)  # waits in a queue while the clock is set back
    hands.run(S // 10, step=-3_600 * S)
    after = delta(A, hands.wall, 41, 1)
    stamped = clock.stamp([before, after])
    times = [event.ts_recv for event in stamped]
    assert times == sorted(times)
    assert all(START + S - S // 2 < ts <= clock.now() for ts in times)
    assert [event.ts_venue for event in (before, after)] == [event.ts_venue for event in stamped]  # type: ignore[union-attr]


def test_a_gap_that_began_before_a_step_back_keeps_its_beginning() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(10 * S)
    lost = gap(A, START + 3 * S, "stall")
    hands.run(S // 10, step=-3_600 * S)
    assert clock.stamp([lost]) == [lost]


def test_a_run_goes_on_after_the_time_that_an_earlier_one_accounted_for() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    clock.not_before(START + 50 * S)
    hands.run(10 * S)
    assert clock.now() == START + 59 * S
    assert not clock.jumped()


@given(st.lists(st.tuples(st.integers(0, 10 * S), st.sampled_from([0, 0, -1, -S, -7_200 * S, S, 7_200 * S]))))
def test_time_never_goes_back_and_is_never_behind_by_more_than_the_tolerance(moves: list[tuple[int, int]]) -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    last = clock.now()
    for duration, step in moves:
        hands.run(duration, step=step)
        now = clock.now()
        assert now >= last
        assert now >= hands.wall
        assert clock.ahead >= 0
        last = now


@given(st.integers(STEP_MAX + 1, 10**15), st.booleans())
def test_a_jump_is_seen_in_either_direction(size: int, forward: bool) -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(S, step=size if forward else -size)
    assert clock.jumped() == (size if forward else -size)
    assert clock.steps == 1


def test_the_offset_of_the_clock_is_that_of_the_fastest_message_of_late() -> None:
    offset = ClockOffset()
    assert offset.reading(0) is None
    slow, fast = delta(A, START, 40, 1), replace(delta(A, START, 40, 1), ts_venue=START - S // 50)
    offset.observe([replace(slow, ts_venue=START - S)], START, 0)
    offset.observe([book(A, START), replace(fast, ts_venue=START - S // 20)], START, S)
    assert offset.reading(S) == S // 20
    offset.observe([fast], START, OFFSET_WINDOW)
    assert offset.reading(OFFSET_WINDOW) == S // 50
    assert offset.reading(3 * OFFSET_WINDOW) is None, "a venue that says nothing tells nothing of the clock"


def test_the_offset_of_a_clock_that_was_set_is_that_of_what_came_since() -> None:
    offset = ClockOffset()
    offset.observe([replace(delta(A, START, 40, 1), ts_venue=START - S // 50)], START, 0)
    offset.forget()
    waited = delta(A, START, 40, 1)
    offset.observe([waited], START + 600 * S, 1)
    assert offset.reading(1) is None
    offset.observe([replace(delta(A, START + 600 * S, 40, 1), ts_venue=START)], START + 600 * S, 2)
    assert offset.reading(3) == 600 * S


def test_a_clock_that_nobody_looked_at_for_long_stood_still() -> None:
    hands = TwoHands(START)
    clock = SteadyClock(hands)
    hands.run(STILL_MAX)
    clock.now()
    assert clock.stood_still() == 0
    hands.run(STILL_MAX + 1)
    clock.now()
    assert (clock.stood_still(), clock.stood_still()) == (STILL_MAX + 1, 0)
    assert not clock.jumped()


def test_changes_that_are_put_together_are_stamped_and_observed_as_changes() -> None:
    hands = TwoHands(START)
    clock, offset = SteadyClock(hands), ClockOffset()
    changes = [delta(A, START, 40, 1), delta(A, START, 41, 1)]
    offset.observe([LevelChanges(changes)], START, 0)
    assert offset.reading(0) == START - (changes[0].ts_venue or 0)
    run = [LevelChanges(changes)]
    assert clock.stamp(run) is run
    hands.run(S, step=-100 * S)
    assert clock.stamp(run) == clock.stamp(changes) != changes
