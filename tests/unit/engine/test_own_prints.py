"""Our own fills come back as public trades where a venue executes our orders; the volume of others is the rest."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, Event, Fill, Trade
from predsurv.core.ids import TradeId
from predsurv.core.num import Size
from predsurv.core.orders import Decision
from predsurv.core.reconciliation import TradingHeld
from predsurv.engine import own_prints as module
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.own_prints import OwnPrints
from predsurv.engine.risk.execution_rules import VenueRules
from predsurv.state.view import View
from tests.kit.trading_samples import LIMITS, ME, NO, START, YES, S, V, World, book, fill, intent, shares, trade


def prints(*fills: Fill, executing: bool = True) -> OwnPrints:
    found = OwnPrints(World().show(book()).cache, frozenset({V} if executing else ()))
    for each in fills:
        found.on_fill(each)
    return found


def printed(trade_id: str | None, size: float = 10, price: int = 51, taker: Any = "buy", **changes: Any) -> Trade:
    return replace(trade(price, size, taker), trade_id=None if trade_id is None else TradeId(trade_id), **changes)


def test_a_print_with_the_id_of_a_fill_is_ours_once() -> None:
    own = prints(fill("a", 10))
    echo, again = printed("a.1"), printed("a.1")
    assert own.others(echo) is None
    assert own.others(echo) is None  # the same event, asked by whoever else observes it
    assert own.others(again) is again


def test_a_print_with_another_id_is_of_others_however_alike() -> None:
    other = printed("b.1")
    assert prints(fill("a", 10)).others(other) is other


def test_of_a_print_that_is_ours_in_part_the_rest_is_of_others() -> None:
    own = prints(fill("a", 10), replace(fill("b", 5), trade_id=TradeId("a.1")))
    rest = own.others(printed("a.1", 40))
    assert rest == printed("a.1", 25)


@pytest.mark.parametrize(
    ("own", "echo"),
    [
        (fill("a", 10), printed(None)),
        (fill("a", 10, maker=True), printed(None, taker="sell")),  # we bought from nobody: a seller took us
        (fill("a", 10, 49, key=NO), printed(None, 10, 51, "sell")),  # told on the other outcome of one book
        (fill("a", 10), printed(None, 10, 49, "sell", key=NO)),
        (fill("a", 10), printed(None, taker=None)),
    ],
)
def test_where_prints_have_no_id_one_of_the_same_looks_is_ours(own: Fill, echo: Trade) -> None:
    found = prints(own)
    assert found.others(echo) is None
    again = replace(echo, ts_recv=START + 1)
    assert found.others(again) is again


@pytest.mark.parametrize(
    "other",
    [printed(None, price=52), printed(None, taker="sell"), printed(None, ts_recv=START + 11 * S)],
)
def test_a_print_without_an_id_that_looks_otherwise_or_comes_late_is_of_others(other: Trade) -> None:
    assert prints(fill("a", 10)).others(other) is other


def test_where_our_orders_are_simulated_no_print_is_ours() -> None:
    echo = printed("a.1")
    assert prints(fill("a", 10), executing=False).others(echo) is echo


def test_a_fill_told_after_its_print_waits_for_no_other() -> None:
    own = prints()
    early, alike = printed("a.1"), printed(None, ts_recv=START + 2)
    assert own.others(early) is early, "nobody knows yet"
    own.on_fill(fill("a", 10))
    assert own.others(alike) is alike, "what looks like it is the trade of somebody else"


def test_of_a_fill_whose_print_was_told_in_part_the_rest_is_waited_for() -> None:
    own = prints()
    assert own.others(first := printed("a.1", 4)) is first
    assert own.others(second := printed("a.1", 3)) is second
    own.on_fill(fill("a", 10))
    assert own.others(printed("a.1", 5)) == printed("a.1", 2)


def test_two_fills_of_one_trade_share_the_print_told_before_them() -> None:
    own = prints()
    own.others(printed("a.1", 12))
    own.on_fill(fill("a", 10))
    own.on_fill(replace(fill("b", 5), trade_id=TradeId("a.1")))
    assert own.others(printed("a.1", 5)) == printed("a.1", 2), "3 of the second fill are still to be printed"


def test_a_print_long_before_a_fill_is_not_its_own() -> None:
    own = prints()
    own.others(printed("a.1"))
    own.on_fill(replace(fill("a", 10), ts_recv=START + 11 * S))
    assert own.others(printed("a.1", ts_recv=START + 11 * S)) is None


@given(st.permutations(["fill", "one", "two"]), st.integers(1, 9))
def test_what_is_left_for_others_does_not_depend_on_the_order_of_telling(order: list[str], first: int) -> None:
    """Of 15 printed 10 are ours: what was heard too early as that of others is not subtracted again."""
    own, heard, early = prints(), 0, 0
    for number, each in enumerate(order):
        if each == "fill":
            own.on_fill(fill("a", 10))
            early = heard
        else:
            rest = own.others(printed("a.1", first if each == "one" else 15 - first, ts_recv=START + number))
            heard += 0 if rest is None else rest.size
    assert heard == shares(5) + min(early, shares(10))


def test_what_is_waited_for_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILLS_KEPT_MAX", 2)
    own = prints(*(fill(name, 10) for name in ("a", "b", "c")))
    assert own.others(printed("a.1")) is not None
    assert own.others(printed("c.1")) is None
    monkeypatch.setattr(module, "PRINTS_KEPT_MAX", 2)
    for name in ("d", "e", "f"):
        own.others(printed(f"{name}.1"))
    own.on_fill(fill("d", 10))
    own.on_fill(fill("f", 10))
    assert own.others(printed("d.1")) is None, "its print before was forgotten: this one is taken for it"
    assert own.others(printed("f.1")) is not None


class Listener:
    """Orders once, and keeps the trades that it hears of."""

    name, signals = ME, frozenset({"test"})
    interest = EVERYTHING

    def __init__(self) -> None:
        self.heard: list[Trade] = []
        self.asks: list[Size] = []

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        if isinstance(event, Trade):
            self.heard.append(event)
        known = view.book(YES)
        self.asks += [] if known is None else [level[1] for level in known.asks.levels()][:1]
        return [intent()] if isinstance(event, BookSnapshot) else []


@pytest.mark.parametrize("executes", [True, False])
def test_strategies_hear_of_others_and_see_books_as_the_venue_has_them(executes: bool) -> None:
    """A venue that executes our orders shows by itself what is left of a level; a simulated one never does."""
    world, listener = World(), Listener()
    made = Engine(
        run="r",
        limits=LIMITS,
        strategies=[listener],
        cache=world.cache,
        account=world.account,
        rules=VenueRules(frozenset({V} if executes else ())),
    )
    made.step(TradingHeld(V, START, ""))
    (command,) = made.step(book()).commands
    done = replace(fill("r-00000001", 10), trade_id=TradeId("t"), client_order_id=command.command.client_order_id)
    made.step(done)
    made.step(printed("t"))
    made.step(printed("other", 3))
    sizes = [each.size for each in listener.heard]
    assert sizes == ([shares(3)] if executes else [shares(10), shares(3)])
    assert listener.asks[-1] == shares(100 if executes else 90)
