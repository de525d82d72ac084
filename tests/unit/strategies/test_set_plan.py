"""The level of sets that pays most, on ladders made by hand."""

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.num import MICROS, Price, Size
from predsurv.strategies.claim_tiers import LOT, ClaimTiers, Tier
from predsurv.strategies.set_plan import SetSearch, best_level, capped, orders_at, without
from tests.kit.trading_samples import V, cents, shares

KEYS = tuple(InstrumentKey(V, MarketId(name), InstrumentId(name)) for name in "abc")


def tier(index: int, price: int, size: float, side: str = "buy") -> Tier:
    return Tier(cents(price), KEYS[index], side, cents(price), shares(size))  # type: ignore[arg-type]


def search(*asks: tuple[tuple[int, float], ...], hurdle: int = 0) -> SetSearch:
    claims = tuple(
        ClaimTiers(0, tuple(tier(index, price, size) for price, size in levels), ())
        for index, levels in enumerate(asks)
    )
    return SetSearch(claims, exhaustive=True, hurdle=hurdle)


def test_sets_are_bought_down_to_the_level_that_stops_paying() -> None:
    found = search(((30, 10), (35, 50)), ((60, 40), (65, 100)))
    assert best_level(found) == shares(40)  # 35 + 60 still pays, 35 + 65 does not
    assert best_level(search(((30, 10), (35, 50)), ((60, 40), (66, 100)), hurdle=50_000)) == shares(10)
    assert best_level(search(((30, 10),), ())) == 0


def test_a_level_is_reached_by_the_cheapest_orders() -> None:
    orders = orders_at(search(((30, 10), (35, 50)), ((60, 40),)), shares(20))
    assert orders is not None
    assert [(order.key, order.size, order.limit) for order in orders] == [
        (KEYS[0], shares(20), cents(35)),
        (KEYS[1], shares(20), cents(60)),
    ]
    assert orders[0].takes == ((cents(30), shares(10)), (cents(35), shares(10)))
    assert orders_at(search(((30, 10),), ((60, 5),)), shares(20)) is None


def test_sets_that_sell_for_more_than_they_pay_are_sold() -> None:
    claims = tuple(
        ClaimTiers(shares(20), (), (tier(index, price, 15, "sell"),)) for index, price in enumerate((40, 65))
    )
    held = SetSearch(claims, exhaustive=True)
    assert best_level(held) == shares(5)
    assert best_level(SetSearch(claims, exhaustive=True, hurdle=60_000)) == shares(20)
    assert held.highest == shares(20)


def test_levels_of_a_group_in_which_nothing_may_come_true_end_at_none() -> None:
    claims = (ClaimTiers(shares(5), (), ()), ClaimTiers(shares(3), (), ()))
    open_group = SetSearch(claims, exhaustive=False)
    assert (open_group.level, open_group.highest) == (0, 0)
    assert best_level(open_group) == 0


def test_pairs_are_bought_where_they_cost_less_than_they_pay() -> None:
    yes, no = tier(0, 40, 10), Tier(cents(45), KEYS[1], "buy", cents(55), shares(6))
    pair = SetSearch((ClaimTiers(0, (yes,), (no,)),), exhaustive=False, pair_hurdle=cents(4))
    assert best_level(pair) == 0
    orders = orders_at(pair, 0)
    assert orders is not None
    assert [(order.key, order.size) for order in orders] == [(KEYS[0], shares(6)), (KEYS[1], shares(6))]
    assert orders_at(SetSearch(pair.claims, exhaustive=False, pair_hurdle=cents(5)), 0) == ()
    longer = ClaimTiers(0, (yes, tier(0, 41, 5)), (no, Tier(cents(44), KEYS[1], "buy", cents(56), shares(6))))
    more = orders_at(SetSearch((longer,), exhaustive=False, pair_hurdle=cents(2)), 0)
    assert more is not None
    assert [(order.size, order.takes) for order in more] == [
        (shares(12), ((cents(40), shares(10)), (cents(41), shares(2)))),
        (shares(12), ((cents(55), shares(6)), (cents(56), shares(6)))),
    ]


def test_worthless_offers_are_not_taken() -> None:
    claim = ClaimTiers(shares(10), (), (Tier(0, KEYS[0], "sell", Price(1), shares(10)),))
    assert orders_at(SetSearch((claim,), exhaustive=False), 0) == ()


def test_residues_below_a_lot_are_bought_up_and_not_sold() -> None:
    claims = (ClaimTiers(LOT // 2, (tier(0, 30, 5),), ()), ClaimTiers(LOT // 2, (), (tier(1, 30, 5, "sell"),)))
    orders = orders_at(SetSearch(claims, exhaustive=True), LOT)
    assert orders is None
    held = SetSearch(claims[:1], exhaustive=True)
    bought = orders_at(held, LOT)
    assert bought is not None
    assert [order.size for order in bought] == [LOT]
    assert orders_at(SetSearch(claims[1:], exhaustive=True), 0) == ()


def test_a_search_can_be_capped_and_leave_instruments_out() -> None:
    found = search(((30, 10), (35, 50)), ((60, 40),))
    assert best_level(capped(found, shares(15))) == shares(15)
    assert best_level(without(found, {KEYS[1]})) == 0
    assert Size(MICROS) == shares(1)


def test_for_an_edge_that_nothing_can_earn_nothing_is_done() -> None:
    assert best_level(search(((30, 10),), ((60, 40),), hurdle=10 * MICROS * MICROS)) == 0
