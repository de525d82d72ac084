"""A basket is as large as its thinnest ladder allows, and never sold short of its edge."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.fees import taker_fee
from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.core.num import MICROS, Money, Price, Size, notional_up
from predsurv.strategies.sizing import LOT, BasketLeg, SizingConstraints, buy_cost, sale_proceeds, size_basket
from tests.kit.trading_samples import FEE, YES, cents, levels, market, shares

ONE = Money(MICROS)


def leg(*pairs: tuple[int, float], fee: bool = False, least: float = 5) -> BasketLeg:
    return BasketLeg(YES, market(fee=FEE if fee else NO_FEE, min_order_size=shares(least)), levels(*pairs))


def wanted(edge: int = 5_000, cost: int = 1_000) -> SizingConstraints:
    return SizingConstraints(ONE, Money(edge), Money(cost * MICROS))


def test_the_thinnest_level_decides() -> None:
    offer = size_basket([leg((30, 50)), leg((30, 20)), leg((30, 80))], wanted())
    assert offer is not None
    assert (offer.size, offer.limits) == (shares(20), (cents(30),) * 3)
    assert (offer.cost, offer.edge) == (18 * MICROS, 2 * MICROS)


def test_it_goes_deeper_while_every_set_still_earns_its_edge() -> None:
    offer = size_basket([leg((30, 10), (33, 10), (60, 99)), leg((60, 100))], wanted(edge=10_000))
    assert offer is not None
    assert (offer.size, offer.limits) == (shares(20), (cents(33), cents(60)))
    offer = size_basket([leg((30, 10), (33, 10), (60, 99)), leg((60, 100))], wanted(edge=80_000))
    assert offer is not None
    assert (offer.size, offer.limits) == (shares(10), (cents(30), cents(60)))


def test_fees_can_eat_the_edge() -> None:
    assert size_basket([leg((49, 50)), leg((49, 50))], wanted()) is not None
    assert size_basket([leg((49, 50), fee=True), leg((49, 50), fee=True)], wanted()) is None


def test_an_edge_that_rounding_of_the_fees_eats_is_no_edge() -> None:
    exact = 1_000_000 - 2 * (300_000 + 8_400)
    assert size_basket([leg((30, 5.07), fee=True)] * 2, wanted(edge=exact)) is None
    assert size_basket([leg((30, 5.07), fee=True)] * 2, wanted(edge=exact - 1)) is not None


def test_the_most_to_spend_bounds_the_size() -> None:
    offer = size_basket([leg((30, 500)), leg((60, 500))], wanted(cost=9))
    assert offer is not None
    assert offer.size == shares(10)
    assert offer.cost <= 9 * MICROS


def test_less_than_the_minimum_order_gives_none() -> None:
    assert size_basket([leg((30, 4.99)), leg((60, 500))], wanted()) is None
    assert size_basket([leg((30, 50)), leg()], wanted()) is None
    assert size_basket([leg((30, 0.001), least=0), leg((30, 50))], wanted()) is None


def test_a_leg_that_would_be_refused_is_no_basket() -> None:
    dime = BasketLeg(YES, market(fee=NO_FEE, min_taker_buy=ONE), levels((10, 50)))
    assert size_basket([replace(dime, levels=levels((10, 9.99))), leg((80, 50))], wanted()) is None
    offer = size_basket([dime, leg((80, 10))], wanted())
    assert offer is not None
    assert offer.size == shares(10)


def test_legs_below_the_resting_minimum_are_bought_where_taking_is_measured_by_worth() -> None:
    penny_minimum = market(fee=NO_FEE, min_taker_buy=ONE)
    legs = [BasketLeg(YES, penny_minimum, levels((cents_, 2.5))) for cents_ in (42, 50)]
    offer = size_basket(legs, wanted())
    assert offer is not None
    assert offer.size == shares(2.5)
    assert size_basket([replace(each, market=market(fee=NO_FEE)) for each in legs], wanted()) is None


def test_what_buying_costs_and_selling_brings() -> None:
    ladder = leg((30, 10), (40, 10), fee=True)
    assert buy_cost(ladder, shares(15)) == (
        3 * MICROS + 2 * MICROS + taker_fee(FEE, cents(30), shares(10)) + taker_fee(FEE, cents(40), shares(5)),
        cents(40),
    )
    assert buy_cost(ladder, shares(21)) is None
    bids = leg((40, 10), (30, 10))
    assert sale_proceeds(bids, shares(15)) == (5_500_000, cents(30), shares(15))
    assert sale_proceeds(bids, shares(50))[2] == shares(20)
    assert sale_proceeds(leg(), shares(1)) == (0, 0, 0)


def test_a_sale_pays_the_fee_of_a_sale() -> None:
    kalshi = FeeSchedule("kalshi", 70_000)
    ladder = BasketLeg(YES, market(fee=kalshi), ((Price(1_000), shares(227.27)),))
    sale, purchase = (taker_fee(kalshi, Price(1_000), shares(227.27), side) for side in ("sell", "buy"))
    assert sale != purchase
    assert sale_proceeds(ladder, shares(227.27))[0] == 227_270 - sale
    assert buy_cost(ladder, shares(227.27)) == (227_270 + purchase, Price(1_000))


ladders = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 200)), min_size=1, max_size=4, unique_by=lambda t: t[0])


@given(st.lists(st.tuples(ladders, st.booleans()), min_size=2, max_size=4), st.integers(0, 50_000), st.integers(1, 300))
def test_a_sized_basket_keeps_every_constraint(
    sides: list[tuple[list[tuple[int, int]], bool]], edge: int, cost: int
) -> None:
    legs = [leg(*sorted(pairs), fee=fee) for pairs, fee in sides]
    offer = size_basket(legs, wanted(edge, cost))
    if offer is None:
        return
    assert offer.size % LOT == 0
    assert offer.size >= shares(5)
    spent = 0
    for each, limit in zip(legs, offer.limits, strict=True):
        reachable = sum(size for price, size in each.levels if price <= limit)
        assert reachable >= offer.size
        left = offer.size
        for price, size in each.levels:
            taken = Size(min(size, left))
            left = Size(left - taken)
            spent += notional_up(price, taken) + taker_fee(each.fee, price, taken)
    assert spent == offer.cost
    assert offer.edge == offer.size - spent
    assert offer.edge * MICROS >= edge * offer.size
    # Fees are rounded per fill, so the budget holds to within a rounding step per level.
    assert offer.cost <= cost * MICROS + 20 * sum(len(each.levels) for each in legs)
