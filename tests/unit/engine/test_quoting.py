"""The fewest orders and cancels that lead to the quotes a strategy wants; never twice, never against itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import OrderAccepted, OrderCancelled, VenuePhase
from predsurv.core.ids import ClientOrderId, OrderId, StrategyName
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import CancelIntent, Intent, PlaceOrder, Quotes, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.quoting import CANCEL_PATIENCE, REFUSAL_PATIENCE, QuoteDiffer
from predsurv.engine.risk.state import RiskState
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import ME, NO, START, YES, V, cents, fill, intent, market, place, shares

BID, ASK = (cents(48), shares(10)), (cents(52), shares(10))


class Desk:
    """An account in which tests place orders, and the differ over it."""

    def __init__(self) -> None:
        self.cache = cache = MarketCache({V})
        cache.add(market())
        self.account = TradingAccount({V: Money(1_000 * MICROS)})
        self.risk = RiskState(cache, self.account, AvailableBooks(cache))
        self.risk.now = START
        self.differ = QuoteDiffer(cache, self.account, self.risk)

    def rest(self, name: str, side: Any, price: int, size: float = 10, **changes: Any) -> None:
        self.account.place(place(name, side, price, size, **changes), START)
        self.account.apply(OrderAccepted(YES, START, ClientOrderId(name), OrderId(name)))

    def hold(self, size: float) -> None:
        self.account.portfolio.positions.put(ME, YES, shares(size), Money(MICROS))

    def ask(self, bid: Any = None, ask: Any = None, *decided: Any) -> list[tuple[Any, ...]]:
        """The changes as (side, cents, shares), and the names of the orders to cancel."""
        found: list[tuple[Any, ...]] = []
        for each in self.differ.changes(Quotes(ME, YES, bid, ask), decided):
            if isinstance(each, CancelIntent):
                found.append((str(each.client_order_id),))
            else:
                assert (each.tif, each.post_only, each.signal) == ("gtc", True, "quote")
                found.append((each.side, each.price // 10_000, each.size / MICROS))
        return found


def test_what_is_missing_is_placed() -> None:
    desk = Desk()
    desk.hold(30)
    assert desk.ask(BID, ASK) == [("buy", 48, 10), ("sell", 52, 10)]


def test_what_rests_as_wanted_is_left_alone() -> None:
    desk = Desk()
    desk.hold(10)
    desk.rest("b", "buy", 48)
    desk.rest("a", "sell", 52)
    assert desk.ask(BID, ASK) == []


def test_none_takes_a_side_back() -> None:
    desk = Desk()
    desk.rest("b", "buy", 48)
    assert desk.ask(None, None) == [("b",)]


def test_another_price_is_placed_once_the_old_order_is_gone() -> None:
    desk = Desk()
    desk.rest("b", "buy", 47)
    assert desk.ask(BID) == [("b",)]
    assert desk.ask(BID) == [], "the cancel is on its way"
    desk.risk.now += CANCEL_PATIENCE
    assert desk.ask(BID) == [("b",)], "it seems to be lost"
    desk.account.apply(OrderCancelled(YES, START, ClientOrderId("b"), "asked"))
    assert desk.ask(BID) == [("buy", 48, 10)]
    assert desk.differ._cancelling == {}


def test_an_order_that_is_being_cancelled_is_not_counted_on() -> None:
    desk = Desk()
    desk.rest("b", "buy", 48)
    assert desk.ask(None) == [("b",)]
    assert desk.ask(BID) == [], "wanted again, but it will be gone"
    desk.account.apply(OrderCancelled(YES, START, ClientOrderId("b"), "asked"))
    assert desk.ask(BID) == [("buy", 48, 10)]


def test_what_was_partly_filled_is_topped_up_where_the_market_takes_so_little() -> None:
    desk = Desk()
    desk.rest("b", "buy", 48, 10)
    desk.account.apply(fill("b", 4, 48, maker=True))
    assert desk.ask(BID) == [], "4 shares are below the minimum of 5"
    desk.account.apply(replace(fill("b", 2, 48, maker=True), trade_id="b.2"))
    assert desk.ask(BID) == [("buy", 48, 6)]


def test_more_than_wanted_is_reduced_by_whole_orders() -> None:
    desk = Desk()
    desk.rest("old", "buy", 48, 6)
    desk.rest("new", "buy", 48, 6)
    assert desk.ask(BID) == [("new",)]
    desk = Desk()
    desk.rest("big", "buy", 48, 60)
    assert desk.ask(BID) == [("big",)]


def test_no_more_is_sold_than_is_held() -> None:
    desk = Desk()
    assert desk.ask(None, ASK) == []
    desk.hold(7)
    assert desk.ask(None, ASK) == [("sell", 52, 7)]


@pytest.mark.parametrize(
    ("rests", "wanted"),
    [
        (("sell", 48, YES), (BID, None)),
        (("buy", 52, YES), (None, ASK)),
        (("buy", 52, NO), (BID, None)),  # a bid of 52 for NO offers YES at 48
        (("sell", 48, NO), (None, ASK)),
    ],
)
def test_nothing_is_placed_that_would_trade_with_an_order_of_this_account(rests: Any, wanted: Any) -> None:
    side, price, key = rests
    for strategy in ("other", str(ME)):
        desk = Desk()
        desk.hold(10)
        desk.rest("x", side, price, key=key, strategy=StrategyName(strategy))
        assert all(len(each) == 1 for each in desk.ask(*wanted)), "cancels at most"
    desk = Desk()
    desk.hold(10)
    apart = price + 1 if (side == "sell") == (key == YES) else price - 1
    desk.rest("x", side, apart if key == YES else 100 - (100 - price) + (1 if side == "sell" else -1), key=key,
              strategy=StrategyName("other"))  # fmt: skip
    assert len(desk.ask(*wanted)) == 1


def test_orders_that_only_take_are_none_of_its_business() -> None:
    desk = Desk()
    desk.rest("x", "buy", 40, tif="ioc")
    assert desk.ask(BID) == [("buy", 48, 10)]


def test_quotes_that_would_trade_with_each_other_are_an_error() -> None:
    for wrong in ((BID, BID), ((cents(0), shares(1)), None), (None, (cents(9), Size(0)))):
        with pytest.raises(ValueError, match="mock:m-yes"):
            Quotes(ME, YES, *wrong)


_LEVEL = st.none() | st.tuples(st.integers(40, 60).map(cents), st.integers(1, 30).map(shares))


class QuotingRun:
    """Carries out what the differ asks for, and checks that the account never has more resting than it may."""

    def __init__(self) -> None:
        self.desk, self.placed = Desk(), 0
        self.desk.hold(20)
        self.cancels: list[ClientOrderId] = []

    def apply(self, wanted: Quotes) -> int:
        """Carry out what is asked for; return how much that was."""
        changes = self.desk.differ.changes(wanted)
        for each in changes:
            if isinstance(each, CancelIntent):
                self.cancels.append(each.client_order_id)
            else:
                self._place(each)
        self._check()
        return len(changes)

    def confirm(self) -> None:
        """Let the cancels arrive."""
        while self.cancels:
            self.desk.account.apply(OrderCancelled(YES, START, self.cancels.pop(), "asked"))

    def resting(self, side: Any) -> tuple[int, set[Price]]:
        """The size and the prices that rest on a side."""
        orders = [order for order in self.desk.account.orders.live() if order.side == side]
        return sum(order.remaining for order in orders), {order.price for order in orders}

    def _place(self, intent: Intent) -> None:
        self.placed += 1
        name = ClientOrderId(f"o{self.placed}")
        self.desk.account.place(PlaceOrder(name, ME, YES, intent.side, intent.price, intent.size, "gtc"), START)

    def _check(self) -> None:
        (_, bids), (asked, asks) = self.resting("buy"), self.resting("sell")
        assert asked <= shares(20)
        assert len(bids) <= 1
        assert len(asks) <= 1
        assert max(bids, default=Price(0)) < min(asks, default=Price(MICROS))


def _settled(run: QuotingRun, side: Any, level: Any, most: int) -> bool:
    """Whether what rests is what was wanted, up to the market's minimum of 5 shares."""
    size, prices = run.resting(side)
    if level is None or not size:
        return not size
    return prices == {level[0]} and min(level[1], most) - shares(5) < size <= level[1]


