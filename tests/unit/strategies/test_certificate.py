"""Certificates: the result in every state, void included."""

from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price, Size
from predsurv.strategies.certificate import Certificate, certify, void_price
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from predsurv.strategies.set_plan import PlannedOrder
from tests.kit.manual_view import ABC, ManualView
from tests.kit.trading_samples import START, cents, market, shares

DAY = 86_400 * 1_000_000_000
VOIDABLE = tuple(replace(each, neg_risk=False, exhaustive=False) for each in ABC)


def buy(key: InstrumentKey, price: int, size: float) -> PlannedOrder:
    return PlannedOrder(key, "buy", ((cents(price), shares(size)),))


def group_of(view: ManualView, first: Market) -> ClaimGroup:
    group = ClaimGroups().of(first, view)
    assert group is not None
    return group


def certificate_of(view: ManualView, orders: tuple[PlannedOrder, ...]) -> Certificate:
    market_ = view.market(orders[0].key.venue, orders[0].key.market_id)
    assert market_ is not None
    return certify(group_of(view, market_), orders, view)


def no_legs(*prices: int) -> tuple[PlannedOrder, ...]:
    return tuple(buy(each.key(1), price, 10) for each, price in zip(VOIDABLE, prices, strict=False))


def test_three_legs_of_no_lose_in_a_void_and_two_do_not() -> None:
    view = ManualView(VOIDABLE)
    three = certificate_of(view, no_legs(63, 63, 63))
    fees = three.fees
    assert (three.gain, three.void) == (cents(110) - fees, -cents(390) - fees)
    assert [each.result for each in three.states] == [cents(110) - fees] * 3 + [cents(1110) - fees]
    assert [each.name for each in three.states] == ["Will a?", "Will b?", "Will c?", "none"]
    two = certificate_of(view, no_legs(45, 45))
    assert two.void == cents(100) - two.fees


def test_one_void_market_costs_half_of_what_would_have_won() -> None:
    pair = certificate_of(ManualView((market(fee=ABC[0].fee),)), (buy(market().key(0), 48, 10),))
    assert pair.void_one == pair.void == cents(20) - pair.fees
    three = certificate_of(ManualView(VOIDABLE), no_legs(60, 60, 60))
    assert three.void_one == cents(-300) - three.fees


def test_nothing_is_void_in_an_event_whose_contract_knows_yes_and_no_only() -> None:
    view = ManualView()
    sure = certificate_of(view, tuple(buy(each.key(1), 63, 10) for each in ABC))
    assert (sure.void, sure.void_one) == (None, None)
    assert len(sure.states) == 3
    assert "all void none; one void none" in sure.text(START)


def test_a_venue_that_voids_at_a_price_is_taken_to_pay_what_is_bid() -> None:
    kalshi = market(venue=VenueName("kalshi"))
    view = ManualView((kalshi,))
    assert [void_price(kalshi, key, view) for key in kalshi.keys()] == [0, MICROS]  # noqa: SIM118 - no mapping
    view.show(kalshi.key(0), bids=((40, 5),))
    assert [void_price(kalshi, key, view) for key in kalshi.keys()] == [cents(40), cents(60)]  # noqa: SIM118
    three = market(outcomes=(*market("x").outcomes, *market("y").outcomes[:1]))
    assert void_price(three, three.key(2), view) == MICROS // 3


def test_what_is_held_counts_with_what_is_bought() -> None:
    view = ManualView(VOIDABLE)
    view.hold(VOIDABLE[0].key(1), 10)
    completed = certificate_of(view, (buy(VOIDABLE[1].key(1), 60, 10),))
    assert completed.gain == cents(400) - completed.fees
    assert completed.whole_gain == cents(1000 - 500 - 600) - completed.fees
    assert completed.whole_void == completed.whole_gain


def test_the_return_is_stated_by_the_year_where_the_end_is_known() -> None:
    ending = tuple(replace(each, close_time=START + 73 * DAY) for each in VOIDABLE)
    dated = certificate_of(ManualView(ending), no_legs(60, 60, 60))
    assert dated.until == START + 73 * DAY
    assert dated.annual_return(START) == dated.gain * 5 * MICROS // dated.cost
    assert "% a year" in dated.text(START)
    assert dated.annual_return(START + 73 * DAY) is None
    half = replace(ending[0], close_time=None)
    assert certificate_of(ManualView((half, *ending[1:])), no_legs(60, 60, 60)).until is None


def test_a_sale_counts_its_proceeds() -> None:
    view = ManualView(VOIDABLE)
    view.hold(VOIDABLE[0].key(1), 10)
    sale = PlannedOrder(VOIDABLE[0].key(1), "sell", ((cents(40), shares(10)),))
    sold = certificate_of(view, (sale,))
    assert sold.cost == sold.fees - cents(400)
    assert sold.gain == -sold.cost
    assert sold.annual_return(START) is None


def test_many_states_are_cut_in_the_line_and_unknown_markets_are_numbered() -> None:
    many = tuple(replace(market(f"m{number}"), event_id=ABC[0].event_id) for number in range(14))
    many = tuple(replace(each, mutually_exclusive=True, exhaustive=True, neg_risk=True) for each in many)
    view = ManualView(many)
    proof = certificate_of(view, (PlannedOrder(many[0].key(1), "buy", ((Price(1), Size(MICROS)),)),))
    assert "and 2 more" in proof.text(START)
    empty = ManualView(())
    group = group_of(ManualView(), ABC[0])
    assert [each.name for each in certify(group, (), empty).states] == ["0", "1", "2"]
    assert certify(group, (buy(ABC[0].key(0), 10, 1),), empty).fees == 0
