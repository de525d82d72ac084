"""What is too small for the venues is not searched for, and a search would find nothing of it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Size
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.claim_tiers import claim_tiers
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from predsurv.strategies.set_plan import PlannedOrder, SetSearch
from predsurv.strategies.set_trades import best_trade, rebalancing_orders
from tests.kit.manual_view import EVENT, ManualView
from tests.kit.trading_samples import market

Levels = list[tuple[int, int]]
sides = st.lists(st.tuples(st.integers(1, 98), st.integers(1, 30)), max_size=3, unique_by=lambda level: level[0])
PARAMS = ArbitrageParams()


def event(least: list[int], worth: int, *, exhaustive: bool) -> tuple[Market, ...]:
    return tuple(
        market(
            name,
            event_id=EVENT,
            mutually_exclusive=True,
            exhaustive=exhaustive,
            neg_risk=True,
            min_order_size=Size(shares * MICROS),
            min_taker_buy=Money(worth * MICROS),
        )
        for name, shares in zip("abc", least, strict=True)
    )


def group_of(view: ManualView, first: Market) -> ClaimGroup:
    group = ClaimGroups().of(first, view)
    assert group is not None
    return group


def rebalancing(group: ClaimGroup, view: ManualView, *, may_buy: bool = True) -> tuple[PlannedOrder, ...]:
    return rebalancing_orders(group, view, PARAMS, keys=frozenset(group.instruments()), may_buy=may_buy)


@settings(max_examples=150, deadline=None)
@given(
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from((0, 1, 5, 20)), min_size=3, max_size=3),
    st.sampled_from((0, 1)),
    st.lists(st.tuples(sides, sides), min_size=6, max_size=6),
    st.tuples(st.sampled_from((0, 40)), st.lists(st.integers(0, 900), min_size=6, max_size=6)),
)
def test_it_finds_what_a_search_finds_that_does_not_look_at_minimums_first(
    exhaustive: bool,
    may_buy: bool,
    least: list[int],
    worth: int,
    books: list[tuple[Levels, Levels]],
    held: tuple[int, list[int]],
) -> None:
    markets = event(least, worth, exhaustive=exhaustive)
    view = ManualView(markets)
    keys = [key for each in markets for key in each.keys()]  # noqa: SIM118 - a market is no mapping
    for key, (above, below), hundredths in zip(keys, books, held[1], strict=True):
        lowest = min((price for price, _ in above), default=99)
        bids = sorted((level for level in below if level[0] < lowest), reverse=True)
        view.show(key, bids=bids, asks=sorted(above))
        view.hold(key, held[0] + hundredths / 100)
    group = group_of(view, markets[0])
    terms = replace(PARAMS.terms(may_buy=may_buy), annual_return=0)
    claims = tuple(claim_tiers(claim, view, terms) for claim in group.claims)
    trade = best_trade(group, view, SetSearch(claims, group.exhaustive), completing=True)
    searched = () if trade is None or trade.certificate.gain <= 0 else trade.orders
    assert rebalancing(group, view, may_buy=may_buy) == searched


def test_the_smallest_order_is_still_searched_for_and_less_is_not() -> None:
    markets = event([5, 5, 5], 0, exhaustive=True)
    found = []
    for excess in (4.99, 5):
        view = ManualView(markets)
        for each in markets:
            view.show(each.key(0), bids=((20, 100),), asks=((60, 100),))
            view.hold(each.key(0), 100)
        view.hold(markets[1].key(0), 100 + excess)
        found.append([(order.side, order.size) for order in rebalancing(group_of(view, markets[0]), view)])
    assert found == [[], [("sell", 5 * MICROS)]]
