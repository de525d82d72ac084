"""The tax ledger disposes of the oldest shares first, and its totals are the account's to the micro-dollar."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import FillFailed, MarketResolved, RebatePaid
from predsurv.core.ids import MarketId, StrategyName
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.reconciliation import CashCorrected, Correction, PositionCorrected
from predsurv.trade.journal import AccountCorrected, AccountUpdated, Entry, MarketSettled, RebateBooked, RunStarted
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.taxes import TaxRow, TaxTotals, tax_ledger
from tests.kit.random_accounts import RandomAccount
from tests.kit.run_entries import CASH, filled, sent, started
from tests.kit.trading_samples import ME, NO, START, YES, S, V, fill, shares

OTHER = StrategyName("other")


def bought(name: str, size: float, price: int, at: int, **changes: object) -> tuple[Entry, ...]:
    return sent(name, **({} if "key" not in changes else {"key": changes["key"]})), filled(
        name, size, price, ts_recv=START + at * S, ts_venue=None, trade_id=name, **changes
    )


def sold(name: str, size: float, price: int, at: int, **changes: object) -> tuple[Entry, ...]:
    return bought(name, size, price, at, side="sell", **changes)


def settled(at: int, yes: float = 1.0, *, void: bool = False) -> MarketSettled:
    payouts = ((YES.instrument_id, Price(round(yes * MICROS))), (NO.instrument_id, Price(round((1 - yes) * MICROS))))
    return MarketSettled(MarketResolved(V, YES.market_id, START + at * S, START + at * S - 1, payouts, void))


def ledger(*parts: Entry | tuple[Entry, ...]) -> tuple[list[TaxRow], TaxTotals]:
    entries = [started(), *(each for part in parts for each in (part if isinstance(part, tuple) else (part,)))]
    return tax_ledger(entries)


def disposals(rows: list[TaxRow]) -> list[tuple[str, int, int, int | None, int, int, int, int | None]]:
    """Kind, seconds, shares, seconds of the purchase; proceeds, cost, fees and gain in cents."""
    found = []
    for row in rows:
        if row.acquired is not None:
            money = [None if each is None else each // 10_000 for each in (row.proceeds, row.cost, row.fees, row.gain)]
            seconds = [(each - START) // S for each in (row.ts, row.acquired)]
            found.append((row.kind, seconds[0], row.quantity // MICROS, seconds[1], *money))
    return found  # type: ignore[return-value]


def test_the_oldest_shares_are_sold_first_a_row_for_each_lot() -> None:
    fee = Money(60_000)
    rows, totals = ledger(
        bought("a", 10, 40, 1, fee=fee),
        bought("b", 10, 50, 2, fee=fee),
        sold("c", 15, 60, 9, fee=fee),
        settled(20, 0.0),
    )
    assert [row.kind for row in rows] == ["buy", "buy", "sale", "sale", "settlement"]
    assert disposals(rows) == [
        ("sale", 9, 10, 1, 600, 400, 10, 190),
        ("sale", 9, 5, 2, 300, 250, 5, 45),
        ("settlement", 19, 5, 2, 0, 250, 3, -253),
    ]
    assert totals.gains == totals.realised - totals.fees
    assert (totals.held, totals.held_fees) == (0, 0)


def test_shares_are_the_accounts_whoever_bought_them() -> None:
    entry = sent("b", strategy=OTHER)
    rows, totals = ledger(
        bought("a", 10, 40, 1, fee=Money(0)),
        (entry, filled("b", 10, 50, ts_recv=START + 2 * S, ts_venue=None, fee=Money(0), trade_id="b")),
        (
            sent("c", strategy=OTHER),
            filled("c", 10, 60, side="sell", ts_recv=START + 3 * S, ts_venue=None, fee=Money(0), trade_id="c"),
        ),
    )
    assert disposals(rows) == [("sale", 3, 10, 1, 600, 400, 0, 200)]
    assert (totals.realised, totals.held, totals.held_average) == (MICROS, 5 * MICROS, 4 * MICROS)


def test_a_void_market_returns_what_it_pays() -> None:
    rows, _ = ledger(bought("a", 10, 40, 1, fee=Money(0)), settled(5, 0.5, void=True))
    assert disposals(rows) == [("return", 4, 10, 1, 500, 400, 0, 100)]


def test_what_is_told_after_the_settlement_belongs_before_it() -> None:
    rows, totals = ledger(
        sent("late"),
        bought("a", 10, 40, 1, fee=Money(0)),
        settled(5),
        sold("b", 4, 60, 3, fee=Money(0)),
        filled("late", 2, 30, ts_recv=START + 9 * S, ts_venue=START + 2 * S, fee=Money(0), trade_id="late"),
    )
    assert disposals(rows) == [
        ("sale", 3, 4, 1, 240, 160, 0, 80),
        ("settlement", 4, 6, 1, 600, 240, 0, 360),
        ("settlement", 4, 2, 2, 200, 60, 0, 140),
    ]
    assert totals.gains == totals.realised == 580 * 10_000


def test_an_order_that_fills_after_its_market_settled_is_paid_out_as_the_account_has_it() -> None:
    entries: list[Entry] = [
        started(), sent("a"), settled(5),
        filled("a", 10, 40, ts_recv=START + 9 * S, ts_venue=None, fee=Money(0)),
    ]  # fmt: skip
    rows, totals = tax_ledger(entries)
    assert [row.kind for row in rows] == ["buy", "settlement"]
    lines = fold(Opening(), entries, lambda _venue, _market: None).lines.values()
    assert totals.gains == sum(line.realised for line in lines) == 6 * MICROS
    assert rows[1].ts == rows[1].acquired == START + 9 * S, "never before it was bought"


def test_fills_that_never_came_about_count_for_nothing() -> None:
    matched = replace(fill("a", 10, 40), unconfirmed=True)
    gone = AccountUpdated(FillFailed(matched.key, START, matched.client_order_id, matched.trade_id, "reverted"))
    rows, totals = ledger(sent("a"), AccountUpdated(matched), gone)
    assert rows == []
    assert totals == TaxTotals(0, 0, 0, 0, 0, 0, 0, 0)


def test_what_came_by_another_way_than_a_trade_is_no_gain() -> None:
    corrected: list[Correction] = [
        PositionCorrected(YES, START + 3 * S, ME, shares(15), Money(7 * MICROS), "the venue says so"),
        PositionCorrected(YES, START + 4 * S, ME, shares(4), Money(2 * MICROS), "the venue says so"),
        PositionCorrected(NO, START + 5 * S, ME, shares(0), Money(0), "nothing there"),
        CashCorrected(V, START + 6 * S, Money(CASH), "the venue says so"),
    ]
    paid = RebatePaid(V, MarketId("m"), START + 7 * S, ME, START, Money(70_000))
    rows, totals = ledger(
        bought("a", 10, 40, 1, fee=Money(0)), *(AccountCorrected(each) for each in corrected), RebateBooked(paid)
    )
    told = [(row.kind, row.quantity // MICROS, row.cost, row.proceeds, row.gain) for row in rows]
    assert told == [
        ("buy", 10, 4 * MICROS, 0, None),
        ("moved", 5, 3 * MICROS, 0, None),
        ("moved", -10, -4 * MICROS, 0, None),
        ("moved", -1, -600_000, 0, None),
        ("cash", 0, 0, 4 * MICROS, None),
        ("rebate", 0, 0, 70_000, 70_000),
    ]
    assert (totals.gains, totals.rebates, totals.held, totals.held_average) == (70_000, 70_000, 2_400_000, 2 * MICROS)


def test_the_mock_venue_lists_the_same_markets_again() -> None:
    begun = RunStarted(START, "mock", "mock", (ME,), ())
    rows, totals = ledger(
        bought("a", 10, 40, 1, fee=Money(0)), settled(2), begun, bought("b", 5, 30, 3, fee=Money(0)), settled(4, 0.0)
    )
    assert [each[:4] for each in disposals(rows)] == [("settlement", 1, 10, 1), ("settlement", 3, 5, 3)]
    assert totals.gains == (600 - 150) * 10_000


def test_totals_that_do_not_agree_are_an_error() -> None:
    with pytest.raises(BrokenInvariant, match="are not the account's, 1 micros"):
        TaxTotals(2, 1, 0, 0, 0, 0, 0, 0).check()
    with pytest.raises(BrokenInvariant, match="more than is held"):
        ledger(sold("a", 1, 40, 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_totals_are_the_accounts_whatever_a_venue_answers(seed: int) -> None:
    account = RandomAccount(seed)
    account.run(40)
    rows, totals = tax_ledger(account.journal)
    pnl = account.engine.account.portfolio.pnl.values()
    assert totals.realised == sum(each.realised for each in pnl)
    assert totals.fees == sum(each.fees for each in pnl)
    assert totals.rebates == sum(each.rebates for each in pnl)
    held = sum(position.cost for _, position in account.engine.account.portfolio.positions.all())
    assert totals.held_average == held
    if not held:
        assert totals.gains == totals.realised - totals.fees + totals.rebates
    assert [row.ts for row in rows] == sorted(row.ts for row in rows)


steps = st.tuples(st.sampled_from(["buy", "buy", "sell"]), st.integers(1, 9_000_000), st.integers(1, 999_999))


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=20), st.integers(0, 300_000), st.sampled_from([0, 1, 333_333, 1_000_000]))
def test_every_share_is_disposed_of_once_the_oldest_first(
    told: list[tuple[str, int, int]], fee: int, payout: int
) -> None:
    """An oracle that knows only sizes and times, and the account's realised result when nothing is left."""
    entries: list[Entry] = [started()]
    open_lots: deque[list[int]] = deque()
    expected: list[tuple[int, int, int]] = []

    def take(size: int, at: int) -> None:
        while size:
            part = min(size, open_lots[0][1])
            expected.append((at, open_lots[0][0], part))
            open_lots[0][1] -= part
            size -= part
            if not open_lots[0][1]:
                open_lots.popleft()

    for number, (side, size, price) in enumerate(told, 1):
        held = sum(lot[1] for lot in open_lots)
        amount = size if side == "buy" else min(size, held)
        if not amount:
            continue
        at = START + number * S
        changes = {"side": side, "ts_recv": at, "ts_venue": None, "fee": Money(fee), "trade_id": f"t{number}"}
        made = replace(fill(f"o{number}"), size=Size(amount), price=Price(price), **changes)
        entries += [sent(f"o{number}"), AccountUpdated(made)]
        if side == "buy":
            open_lots.append([at, amount])
        else:
            take(amount, at)
    entries.append(settled(1_000, payout / MICROS))
    take(sum(lot[1] for lot in open_lots), START + 1_000 * S - 1)
    rows, totals = tax_ledger(entries)
    gone = [row for row in rows if row.acquired is not None]
    assert [(row.ts, row.acquired, row.quantity) for row in gone] == expected
    assert all(row.gain == row.proceeds - row.cost - row.fees for row in gone)
    assert totals.gains == sum(row.gain or 0 for row in gone) == totals.realised - totals.fees
    assert sum(row.cost for row in gone) == sum(row.cost for row in rows if row.kind == "buy")
