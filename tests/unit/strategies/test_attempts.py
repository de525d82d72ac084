"""The record of attempts at groups of claims."""

import pytest

from predsurv.core.ids import StrategyName
from predsurv.strategies import attempts as module
from predsurv.strategies.attempts import SetAttempt, SetAttempts, improves_best
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import START, YES, delta

NAME = StrategyName("s")


def group_of(view: ManualView) -> ClaimGroup:
    group = ClaimGroups().of(ABC[0], view)
    assert group is not None
    return group


def tried(view: ManualView) -> tuple[SetAttempts, SetAttempt]:
    attempts, attempt = SetAttempts(NAME), SetAttempt(group_of(view), "g", START + 5, frozenset({yes(0)}))
    attempts.add(attempt)
    return attempts, attempt


def test_a_group_waits_after_an_attempt() -> None:
    view = ManualView()
    attempts, _ = tried(view)
    assert not SetAttempts(NAME).blocked(group_of(view), view)
    assert attempts.blocked(group_of(view), view)
    view.time = START + 5
    assert not attempts.blocked(group_of(view), view)


def test_orders_in_flight_block_a_group() -> None:
    view = ManualView()
    attempts, attempt = tried(view)
    view.time = START + 5
    view.rest("other", YES)
    assert not attempts.blocked(group_of(view), view)
    view.rest("o", yes(1))
    assert attempts.blocked(group_of(view), view)
    assert attempts.unbalanced(view, None) == ()
    view.orders.clear()
    assert attempts.unbalanced(view, None) == (attempt,)


def test_a_fill_calls_for_another_look() -> None:
    view = ManualView()
    attempts, attempt = tried(view)
    attempt.unbalanced = False
    assert attempts.unbalanced(view, None) == ()
    assert attempts.unbalanced(view, YES) == ()
    assert attempts.unbalanced(view, no(0)) == (attempt,)


def test_the_next_look_is_when_the_first_that_may_be_incomplete_may_be_tried_again() -> None:
    view = ManualView()
    attempts, attempt = tried(view)
    assert attempts.next_look() == START + 5
    attempt.unbalanced = False
    assert attempts.next_look() > START + 10**18
    attempts.look_again()
    assert attempts.next_look() == START + 5


def test_what_is_held_from_before_a_restart_is_taken_up_once() -> None:
    view = ManualView()
    attempts = SetAttempts(NAME)
    attempts.adopt(group_of(view), view)
    (adopted,) = attempts.unbalanced(view, None)
    attempts.adopt(group_of(view), view)
    assert attempts.unbalanced(view, None) == (adopted,)
    assert not attempts.blocked(group_of(view), view)


def test_the_oldest_attempt_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    view = ManualView()
    monkeypatch.setattr(module, "ATTEMPTS_MAX", 1)
    attempts, _ = tried(view)
    other = SetAttempt(ClaimGroup("other", (), exhaustive=False), "h", START, frozenset())
    attempts.add(other)
    assert attempts.unbalanced(view, None) == (other,)


def test_only_a_better_price_can_improve_the_best() -> None:
    view = ManualView()
    snapshot = view.show(yes(0), bids=((20, 5),), asks=((30, 5),))
    assert improves_best(snapshot, view)
    assert improves_best(delta("ask", 30, 5, key=yes(0)), view)
    assert improves_best(delta("bid", 20, 5, key=yes(0)), view)
    assert not improves_best(delta("ask", 31, 5, key=yes(0)), view)
    assert not improves_best(delta("ask", 30, 0, key=yes(0)), view)
    assert not improves_best(delta("ask", 30, 5, key=yes(1)), view)


def test_sets_are_made_of_what_was_ordered_and_what_is_held() -> None:
    view = ManualView()
    attempts, _ = tried(view)
    view.hold(no(1), 5)
    assert attempts.keys_of(group_of(view), view) == {yes(0), no(1)}
    assert SetAttempts(NAME).keys_of(group_of(view), view) == {no(1)}
