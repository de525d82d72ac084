"""Trades in groups of claims against brute force over every combination of shares and every state."""

from collections.abc import Mapping
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import MICROS, Money, Price, Ratio, Size, notional, notional_up
from predsurv.core.orders import Position
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.certificate import certify
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from predsurv.strategies.set_plan import PlannedOrder
from predsurv.strategies.set_trades import SetTrade, accepted, affordable, opening_trade, rebalancing_orders
from tests.kit.manual_view import EVENT, ManualView
from tests.kit.trading_samples import cents, market, shares

UNIT = 5
"""Shares in which books and holdings of these worlds come."""

FREE = ArbitrageParams(
    edge_min=Money(0),
    edge_max=Money(9 * MICROS),
    cost_max=Money(10**12),
    annual_return_min=Ratio(0),
    void_rate=Ratio(0),
    void_cover=Ratio(0),
)
FEES = (NO_FEE, FeeSchedule(model="polymarket", rate=50_000), FeeSchedule(model="kalshi", rate=70_000))

Levels = list[tuple[int, int]]
prices = st.integers(1, 98)
asks = st.lists(st.tuples(prices, st.integers(1, 2)), max_size=2, unique_by=lambda level: level[0])
few_asks = st.one_of(
    st.lists(st.tuples(prices, st.just(1)), max_size=2, unique_by=lambda level: level[0]),
    st.tuples(st.tuples(prices, st.just(2))).map(list),
)
"""Two units at most, so that every combination can be tried."""


def event(count: int, *, exhaustive: bool, fee: FeeSchedule = NO_FEE) -> tuple[Market, ...]:
    return tuple(
        market(
            name,
            event_id=EVENT,
            mutually_exclusive=True,
            exhaustive=exhaustive,
            neg_risk=True,
            fee=fee,
            min_order_size=Size(0),
        )
        for name in "abcd"[:count]
    )


def group_of(view: ManualView, first: Market) -> ClaimGroup:
    group = ClaimGroups().of(first, view)
    assert group is not None
    return group


def least_payout(group: ClaimGroup, held: Mapping[InstrumentKey, int]) -> int:
    """What is paid in the worst state, state by state."""
    count = len(group.claims)
    states: list[int | None] = [*range(count)]
    if not group.exhaustive:
        states.append(None)
    payouts = []
    for state in states:
        total = 0
        for index, claim in enumerate(group.claims):
            for source in claim.sources:
                if index == state:
                    total += held.get(source.yes, 0)
                elif source.no is not None:
                    total += held.get(source.no, 0)
        payouts.append(total)
    return min(payouts)


def cost_of(view: ManualView, key: InstrumentKey, size: int) -> int | None:
    """What ``size`` costs at the asks with fees, None when they hold less."""
    if not size:
        return 0
    market_, book, total = view.market(key.venue, key.market_id), view.book(key), 0
    if market_ is None or book is None:
        return None
    for price, available in book.asks.levels():
        part = Size(min(size, available))
        total += notional_up(price, part) + taker_fee(market_.fee, price, part)
        size -= part
        if not size:
            return total
    return None


def best_by_force(group: ClaimGroup, view: ManualView, units_max: int) -> int:
    """The greatest sure gain of any combination of whole units."""
    keys = list(group.instruments())
    costs = {key: [cost_of(view, key, units * UNIT * MICROS) for units in range(units_max + 1)] for key in keys}
    best = 0
    choices = [[units for units in range(units_max + 1) if costs[key][units] is not None] for key in keys]
    for combination in product(*choices):
        held = {key: units * UNIT * MICROS for key, units in zip(keys, combination, strict=True)}
        spent = sum(costs[key][units] or 0 for key, units in zip(keys, combination, strict=True))
        best = max(best, least_payout(group, held) - spent)
    return best