@given(st.lists(st.tuples(_LEVEL, _LEVEL, st.booleans()), max_size=20))
def test_it_arrives_at_what_is_wanted_and_never_beyond(steps: list[tuple[Any, Any, bool]]) -> None:
    run = QuotingRun()
    for bid, ask, confirmed in steps:
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            continue
        wanted = Quotes(ME, YES, bid, ask)
        run.apply(wanted)
        if confirmed:
            for _ in range(4):
                run.confirm()
                run.apply(wanted)
            assert run.apply(wanted) == 0
            assert _settled(run, "buy", bid, shares(100))
            assert _settled(run, "sell", ask, shares(20))


def test_what_was_decided_in_the_same_step_counts_as_sent() -> None:
    resting = intent("buy", 48, 4, tif="gtc")
    assert Desk().ask(BID, None, resting) == [("buy", 48, 6)]
    assert Desk().ask(BID, None, replace(resting, price=cents(47))) == [], "it can be cancelled once it was sent"
    other = StrategyName("other")
    assert Desk().ask(BID, None, replace(resting, strategy=other)) == [("buy", 48, 10)]
    assert Desk().ask(BID, None, intent("sell", 48, 4, strategy=other)) == [], "they would trade with each other"
    assert Desk().ask(BID, None, intent("buy", 52, 4, key=NO, tif="gtc", strategy=other)) == []
    desk = Desk()
    desk.hold(13)
    assert desk.ask(None, ASK, intent("sell", 40, 6)) == [("sell", 52, 7)]
    desk.rest("b", "buy", 47)
    assert desk.ask(BID, None, CancelIntent(other, ClientOrderId("b"), "test")) == [("b",)]
    desk = Desk()
    desk.rest("b", "buy", 48)
    assert desk.ask(BID, None, CancelIntent(ME, ClientOrderId("b"), "test")) == [], "its cancel is on its way"


