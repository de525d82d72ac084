"""Results add up: whatever is traded, realised less fees plus what shares gained is the change in equity."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import FillConfirmed, FillFailed, MarketResolved, RebatePaid
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, EventId, InstrumentKey, MarketId, StrategyName, TradeId, VenueName
from predsurv.core.num import MICROS, Money, Price, Size, parse_signed_micros
from predsurv.core.orders import Approved
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.risk.gate import GateDecision
from predsurv.state.book import Book
from predsurv.trade.journal import AccountUpdated, CommandSent, Entry, MarketSettled, RebateBooked
from predsurv.trade.results.ledger import Ledger, Opening, fold, opening_of
from predsurv.trade.results.ratios import fill_ratio, hit_rate
from predsurv.trade.results.result import Books, Course, RunResult, result_of
from predsurv.trade.results.valuing import Mark, mark_of
from tests.kit.run_entries import CASH, filled, sent, started
from tests.kit.trading_samples import FEE, ME, NO, START, YES, V, book, cents, fill, market, place, resolved, shares

OTHER = StrategyName("other")


def marks(*marked: Mark) -> dict[InstrumentKey, Mark]:
    return {each.key: each for each in marked}


def mark(size: float, key: InstrumentKey = YES, **levels: Any) -> Mark:
    shown = Book(key)
    shown.apply(book(key=key, **levels))
    return mark_of(shown, Size(round(size * MICROS)), FEE)


def event_of(venue: VenueName, market_id: MarketId) -> EventId:
    return EventId(f"e-{market_id}")


def result(
    entries: Iterable[Entry], closing: Sequence[Mark] = (), opening: Opening | None = None, **books: Any
) -> RunResult:
    ledger = fold(opening or Opening(), entries, event_of)
    return result_of(ledger, Books(books.get("before", {}), marks(*closing), ((market(),),)), Course())


def test_the_hand_worked_example_of_the_documentation() -> None:
    entries: list[Entry] = [
        started(),
        sent("a", price=40, size=100),
        filled("a", 100, 40, fee=taker_fee(FEE, cents(40), shares(100))),
        sent("b", side="sell", price=45, size=60),
        filled("b", 60, 45, side="sell", fee=taker_fee(FEE, cents(45), shares(60), "sell")),
    ]
    closing = mark(40, bids=((44, 30), (42, 5)), asks=((48, 10),))
    found = result(entries, [closing])
    page = (Path(__file__).parents[4] / "docs" / "results.md").read_text().partition("## A worked example")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (-?[0-9.]+) \|$", page, re.MULTILINE))
    assert len(rows) == 10
    for name, value in rows.items():
        holder = found if name == "equity" else found.total
        assert getattr(holder, name) == parse_signed_micros(value), name
    assert closing.unsold == shares(5)
    assert found.total.profit == found.equity - found.equity_start
    assert found.at_liquidation - found.equity_start == found.total.net + found.total.at_liquidation
    assert (fill_ratio(found.total), hit_rate(found.total)) == (1.0, None)


def test_round_trips_of_a_strategy_are_those_of_an_event_and_of_a_market_its_own() -> None:
    entries: list[Entry] = [
        started(),
        sent("a", price=40),
        filled("a", 10, 40),
        sent("b", key=NO, price=50),
        filled("b", 10, 50, key=NO),
    ]
    half = result([*entries, sent("c", side="sell", price=30), filled("c", 10, 30, side="sell")])
    assert (half.total.trips, half.total.won) == (0, 0)
    whole = result([*entries, MarketSettled(resolved())])
    assert (whole.total.trips, whole.total.won, whole.total.paid) == (1, 1, 10 * MICROS)
    (traded,) = whole.markets
    assert (traded.tally.trips, traded.tally.won, traded.market.question) == (1, 1, "Will m?")
    assert hit_rate(whole.total) == 1.0


def test_what_was_owned_before_counts_from_its_mark_at_the_start() -> None:
    account = TradingAccount({V: CASH})
    account.place(place("old", price=50), START)
    account.apply(fill("old", 10, 50))
    before = marks(mark(10, bids=((40, 100),)))
    found = result([], [mark(10, bids=((45, 100),))], opening_of(account), before=before)
    assert (found.total.opening, found.total.at_bid, found.total.profit) == (-1_000_000, -500_000, 500_000)
    assert found.equity - found.equity_start == 500_000
    assert result([], [], opening_of(account)).unmarked == 1


def test_a_fill_announced_after_its_market_resolved_is_paid_at_once() -> None:
    entries: list[Entry] = [
        started(),
        sent("a", size=20),
        filled("a", 10),
        MarketSettled(resolved()),
        filled("a", 10, trade_id=TradeId("late")),
    ]
    found = result(entries)
    assert (found.total.realised, found.total.paid, found.positions) == (9_800_000, 20 * MICROS, ())
    assert found.total.profit == found.equity - found.equity_start


def test_orders_of_the_run_before_are_known_and_others_are_not() -> None:
    opening = Opening(Portfolio({V: CASH}), ((ClientOrderId("o1"), ME),))
    found = result([filled("o1"), filled("who")], [mark(10)], opening)
    assert (found.total.fills, found.total.orders, found.total.acquired) == (1, 0, 10 * MICROS)


actions = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "settle"]),
        st.sampled_from([ME, OTHER]),
        st.sampled_from(["m", "n"]),
        st.booleans(),
        st.integers(1, 99 * 10_000),
        st.integers(1, 300 * MICROS),
        st.integers(-20_000, 90_000),
    ),
    max_size=30,
)


def journalled(account: TradingAccount, steps: Iterable[tuple[Any, ...]]) -> list[Entry]:
    """What a journal has of ``steps``: sales of more than is held are left out, as the account refuses them."""
    entries: list[Entry] = []
    for number, (kind, strategy, name, yes, price, size, fee) in enumerate(steps, 1_000 * account.placed):
        key = market(name).keys()[0 if yes else 1]
        if kind == "settle":
            other = market(name).keys()[1 if yes else 0]
            payouts = ((key.instrument_id, Price(price)), (other.instrument_id, Price(MICROS - price)))
            event = MarketResolved(V, key.market_id, START, None, payouts)
            if (V, key.market_id) in account.portfolio.followed:
                account.settle(event)
                entries.append(MarketSettled(event))
            continue
        held = account.portfolio.positions.get(strategy, key)
        if kind == "sell" and (held is None or held.size < size):
            continue
        order = replace(place(f"x{number}"), strategy=strategy, key=key, side=kind, price=Price(price), size=Size(size))
        account.place(order, START)
        entries.append(CommandSent(GateDecision(Approved(START, order), None)))
        answer = replace(fill(f"x{number}"), key=key, side=kind, price=order.price, size=order.size, fee=Money(fee))
        account.apply(answer)
        entries.append(AccountUpdated(answer))
    return entries


@given(actions, actions, st.lists(st.tuples(st.booleans(), st.integers(1, 98)), min_size=4, max_size=4))
def test_figures_add_up_to_the_change_in_equity_and_to_the_account(first: Any, second: Any, bids: Any) -> None:
    account = TradingAccount({V: CASH})
    journalled(account, first)
    opening = opening_of(account)
    earned_before = sum(each.realised - each.fees for each in account.portfolio.pnl.values())
    books = [
        mark(50, key, bids=((bid, 7),) if there else (), asks=((bid + 1, 5),))
        for key, (there, bid) in zip((*market("m").keys(), *market("n").keys()), bids, strict=True)
    ]
    start = marks(*books[:2])
    entries = journalled(account, second)
    found = result(entries, books[1:], opening, before=start)
    total = found.total
    assert total.net + total.at_bid - total.opening == total.profit == found.equity - found.equity_start
    assert found.at_mid - found.equity == total.at_mid - total.at_bid
    assert found.at_liquidation - found.equity == total.at_liquidation - total.at_bid
    assert total.net == sum(each.realised - each.fees for each in account.portfolio.pnl.values()) - earned_before
    assert dict(found.cash) == {V: account.portfolio.cash(V)}
    for split in (found.strategies, found.markets):
        for name in ("realised", "fees", "rebates", "turnover", "profit", "at_liquidation", "orders", "filled"):
            assert sum(getattr(each.tally, name) for each in split) == getattr(total, name)
    assert [each.position for each in found.positions] == [each for _, each in account.portfolio.positions.all()]


def test_a_ledger_forgets_the_oldest_orders_first() -> None:
    ledger = Ledger(Opening(), event_of)
    for number in range(100_002):
        ledger.apply(sent(f"n{number}"))
    ledger.apply(filled("n0"))
    ledger.apply(filled("n100001"))
    assert sum(line.fills for line in ledger.lines.values()) == 1


def test_a_failed_fill_is_in_no_figure() -> None:
    """Bought 20 at 0.51 of which one half fails after it was sold and its sale with it."""
    answers = [
        AccountUpdated(replace(fill("a", 10), unconfirmed=True, fee=Money(70))),
        AccountUpdated(replace(fill("a", 10), unconfirmed=True, trade_id=TradeId("a.2"))),
        AccountUpdated(replace(fill("b", 15, 60, side="sell"), unconfirmed=True, fee=Money(90))),
    ]
    ends = [
        AccountUpdated(FillFailed(YES, START, ClientOrderId("a"), TradeId("a.1"), "reverted")),
        AccountUpdated(FillFailed(YES, START, ClientOrderId("b"), TradeId("b.1"), "needs what failed")),
        AccountUpdated(FillConfirmed(YES, START, ClientOrderId("a"), TradeId("a.2"))),
    ]
    orders: list[Entry] = [started(), sent("a", size=20), sent("b", size=15, side="sell")]
    found = result([*orders, *answers, *ends], [mark(50)])
    plain = result([*orders, AccountUpdated(replace(fill("a", 10), trade_id=TradeId("a.2")))], [mark(50)])
    assert found.total == plain.total
    assert (found.equity, found.positions) == (plain.equity, plain.positions)
    assert found.total.profit == found.equity - found.equity_start


def test_a_rebate_is_a_figure_of_its_own_and_in_equity() -> None:
    paid = RebateBooked(RebatePaid(V, YES.market_id, START, ME, START, Money(12)))
    orders: list[Entry] = [started(), sent("a", size=10), filled("a", 10)]
    found, without = result([*orders, paid], [mark(51)]), result(orders, [mark(51)])
    assert (found.total.rebates, found.total.trading) == (12, without.total.profit)
    assert found.total.profit == found.equity - found.equity_start == without.total.profit + 12
    assert found.total.trips == found.total.won == 0


@pytest.mark.parametrize(("size", "residues"), [(0.5, 1), (4.99, 1), (5, 0)])
def test_what_no_order_can_sell_is_told(size: float, residues: int) -> None:
    """The rest of a partial fill, below the five shares that are the least of this market."""
    assert result([started(), sent("a", size=20), filled("a", size)], [mark(50)]).residues == residues