def show(view: ManualView, markets: tuple[Market, ...], books: list[Levels]) -> None:
    for index, levels in enumerate(books):
        key = markets[index // 2].key(index % 2)
        view.show(key, asks=tuple(sorted((price, size * UNIT) for price, size in levels)))


def buying(orders: tuple[PlannedOrder, ...]) -> dict[InstrumentKey, int]:
    return {order.key: order.size for order in orders if order.side == "buy"}


def spent(view: ManualView, orders: tuple[PlannedOrder, ...]) -> int:
    total = 0
    for order in orders:
        market_ = view.market(order.key.venue, order.key.market_id)
        assert market_ is not None
        for price, size in order.takes:
            fee = taker_fee(market_.fee, price, size, order.side)
            total += fee + (notional_up(price, size) if order.side == "buy" else -notional(price, size))
    return total


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.sampled_from(FEES),
    st.sampled_from((4, 6)).flatmap(lambda n: st.lists(few_asks, min_size=n, max_size=n)),
)
def test_the_best_trade_is_the_best_of_all_combinations(
    exhaustive: bool, fee: FeeSchedule, books: list[Levels]
) -> None:
    markets = event(len(books) // 2, exhaustive=exhaustive, fee=fee)
    view = ManualView(markets)
    show(view, markets, books)
    group = group_of(view, markets[0])
    best = best_by_force(group, view, 2)
    trade = opening_trade(group, view, FREE)
    gain = 0 if trade is None else trade.certificate.gain
    rounding = 0 if fee is NO_FEE else 200 * len(books)
    assert best - rounding <= gain <= best + rounding
    if trade is not None:
        assert least_payout(group, buying(trade.orders)) - spent(view, trade.orders) == gain


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.sampled_from(FEES),
    st.lists(asks, min_size=6, max_size=6),
    st.integers(0, 40),
    st.sampled_from((0, 3, 8)),
)
def test_what_is_accepted_can_be_paid_is_large_enough_and_earns_its_edge_in_every_state(
    exhaustive: bool, fee: FeeSchedule, books: list[Levels], cash: int, minimum: int
) -> None:
    markets = tuple(replace(each, min_order_size=shares(minimum)) for each in event(3, exhaustive=exhaustive, fee=fee))
    view = ManualView(markets)
    view.money = Money(cash * MICROS)
    show(view, markets, books)
    group = group_of(view, markets[0])
    params = replace(FREE, edge_min=Money(10_000), cost_max=Money(30 * MICROS))
    trade = opening_trade(group, view, params)
    if trade is None:
        return
    gain = least_payout(group, buying(trade.orders)) - spent(view, trade.orders)
    assert gain == trade.certificate.gain
    assert gain * MICROS >= 10_000 * max(order.size for order in trade.orders)
    assert all(order.size >= shares(minimum) for order in trade.orders)
    assert spent(view, trade.orders) <= 30 * MICROS
    assert affordable(trade.orders, view, params.cost_max)
    assert trade.certificate.states[0].result >= gain


holdings = st.lists(st.integers(0, 3), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.sampled_from(FEES), st.lists(st.tuples(asks, asks), min_size=6, max_size=6), holdings)
def test_rebalancing_never_leaves_less_than_was_sure_before(
    exhaustive: bool, fee: FeeSchedule, books: list[tuple[Levels, Levels]], units: list[int]
) -> None:
    markets = event(3, exhaustive=exhaustive, fee=fee)
    view = ManualView(markets)
    keys = [key for each in markets for key in each.keys()]  # noqa: SIM118 - a market is no mapping
    for key, (above, below) in zip(keys, books, strict=True):
        lowest = min((price for price, _ in above), default=99)
        bids = sorted(((price, size * UNIT) for price, size in below if price < lowest), reverse=True)
        view.show(key, bids=bids, asks=sorted((price, size * UNIT) for price, size in above))
    for key, held in zip(keys, units, strict=True):
        view.hold(key, held * UNIT)
    group = group_of(view, markets[0])
    orders = rebalancing_orders(group, view, FREE, keys=frozenset(group.instruments()), may_buy=True)
    before = {key: position.size for key, position in view.held.items()}
    after: dict[InstrumentKey, int] = dict(before)
    for order in orders:
        after[order.key] = after.get(order.key, 0) + (order.size if order.side == "buy" else -order.size)
    assert all(size >= 0 for size in after.values())
    assert least_payout(group, after) - spent(view, orders) >= least_payout(group, before)