def test_of_two_resting_orders_that_would_trade_with_each_other_one_makes_way() -> None:
    desk, other = Desk(), StrategyName("other")
    desk.rest("b", "buy", 48)
    desk.rest("n", "buy", 52, key=NO, strategy=other)
    assert desk.ask(BID) == [("b",)]
    assert tuple(desk.differ.changes(Quotes(other, NO, (cents(52), shares(10))))) == ()
    assert desk.ask(BID) == []
    desk.account.apply(OrderCancelled(YES, START, ClientOrderId("b"), "asked"))
    assert desk.ask(BID) == [], "the other one is still there"


def test_what_may_not_be_sent_now_is_not_proposed() -> None:
    desk = Desk()
    desk.hold(10)
    desk.risk.requested = "reducing"
    assert desk.ask(BID, ASK) == [("sell", 52, 10)]
    desk.risk.requested, desk.risk.lost_too_much = "active", True
    assert desk.ask(BID, ASK) == [("sell", 52, 10)]
    desk.risk.requested = "halted"
    assert desk.ask(BID, ASK) == []
    desk.risk.requested, desk.risk.lost_too_much = "active", False
    assert desk.ask(BID, ASK) == [("buy", 48, 10), ("sell", 52, 10)]


def test_a_venue_that_takes_no_orders_or_no_cancels_is_sent_none() -> None:
    desk = Desk()
    desk.rest("b", "buy", 47)
    desk.cache.apply(VenuePhase(V, START, None, "closed", "{}"))
    assert desk.ask(BID) == []
    desk.cache.apply(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert desk.ask(BID) == [("b",)]
    desk.account.apply(OrderCancelled(YES, START, ClientOrderId("b"), "asked"))
    assert desk.ask(BID) == []
    desk.cache.apply(VenuePhase(V, START, None, "open", "{}"))
    assert desk.ask(BID) == [("buy", 48, 10)]


def test_what_was_refused_is_proposed_again_once_it_changes_or_a_while_has_passed() -> None:
    desk = Desk()
    (order,) = desk.differ.changes(Quotes(ME, YES, BID))
    desk.differ.on_refusals(
        [Refused(START, order, "cash", ""), Refused(START, CancelIntent(ME, ClientOrderId("x"), "t"), "x", "")]
    )
    assert desk.ask(BID) == []
    assert desk.ask((cents(47), shares(10))) == [("buy", 47, 10)]
    desk.risk.now += REFUSAL_PATIENCE - 1
    assert desk.ask(BID) == []
    desk.risk.now += 1
    assert desk.ask(BID) == [("buy", 48, 10)]
