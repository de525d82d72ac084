"""Simulated fills are confirmed or fail, always the same ones; rebates are paid at the end of their day."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import Fill, FillConfirmed, FillFailed, RebatePaid
from predsurv.core.fees import maker_rebate
from predsurv.core.ids import ClientOrderId, OrderSide, TradeId, VenueName
from predsurv.core.num import MICROS, Money, Price, Size, notional, notional_up
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.rebates import RebateAccruals
from predsurv.engine.account.valuation import DAY
from predsurv.engine.fills.settlement import Outcome, SettlementTerms, TradeSettlement, is_drawn
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import FEE, ME, START, S, fill, market

CHAIN = VenueName("polymarket")
MARKET = market("m", venue=CHAIN, category="Pop Culture", fee=replace(FEE, rebate_rate=250_000))
KEY = MARKET.key(0)
DELAY = 5 * S
HALF = Price(500_000)
ALL = SettlementTerms(delay=DELAY, failure_rates={"other": MICROS})
NONE = SettlementTerms(delay=DELAY, failure_rates={"other": 0, "elsewhere": 1})
TODAY = START // DAY * DAY


class Desk:
    """The settlement of one account's fills on a venue that settles later."""

    def __init__(self, terms: SettlementTerms, cash: int = 100 * MICROS, portfolio: Portfolio | None = None) -> None:
        cache = MarketCache({CHAIN})
        cache.add(MARKET)
        self.portfolio = portfolio or Portfolio({CHAIN: Money(cash)})
        self.settlement = TradeSettlement(CHAIN, terms, cache=cache, portfolio=self.portfolio, accrued=RebateAccruals())

    def match(self, name: str, side: OrderSide = "buy", size: float = 10, ts: int = START, **changes: Any) -> Fill:
        return self.settlement.match(ME, on_chain(name, side, size, ts, **changes))


def on_chain(name: str, side: OrderSide = "buy", size: float = 10, ts: int = START, **changes: Any) -> Fill:
    return replace(fill(name, size, 50, side=side), ts_recv=ts, **{"key": KEY, **changes})


def said(outcomes: Any) -> list[tuple[str, str]]:
    return [(type(each).__name__, each.trade_id) for each in outcomes]


def failing(*trades: str, among: str) -> SettlementTerms:
    """Terms by which just these of the trades ``among`` fail."""
    seed = next(
        n for n in range(10_000) if [x for x in among if is_drawn(n, TradeId(f"{x}.1"), 300_000)] == list(trades)
    )
    return SettlementTerms(delay=DELAY, failure_rates={"other": 300_000}, seed=seed)


def test_a_fill_is_open_until_it_is_confirmed() -> None:
    desk = Desk(NONE)
    told = desk.match("a")
    assert told.unconfirmed
    assert desk.settlement.next_at == START + DELAY
    assert list(desk.settlement.due(START + DELAY - 1)) == []
    assert list(desk.settlement.due(START + DELAY)) == [
        FillConfirmed(KEY, START + DELAY, ClientOrderId("a"), TradeId("a.1"))
    ]
    assert list(desk.portfolio.unconfirmed.all()) == []
    assert desk.settlement.next_at > 1 << 62


def test_a_failed_fill_is_taken_back_at_the_venue() -> None:
    desk = Desk(ALL)
    desk.match("a")
    assert desk.portfolio.cash(CHAIN) == 95 * MICROS
    (outcome,) = desk.settlement.due(START + DELAY)
    assert outcome == FillFailed(KEY, START + DELAY, ClientOrderId("a"), TradeId("a.1"), "reverted")
    assert desk.portfolio.cash(CHAIN) == 100 * MICROS
    assert desk.portfolio.positions.totals() == ()


def test_without_a_rate_fills_are_final_at_once() -> None:
    desk = Desk(SettlementTerms(delay=DELAY))
    assert not desk.match("a").unconfirmed
    assert list(desk.settlement.due(START + DELAY)) == []


def test_a_venue_that_settles_at_once_confirms_nothing() -> None:
    assert not ALL.confirms(VenueName("kalshi"))
    assert ALL.confirms(CHAIN)


