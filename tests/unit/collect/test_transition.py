"""Nobody leaves before somebody else is there, within the spare places, and it always ends at the plan."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.transition import BOOKS_PATIENCE, SubscriptionTransition
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.num import MICROS
from tests.kit.recorder_samples import START, VENUE, S, book, recording


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number:02d}"), InstrumentId(f"i{number:02d}"))


def want(*numbers: int, chance: int = MICROS) -> dict[InstrumentKey, int]:
    return {key(number): chance for number in numbers}


def test_the_first_set_comes_at_once() -> None:
    handover = SubscriptionTransition(want(*range(20)), 20)
    step = handover.step(recording().fold.lines, 0)
    assert step == want(*range(20))


def test_the_old_ones_stay_until_the_new_books_are_there() -> None:
    recorder = recording(key(0), key(1))
    handover = SubscriptionTransition(want(1, 2), 2)
    step = handover.step(recorder.fold.lines, 0)
    assert step == want(0, 1, 2)
    recorder.want(step)
    assert handover.step(recorder.fold.lines, S) is None
    recorder.apply([book(key(2), START + S)])
    assert handover.step(recorder.fold.lines, S) == want(1, 2)


def test_a_book_that_never_comes_is_not_waited_for_for_ever() -> None:
    recorder = recording(key(0))
    handover = SubscriptionTransition(want(1), 1)
    step = handover.step(recorder.fold.lines, 0)
    assert step is not None
    recorder.want(step)
    assert handover.step(recorder.fold.lines, BOOKS_PATIENCE - 1) is None
    assert handover.step(recorder.fold.lines, BOOKS_PATIENCE) == want(1)


def test_a_market_that_closes_on_the_way_is_left_out() -> None:
    handover = SubscriptionTransition(want(1, 2), 2)
    handover.forget(key(1))
    handover.forget(key(9))
    assert handover.step(recording().fold.lines, 0) == want(2)


def test_free_places_go_to_who_asks_first() -> None:
    handover = SubscriptionTransition(want(1), 3)
    assert handover.admit([key(1), key(4), key(5), key(6)], MICROS) == [key(4), key(5)]
    assert handover.admit([key(7)], MICROS) == []
    assert handover.step(recording().fold.lines, 0) == want(1, 4, 5)


def test_a_changed_inclusion_alone_is_a_step() -> None:
    recorder = recording(key(0))
    handover = SubscriptionTransition(want(0, chance=250_000), 5)
    step = handover.step(recorder.fold.lines, 0)
    assert step == want(0, chance=250_000)
    recorder.want(step)
    assert handover.step(recorder.fold.lines, 0) is None


@given(
    st.integers(1, 30),
    st.sets(st.integers(0, 60), max_size=30),
    st.sets(st.integers(0, 60), max_size=30),
    st.lists(st.booleans(), min_size=80, max_size=80),
)
def test_it_ends_at_the_plan_and_the_dark_never_outnumber_the_spare(
    capacity: int, before: set[int], after: set[int], answers: list[bool]
) -> None:
    old, new = sorted(before)[:capacity], sorted(after)[:capacity]
    recorder = recording(*map(key, old))
    recorder.apply([book(key(number), START) for number in old])
    handover, now = SubscriptionTransition(want(*new), capacity), 0
    least = min(len(old), len(new))
    for answered in answers:
        step = handover.step(recorder.fold.lines, now)
        if step is not None:
            assert len(step) <= capacity + handover.spare
            recorder.want(step)
        # Whoever is dark was asked for on top of those that are known.
        known = [k for k, line in recorder.fold.lines.items() if line.book.trusted]
        if all(answers):
            assert len(known) >= least - handover.spare
        now += S
        if answered:
            recorder.apply([book(k, START + now) for k, line in recorder.fold.lines.items() if not line.book.trusted])
        else:
            now += BOOKS_PATIENCE
    assert recorder.fold.lines.keys() == set(map(key, new))
