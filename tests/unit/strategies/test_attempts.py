"""The record of attempts at baskets."""

import pytest

from predsurv.core.ids import StrategyName
from predsurv.strategies import attempts as module
from predsurv.strategies.attempts import BasketAttempt, BasketAttempts, improves_best
from predsurv.strategies.baskets import Basket, baskets_of
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import START, delta

NAME = StrategyName("s")


def yes_basket(view: ManualView) -> Basket:
    return next(iter(baskets_of(ABC[0], view)))


def tried(view: ManualView) -> tuple[BasketAttempts, BasketAttempt]:
    attempts, attempt = BasketAttempts(NAME), BasketAttempt(yes_basket(view), "g", START + 5)
    attempts.add(attempt)
    return attempts, attempt


def test_a_basket_waits_after_an_attempt() -> None:
    view = ManualView()
    attempts, _ = tried(view)
    assert not BasketAttempts(NAME).blocked(yes_basket(view), view)
    assert attempts.blocked(yes_basket(view), view)
    view.time = START + 5
    assert not attempts.blocked(yes_basket(view), view)


def test_orders_in_flight_and_unequal_legs_block_a_basket() -> None:
    view = ManualView()
    attempts, attempt = tried(view)
    view.time = START + 5
    view.rest("o", yes(1))
    assert attempts.blocked(yes_basket(view), view)
    assert attempts.unbalanced(view, None) == ()
    view.orders.clear()
    view.hold(yes(0), 10)
    assert attempts.blocked(yes_basket(view), view)
    assert attempts.unbalanced(view, None) == (attempt,)
    attempt.unbalanced = False
    assert not attempts.blocked(yes_basket(view), view)
    assert attempts.unbalanced(view, no(0)) == ()
    assert attempts.unbalanced(view, yes(2)) == (attempt,)


def test_a_basket_keeps_its_legs_while_any_is_held() -> None:
    view = ManualView()
    attempts = BasketAttempts(NAME)
    first = yes_basket(view)
    assert attempts.as_begun(first, view) == first
    attempts.add(BasketAttempt(Basket(first.name, first.kind, first.keys[:2], first.payout), "g", START))
    assert attempts.as_begun(first, view) == first
    view.hold(yes(0), 10)
    kept = attempts.as_begun(first, view)
    assert kept is not None
    assert kept.keys == first.keys[:2]


def test_a_basket_held_before_a_restart_is_adopted() -> None:
    view = ManualView()
    view.hold(yes(0), 10)
    attempts = BasketAttempts(NAME)
    attempts.adopt_held(yes_basket(view), view)
    attempts.adopt_held(yes_basket(view), view)
    assert len(attempts.unbalanced(view, None)) == 1
    BasketAttempts(NAME).adopt_held(yes_basket(ManualView()), ManualView())


def test_the_oldest_attempt_is_dropped_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASKETS_MAX", 1)
    view = ManualView()
    attempts, _ = tried(view)
    attempts.add(BasketAttempt(Basket("other", "outcomes", (no(0),), yes_basket(view).payout), "h", START))
    assert not attempts.blocked(yes_basket(view), view)


def test_only_a_change_of_the_best_level_can_improve_a_price() -> None:
    view = ManualView()
    assert not improves_best(delta("ask", 30, 5, key=yes(0)), view)
    event = view.show(yes(0), bids=((20, 5),), asks=((30, 5),))
    assert improves_best(event, view)
    assert improves_best(delta("ask", 30, 5, key=yes(0)), view)
    assert improves_best(delta("bid", 20, 5, key=yes(0)), view)
    assert not improves_best(delta("ask", 31, 5, key=yes(0)), view)
    assert not improves_best(delta("ask", 30, 0, key=yes(0)), view)
    view.show(yes(0), bids=((20, 5),))
    assert not improves_best(delta("ask", 30, 5, key=yes(0)), view)