@pytest.mark.parametrize(
    ("rates", "rate"),
    [
        ({"pop-culture": 3, "other": 5}, 3),
        ({"crypto": 3, "other": 5}, 5),
        ({"crypto": 3}, 0),
    ],
)
def test_the_rate_is_that_of_the_class_of_market(rates: Mapping[str, int], rate: int) -> None:
    assert SettlementTerms(failure_rates=rates).rate_of(MARKET) == rate


def test_a_market_without_a_category_or_unknown_is_of_the_class_of_all_others() -> None:
    terms = SettlementTerms(failure_rates={"pop-culture": 3, "other": 5})
    assert terms.rate_of(None) == terms.rate_of(replace(MARKET, category=None)) == 5


def test_the_sale_of_what_failed_fails_first_and_money_it_brought_with_it() -> None:
    """Bought for 5, which was all there was, sold for 9, and bought the other outcome for 9."""
    desk = Desk(failing("a", among="abc"), cash=5 * MICROS)
    desk.match("a")
    desk.match("b", "sell", ts=START + 1, price=Price(900_000))
    desk.match("c", size=18, ts=START + 2, key=MARKET.key(1))
    assert said(desk.settlement.due(START + DELAY)) == [
        ("FillFailed", "b.1"),
        ("FillFailed", "a.1"),
        ("FillFailed", "c.1"),
    ]
    assert desk.portfolio.cash(CHAIN) == 5 * MICROS
    assert list(desk.settlement.due(START + 2 * DELAY)) == []


def test_what_was_bought_after_a_sale_does_not_cover_it() -> None:
    """It may fail itself when the sale is final, and then shares would be owed."""
    desk = Desk(failing("a", "c", among="abc"))
    for number, side in enumerate(("buy", "sell", "buy")):
        desk.match("abc"[number], side, ts=START + number)  # type: ignore[arg-type]
    assert said(desk.settlement.due(START + DELAY)) == [("FillFailed", "b.1"), ("FillFailed", "a.1")]
    assert said(desk.settlement.due(START + 2 * DELAY)) == [("FillFailed", "c.1")]
    assert (desk.portfolio.cash(CHAIN), desk.portfolio.positions.totals()) == (100 * MICROS, ())


def test_what_a_later_sale_brought_does_not_pay_for_a_purchase() -> None:
    desk = Desk(failing("c", "e", among="abcde"), cash=10 * MICROS)
    desk.match("a")
    desk.match("b", ts=START + 1, key=MARKET.key(1))
    desk.match("c", "sell", ts=START + 2, price=Price(900_000))
    desk.match("d", size=18, ts=START + 3)
    desk.match("e", "sell", ts=START + 4, price=Price(900_000), key=MARKET.key(1))
    assert said(desk.settlement.due(START + 2 * DELAY)) == [
        ("FillConfirmed", "a.1"),
        ("FillConfirmed", "b.1"),
        ("FillFailed", "c.1"),
        ("FillFailed", "d.1"),
        ("FillFailed", "e.1"),
    ]
    assert desk.portfolio.cash(CHAIN) == 0


def test_what_something_final_needs_does_not_fail() -> None:
    """Of a journal of an earlier version: there a sale could be final before what it sold."""
    desk = Desk(ALL)
    desk.match("a")
    sold = desk.match("b", "sell", ts=START + 1)
    desk.portfolio.unconfirmed.confirm(KEY, sold.trade_id)
    assert said(Desk(ALL, portfolio=desk.portfolio).settlement.due(START + DELAY)) == [("FillConfirmed", "a.1")]


