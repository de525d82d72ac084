"""Orders of a live run and its twin are paired by what was decided, and their fills, prices and times compared."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import FillFailed, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.ids import ClientOrderId, OrderId, TradeId
from predsurv.core.orders import Approved, CancelOrder
from predsurv.engine.risk.gate import GateDecision
from predsurv.trade.journal import AccountUpdated, CommandSent, Entry
from predsurv.trade.results.divergence import MATCHED_WITHIN, divergence, outcomes
from tests.kit.run_entries import filled, started
from tests.kit.trading_samples import NO, START, YES, S, place, shares


def sent(name: str, ts: int = START, **changes: Any) -> CommandSent:
    return CommandSent(GateDecision(Approved(ts, place(name, **changes)), None))


def told(kind: type, name: str, **changes: Any) -> AccountUpdated:
    return AccountUpdated(kind(YES, START, ClientOrderId(name), **changes))


def test_the_same_decision_is_paired_and_its_fills_are_compared() -> None:
    live: list[Entry] = [started(), sent("l1", price=40, size=100), filled("l1", 60, 40, ts_recv=START + 3 * S)]
    paper: list[Entry] = [started(), sent("p1", price=40, size=100), filled("p1", 100, 39, ts_recv=START + S)]
    found = divergence(live, paper)
    (pair,) = found.pairs
    assert pair.live is not None
    assert pair.paper is not None
    assert (pair.live.filled, pair.paper.filled) == (shares(60), shares(100))
    assert (pair.worse, pair.later, pair.differs) == (10_000, 2 * S, True)
    assert found.slippage() == 600_000
    assert found.shared() == shares(60)
    assert found.delays() == (2 * S,)
    assert found.traded(live=True, paper=True) == 1


def test_a_sale_at_a_lower_price_is_worse() -> None:
    live: list[Entry] = [sent("l", side="sell"), filled("l", 10, 40, side="sell")]
    paper: list[Entry] = [sent("p", side="sell"), filled("p", 10, 41, side="sell")]
    (pair,) = divergence(live, paper).pairs
    assert pair.worse == 10_000


def test_what_only_one_had_is_alone() -> None:
    found = divergence([sent("a"), sent("b", key=NO)], [sent("c", ts=START + MATCHED_WITHIN + 1)])
    assert found.count(live=True, paper=False) == 2
    assert found.count(live=False, paper=True) == 1
    assert all(each.differs and each.worse is None and each.later is None for each in found.pairs)
    assert [each.order.ts for each in found.pairs] == sorted(each.order.ts for each in found.pairs)


def test_what_follows_from_other_fills_is_paired_with_the_nearest() -> None:
    live: list[Entry] = [sent("l1", ts=START, price=40), sent("l2", ts=START + S, price=41)]
    paper: list[Entry] = [sent("p1", ts=START + S + 5, price=43), sent("p2", ts=START + 1, price=42)]
    pairs = divergence(live, paper).pairs
    both = [(each.live, each.paper) for each in pairs if each.live and each.paper]
    assert [(a.command.client_order_id, b.command.client_order_id) for a, b in both] == [("l1", "p2"), ("l2", "p1")]


@pytest.mark.parametrize(
    ("entries", "end"),
    [
        ([], "open"),
        ([told(OrderAccepted, "a", order_id=OrderId("x"))], "open"),
        ([told(OrderRejected, "a", reason="no")], "rejected"),
        ([told(OrderCancelled, "a", reason="gone")], "cancelled"),
        ([filled("a", 10, 40), told(OrderCancelled, "a", reason="late")], "filled"),
    ],
)
def test_how_an_order_ended(entries: list[Entry], end: str) -> None:
    (found,) = outcomes([sent("a", size=10), *entries])
    assert found.end == end


def test_a_fill_that_failed_is_taken_back_and_what_is_not_an_order_of_the_run_is_left_out() -> None:
    one = filled("a", 10, 40)
    failed = AccountUpdated(FillFailed(YES, START, ClientOrderId("a"), TradeId("a.1"), "on chain"))
    unknown = AccountUpdated(FillFailed(YES, START, ClientOrderId("a"), TradeId("other"), "on chain"))
    gone = CommandSent(GateDecision(Approved(START, CancelOrder(ClientOrderId("a"), YES)), None))
    (found,) = outcomes([sent("a", size=10), one, failed, unknown, gone, filled("before", 1, 2)])
    assert (found.filled, found.value, found.fees, found.end, found.price) == (0, 0, 0, "open", None)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9), st.booleans()), max_size=12))
def test_every_order_is_in_exactly_one_pair(made: list[tuple[int, int, bool]]) -> None:
    orders = [(sent(f"o{n}", ts=START + s * S, price=10 * price), live) for n, (s, price, live) in enumerate(made)]
    live, paper = ([each for each, of_live in orders if of_live is wanted] for wanted in (True, False))
    found = divergence(live, paper)
    for side, entries in (("live", live), ("paper", paper)):
        ids = [getattr(each, side).command.client_order_id for each in found.pairs if getattr(each, side) is not None]
        assert sorted(ids) == sorted(each.decision.approved.command.client_order_id for each in entries)


def test_a_run_compared_with_itself_does_not_differ() -> None:
    entries: list[Entry] = [sent("a", size=10), filled("a", 10, 40), sent("b", ts=START + 1)]
    assert not any(each.differs for each in divergence(entries, entries).pairs)
