"""A transition makes before it breaks, within the spare places, and always ends at its target."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.transition import BOOKS_WAIT_MAX, SubscriptionTransition
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.num import MICROS
from tests.kit.recorder_samples import START, VENUE, S, book, recording


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number:02d}"), InstrumentId(f"i{number:02d}"))


def want(*numbers: int, chance: int = MICROS) -> dict[InstrumentKey, int]:
    return {key(number): chance for number in numbers}


def test_the_first_set_is_recorded_at_once() -> None:
    transition = SubscriptionTransition(want(*range(20)), 20)
    step = transition.next_set(recording().instruments, 0)
    assert step == want(*range(20))


def test_leaving_instruments_stay_until_the_new_books_are_there() -> None:
    recorder = recording(key(0), key(1))
    transition = SubscriptionTransition(want(1, 2), 2)
    step = transition.next_set(recorder.instruments, 0)
    assert step == want(1, 2) | want(0, chance=0), "what leaves is not part of the period's sample"
    transition.request(step.keys() - recorder.instruments.keys(), 0)
    recorder.want(step, dict.fromkeys(step))
    assert transition.next_set(recorder.instruments, S) is None
    recorder.apply([book(key(2), START + S)])
    assert transition.next_set(recorder.instruments, S) == want(1, 2)


def test_a_book_that_never_comes_is_waited_for_for_a_limited_time() -> None:
    recorder = recording(key(0))
    transition = SubscriptionTransition(want(1), 1)
    step = transition.next_set(recorder.instruments, 0)
    assert step is not None
    transition.request(step.keys() - recorder.instruments.keys(), 0)
    recorder.want(step, dict.fromkeys(step))
    assert transition.next_set(recorder.instruments, BOOKS_WAIT_MAX - 1) is None
    assert transition.next_set(recorder.instruments, BOOKS_WAIT_MAX) == want(1)


def test_asking_for_the_next_set_changes_nothing() -> None:
    recorder = recording(*map(key, range(20)))
    recorder.apply([book(key(n), START) for n in range(20)])
    transition = SubscriptionTransition(want(*range(20, 40)), 20)
    first = transition.next_set(recorder.instruments, 0)
    assert first is not None
    transition.request(first.keys() - recorder.instruments.keys(), 0)
    recorder.want(first, dict.fromkeys(first))
    assert transition.next_set(recorder.instruments, BOOKS_WAIT_MAX - 1) is None
    late = transition.next_set(recorder.instruments, BOOKS_WAIT_MAX)
    assert late is not None
    assert transition.next_set(recorder.instruments, BOOKS_WAIT_MAX) == late, "asked again after a look at the index"


def test_a_market_that_closes_during_a_transition_is_left_out() -> None:
    transition = SubscriptionTransition(want(1, 2), 2)
    transition.remove(key(1))
    transition.remove(key(9))
    assert transition.next_set(recording().instruments, 0) == want(2)


def test_free_places_go_to_the_first_to_be_admitted() -> None:
    transition = SubscriptionTransition(want(1), 3)
    assert transition.admit([key(1), key(4), key(5), key(6)], MICROS) == [key(4), key(5)]
    assert transition.admit([key(7)], MICROS) == []
    assert transition.next_set(recording().instruments, 0) == want(1, 4, 5)


def test_a_changed_inclusion_alone_is_a_step() -> None:
    recorder = recording(key(0))
    transition = SubscriptionTransition(want(0, chance=250_000), 5)
    step = transition.next_set(recorder.instruments, 0)
    assert step == want(0, chance=250_000)
    transition.request(step.keys() - recorder.instruments.keys(), 0)
    recorder.want(step, dict.fromkeys(step))
    assert transition.next_set(recorder.instruments, 0) is None


@given(
    st.integers(1, 30),
    st.sets(st.integers(0, 60), max_size=30),
    st.sets(st.integers(0, 60), max_size=30),
    st.lists(st.booleans(), min_size=80, max_size=80),
)
def test_a_transition_ends_at_its_target_and_books_not_yet_there_never_outnumber_the_spare(
    capacity: int, before: set[int], after: set[int], answers: list[bool]
) -> None:
    old, new = sorted(before)[:capacity], sorted(after)[:capacity]
    recorder = recording(*map(key, old))
    recorder.apply([book(key(number), START) for number in old])
    transition, now = SubscriptionTransition(want(*new), capacity), 0
    least = min(len(old), len(new))
    for answered in answers:
        step = transition.next_set(recorder.instruments, now)
        if step is not None:
            assert len(step) <= capacity + transition.spare
            transition.request(step.keys() - recorder.instruments.keys(), now)
            recorder.want(step, dict.fromkeys(step))
        # Instruments without a book are recorded on top of those that have one.
        trusted = [k for k, each in recorder.instruments.items() if each.book.trusted]
        if all(answers):
            assert len(trusted) >= least - transition.spare
        now += S
        if answered:
            recorder.apply([book(k, START + now) for k, each in recorder.instruments.items() if not each.book.trusted])
        else:
            now += BOOKS_WAIT_MAX
    assert recorder.instruments.keys() == set(map(key, new))