def test_which_fills_fail_depends_on_seed_and_trade_alone() -> None:
    drawn = [[is_drawn(seed, TradeId(f"t{n}"), 100_000) for n in range(2_000)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 150 < sum(drawn[0]) < 250
    assert not any(is_drawn(0, TradeId(str(n)), 0) for n in range(1_000))
    assert all(is_drawn(0, TradeId(str(n)), MICROS) for n in range(1_000))


def test_makers_are_paid_their_rebates_when_the_day_is_settled() -> None:
    desk = Desk(SettlementTerms(delay=DELAY, rebates=True))
    told = desk.match("a", size=10, maker=True)
    assert told.rebate == maker_rebate(MARKET.fee, told.price, told.size) == 25_000  # a quarter of 10 · 0.04 · 0.25
    desk.match("b", maker=False)
    assert desk.settlement.next_at == TODAY + DAY + DELAY
    (paid,) = desk.settlement.due(TODAY + DAY + DELAY)
    assert paid == RebatePaid(CHAIN, KEY.market_id, TODAY + DAY + DELAY, ME, TODAY, Money(25_000))
    assert desk.portfolio.pnl[ME].rebates == 25_000
    assert desk.portfolio.cash(CHAIN) == 90 * MICROS + 25_000
    assert desk.settlement.next_at > 1 << 62


def test_a_failed_fill_earns_no_rebate() -> None:
    desk = Desk(replace(ALL, rebates=True))
    desk.match("a", maker=True)
    assert said(desk.settlement.due(TODAY + 2 * DAY)) == [("FillFailed", "a.1")]


def test_rebates_are_off_unless_asked_for() -> None:
    assert Desk(SettlementTerms()).match("a", maker=True).rebate == 0


def test_closing_the_books_settles_and_pays_what_is_still_to_come() -> None:
    desk = Desk(replace(NONE, rebates=True))
    desk.match("a", maker=True)
    confirmed, paid = desk.settlement.close(START + 1)
    assert isinstance(confirmed, FillConfirmed)
    assert isinstance(paid, RebatePaid)
    assert confirmed.ts_recv == paid.ts_recv == START + 1
    assert list(desk.settlement.close(START + 2)) == []


def test_a_later_run_settles_what_an_earlier_one_left_open() -> None:
    desk = Desk(ALL)
    desk.match("a")
    assert said(Desk(ALL, portfolio=desk.portfolio).settlement.due(START + DELAY)) == [("FillFailed", "a.1")]


fills = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "sell"]), st.integers(1, 30 * MICROS), st.integers(1, 3), st.integers(0, 1)
    ),
    max_size=14,
)


@given(fills, st.integers(0, 50))
def test_whatever_fails_nobody_owes_anything(drawn: list[tuple[Any, int, int, int]], seed: int) -> None:
    """Cash and shares at the venue never fall below nothing, and are those of the fills that did not fail."""
    terms = SettlementTerms(delay=DELAY, failure_rates={"other": 400_000}, seed=seed)
    desk, matched, failed, now = Desk(terms, cash=20 * MICROS), list[Fill](), set[str](), START

    def settle(outcomes: Any) -> None:
        for outcome in outcomes:
            assert isinstance(outcome, Outcome)
            if isinstance(outcome, FillFailed):
                failed.add(outcome.trade_id)
        assert desk.portfolio.cash(CHAIN) >= 0

    for number, (side, size, seconds, outcome) in enumerate(drawn):
        now += seconds * S
        settle(desk.settlement.due(now))
        one = on_chain(f"o{number}", side, ts=now)
        one = replace(one, size=Size(size), key=MARKET.key(outcome))
        held = desk.portfolio.positions.size_of(ME, one.key)
        if (side == "sell" and held < size) or (side == "buy" and desk.portfolio.cash(CHAIN) < size):
            continue
        matched.append(desk.settlement.match(ME, one))
    settle(desk.settlement.due(now + DELAY))
    kept = [each for each in matched if each.trade_id not in failed]
    money = sum(-notional_up(HALF, each.size) if each.side == "buy" else notional(HALF, each.size) for each in kept)
    assert desk.portfolio.cash(CHAIN) == 20 * MICROS + money
    for key in (KEY, MARKET.key(1)):
        of_key = (each for each in kept if each.key == key)
        sizes = sum(each.size if each.side == "buy" else -each.size for each in of_key)
        assert desk.portfolio.positions.size_of(ME, key) == sizes
    assert list(desk.portfolio.unconfirmed.all()) == []