@settings(max_examples=80, deadline=None)
@given(
    st.booleans(),
    st.lists(asks, min_size=6, max_size=6),
    st.lists(st.integers(0, 4), min_size=6, max_size=6),
    st.lists(asks, min_size=6, max_size=6),
)
def test_after_partial_fills_nothing_that_is_sure_is_given_away(
    exhaustive: bool, books: list[Levels], quarters: list[int], later: list[Levels]
) -> None:
    markets = event(3, exhaustive=exhaustive)
    view = ManualView(markets)
    show(view, markets, books)
    group = group_of(view, markets[0])
    trade = opening_trade(group, view, FREE)
    if trade is None:
        return
    for order, part in zip(trade.orders, quarters, strict=False):
        filled = Size(order.size * part // 4)
        if filled:
            view.held[order.key] = Position(order.key, filled, Money(0))
    show(view, markets, later)
    before = {key: position.size for key, position in view.held.items()}
    for may_buy in (True, False):
        orders = rebalancing_orders(group, view, FREE, keys=frozenset(group.instruments()), may_buy=may_buy)
        assert may_buy or not buying(orders)
        after: dict[InstrumentKey, int] = dict(before)
        for order in orders:
            after[order.key] = after.get(order.key, 0) + (order.size if order.side == "buy" else -order.size)
        assert least_payout(group, after) - spent(view, orders) >= least_payout(group, before)
        assert least_payout(group, after) - spent(view, orders) > least_payout(group, before) or not orders


def test_an_edge_of_a_tenth_of_a_millionth_is_no_edge_and_of_a_millionth_is_one() -> None:
    markets = event(2, exhaustive=True)
    view = ManualView(markets)
    snapshots = [view.show(each.key(0), asks=((50, 100),)) for each in markets]
    view.cache.apply(replace(snapshots[0], asks=((Price(499_999), shares(100)),)))
    trade = opening_trade(group_of(view, markets[0]), view, FREE)
    assert trade is not None
    assert trade.certificate.gain == 100
    view.cache.apply(replace(snapshots[1], asks=((Price(500_001), shares(100)),)))
    assert opening_trade(group_of(view, markets[0]), view, FREE) is None


def test_a_thin_leg_of_no_is_taken_as_far_as_it_goes_and_left_out_below_the_minimum() -> None:
    for thin, legs in ((0, [100, 100, 100]), (3, [100, 100, 100]), (6, [100, 100, 100, 6])):
        markets = tuple(replace(each, min_order_size=shares(5)) for each in event(4, exhaustive=False))
        view = ManualView(markets)
        for each in markets[:3]:
            view.show(each.key(1), asks=((63, 100),))
        if thin:
            view.show(markets[3].key(1), asks=((98, thin),))
        trade = opening_trade(group_of(view, markets[0]), view, FREE)
        assert trade is not None
        assert [order.size for order in trade.orders] == [shares(size) for size in legs]
        assert trade.certificate.gain == cents(100) * 11 + (0 if thin < 5 else cents(12))


def test_two_legs_of_no_that_pay_for_sure_are_not_sold_below_that() -> None:
    markets = event(3, exhaustive=False)
    view = ManualView(markets)
    for each in markets[:2]:
        view.show(each.key(1), bids=((45, 1000),), asks=((48, 1000),))
        view.hold(each.key(1), 100)
    view.show(markets[2].key(1), bids=((90, 1000),))
    group = group_of(view, markets[0])
    assert rebalancing_orders(group, view, FREE, keys=frozenset(group.instruments()), may_buy=True) == ()


def test_what_pays_is_completed_and_the_rest_is_sold() -> None:
    markets = event(3, exhaustive=True)
    view = ManualView(markets)
    for each in markets:
        view.show(each.key(0), bids=((25, 500),), asks=((32, 99.99),))
    view.hold(markets[0].key(0), 100)
    view.hold(markets[1].key(0), 100)
    group = group_of(view, markets[0])
    orders = rebalancing_orders(group, view, FREE, keys=frozenset(group.instruments()), may_buy=True)
    assert [(order.side, order.key, order.size) for order in orders] == [
        ("sell", markets[0].key(0), shares(0.01)),
        ("sell", markets[1].key(0), shares(0.01)),
        ("buy", markets[2].key(0), shares(99.99)),
    ]


def test_where_all_of_it_is_not_accepted_fewer_of_the_dearer_levels_are() -> None:
    chain = tuple(replace(each, venue=VenueName("polymarket")) for each in event(2, exhaustive=True))
    view = ManualView(chain)
    for each in chain:
        view.show(each.key(0), bids=((1, 1000),), asks=((40, 10), (49, 500)))
    group = group_of(view, chain[0])
    params = replace(FREE, edge_min=Money(5_000), revert_rate=Ratio(20_000))
    trade = opening_trade(group, view, params)
    assert trade is not None
    assert shares(10) <= trade.orders[0].size < shares(510)
    assert opening_trade(group, view, replace(params, revert_rate=Ratio(MICROS))) is None


def test_the_loss_of_a_reverted_leg_is_what_the_best_bids_do_not_bring_back() -> None:
    chain = tuple(replace(each, venue=VenueName("polymarket")) for each in event(2, exhaustive=True))
    view = ManualView(chain)
    for each in chain:  # ten shares go at 44 cents, nothing of them at 1
        view.show(each.key(0), bids=((44, 10), (1, 500)), asks=((49, 10),))
    group = group_of(view, chain[0])
    orders = tuple(PlannedOrder(each.key(0), "buy", ((cents(49), shares(10)),)) for each in chain)
    trade = SetTrade(orders, certify(group, orders, view))
    # 2 cents a set are sure; both legs may be reverted, and then 10 cents a set are lost.
    assert accepted(trade, view, replace(FREE, revert_rate=Ratio(100_000)))
    assert not accepted(trade, view, replace(FREE, revert_rate=Ratio(100_001)))
    view.show(chain[0].key(0))  # a leg that nobody bids for costs all of its 49 cents
    assert accepted(trade, view, replace(FREE, revert_rate=Ratio(18_518)))
    assert not accepted(trade, view, replace(FREE, revert_rate=Ratio(18_520)))


def test_what_is_known_of_no_market_brings_nothing_back() -> None:
    chain = tuple(replace(each, venue=VenueName("polymarket")) for each in event(2, exhaustive=True))
    group, nothing = group_of(ManualView(chain), chain[0]), ManualView(())
    orders = tuple(PlannedOrder(each.key(0), "buy", ((cents(49), shares(10)),)) for each in chain)
    trade = SetTrade(orders, certify(group, orders, nothing))
    params = replace(FREE, annual_return_min=Ratio(MICROS))
    assert accepted(trade, nothing, params)
    assert accepted(trade, nothing, replace(params, revert_rate=Ratio(10_204)))
    assert not accepted(trade, nothing, replace(params, revert_rate=Ratio(10_205)))


def test_a_set_has_to_earn_its_part_of_the_worst_void_not_of_a_void_of_everything() -> None:
    for asks, loss in (((30, 31, 32), cents(43)), ((0, 0, 0), cents(95))):
        markets = tuple(replace(each, neg_risk=False) for each in event(3, exhaustive=True))
        view = ManualView(markets)
        for each, price in zip(markets, asks, strict=True):
            if price:
                view.show(each.key(0), asks=((price, 50),))
            else:
                view.show(each.key(1), asks=((65, 50),))
        trade = opening_trade(group_of(view, markets[0]), view, FREE)
        assert trade is not None
        proof = trade.certificate
        assert (proof.void_worst, proof.gain) == (-50 * loss, 50 * (cents(7) if asks[0] else cents(5)))
        enough = proof.gain * MICROS // (50 * loss)
        assert accepted(trade, view, replace(FREE, void_cover=Ratio(enough)))
        assert not accepted(trade, view, replace(FREE, void_cover=Ratio(enough + 1)))
        assert not accepted(trade, view, replace(FREE, void_rate=Ratio(enough + 1)))
