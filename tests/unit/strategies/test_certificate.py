"""Certificates: the result in every state, void included."""

from itertools import chain, combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Price, Size
from predsurv.strategies.certificate import Certificate, certify, trade_cost, void_price
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from predsurv.strategies.set_plan import PlannedOrder
from tests.kit.manual_view import ABC, ManualView
from tests.kit.trading_samples import START, V, cents, market, shares

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


def test_legs_of_no_lose_most_when_all_but_the_winner_are_void() -> None:
    view = ManualView(VOIDABLE)
    three = certificate_of(view, no_legs(63, 63, 63))
    fees = three.fees
    assert (three.gain, three.void_all) == (cents(110) - fees, -cents(390) - fees)
    assert three.void_worst == three.whole_void == cents(1000 - 1890) - fees
    assert [each.result for each in three.states] == [cents(110) - fees] * 3 + [cents(1110) - fees]
    assert [each.name for each in three.states] == ["Will a?", "Will b?", "Will c?", "none of them"]
    two = certificate_of(view, no_legs(45, 45))
    assert (two.void_all, two.void_worst) == (cents(100) - two.fees, cents(500 - 900) - two.fees)


def test_one_void_market_costs_half_of_what_would_have_won() -> None:
    pair = certificate_of(ManualView((market(fee=ABC[0].fee),)), (buy(market().key(0), 48, 10),))
    assert pair.void_all == cents(20) - pair.fees
    assert pair.void_worst == cents(-480) - pair.fees  # to be void is not the worst
    sure = tuple(replace(each, exhaustive=True) for each in VOIDABLE)
    basket = certificate_of(ManualView(sure), tuple(buy(each.key(0), 30, 10) for each in sure))
    assert basket.void_all == cents(600) - basket.fees
    assert basket.void_worst == cents(500 - 900) - basket.fees


def test_nothing_is_void_in_an_event_whose_contract_knows_yes_and_no_only() -> None:
    view = ManualView()
    sure = certificate_of(view, tuple(buy(each.key(1), 63, 10) for each in ABC))
    assert (sure.void_all, sure.void_worst, sure.whole_void) == (None, None, None)
    assert len(sure.states) == 3
    assert sure.text(START).endswith("; none of it can be void")


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
    assert completed.void_worst == cents(500 - 600) - completed.fees  # before it the worst was nothing at all
    assert completed.whole_void == cents(500 - 500 - 600) - completed.fees


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


def test_the_line_for_people_says_in_dollars_what_it_pays_in_every_state() -> None:
    free = tuple(replace(each, fee=NO_FEE) for each in VOIDABLE)
    three = certificate_of(ManualView(free), no_legs(63, 63, 63))
    assert three.text(START) == (
        "costs $18.90 with fees of $0.00; pays $20.00 if Will a? or Will b? or Will c?, $30.00 if none of them: "
        "sure gain $1.10; if all is void $15.00 (-$3.90), if only some is, at worst $10.00 (-$8.90)"
    )
    alike = tuple(replace(each, exhaustive=True) for each in free)
    basket = certificate_of(ManualView(alike), tuple(buy(each.key(0), 30, 10) for each in alike))
    assert basket.text(START) == (
        "costs $9.00 with fees of $0.00; pays $10.00 whichever outcome (Will a?, Will b?, Will c?): sure gain $1.00; "
        "if all is void $15.00 ($6.00), if only some is, at worst $5.00 (-$4.00)"
    )


def test_the_line_says_where_the_gain_is_that_of_what_is_held_as_well() -> None:
    view = ManualView(tuple(replace(each, fee=NO_FEE) for each in VOIDABLE))
    view.hold(VOIDABLE[0].key(1), 10)
    bought = certificate_of(view, (buy(VOIDABLE[1].key(1), 60, 10),))
    assert "sure gain with what is held $4.00" in bought.text(START)
    sale = PlannedOrder(VOIDABLE[0].key(1), "sell", ((cents(40), shares(10)),))
    assert (
        certificate_of(view, (sale,)).text(START).startswith("brings $4.00 with fees of $0.00; pays $0.00 if Will a?, ")
    )


def test_many_states_are_cut_in_the_line_and_unknown_markets_are_numbered() -> None:
    many = tuple(replace(market(f"m{number}"), event_id=ABC[0].event_id) for number in range(14))
    many = tuple(replace(each, mutually_exclusive=True, exhaustive=True, neg_risk=True) for each in many)
    view = ManualView(many)
    proof = certificate_of(view, (PlannedOrder(many[0].key(1), "buy", ((Price(1), Size(MICROS)),)),))
    assert "$0.00 if Will m0?, $1.00 if Will m1? or Will m2? or " in proof.text(START)
    assert ", $1.00 or more if any of 2 more: " in proof.text(START)
    empty = ManualView(())
    group = group_of(ManualView(), ABC[0])
    assert [each.name for each in certify(group, (), empty).states] == ["0", "1", "2"]
    assert certify(group, (buy(ABC[0].key(0), 10, 1),), empty).fees == 0


KALSHI = VenueName("kalshi")
CHOICE = market("t", outcomes=(*market("t").outcomes, *market("u").outcomes[:1]))


def worst_by_force(group: ClaimGroup, shares_: dict[InstrumentKey, int], view: ManualView) -> int:
    """The least payout over every winner and every set of void markets, instrument by instrument."""
    markets = {(each.venue, each.market_id) for each in group.instruments()}
    named = {name: view.market(*name) for name in markets}
    voidable = [name for name, each in named.items() if each is not None and not each.neg_risk]
    subsets = chain.from_iterable(combinations(voidable, count) for count in range(len(voidable) + 1))
    winners: list[int | None] = [*range(len(group.claims)), *([] if group.exhaustive else [None])]
    results = []
    for void, winner in product([frozenset(each) for each in subsets], winners):
        total = 0
        for index, claim in enumerate(group.claims):
            for source in claim.sources:
                for key, pays in ((source.yes, index == winner), (source.no, index != winner)):
                    each = None if key is None else named[key.venue, key.market_id]
                    if key is None or each is None:
                        continue
                    if (key.venue, key.market_id) in void:
                        total += shares_.get(key, 0) * (void_price(each, key, view) or 0) // MICROS
                    elif pays:
                        total += shares_.get(key, 0)
        results.append(total)
    return min(results)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["mock", "kalshi", "choice"]),
    st.tuples(st.booleans(), st.lists(st.booleans(), min_size=4, max_size=4)),
    st.lists(st.tuples(st.integers(1, 98), st.integers(0, 60), st.integers(0, 60)), min_size=8, max_size=8),
)
def test_the_worst_void_is_the_worst_of_every_subset_and_every_state(
    kind: str, flags: tuple[bool, list[bool]], legs: list[tuple[int, int, int]]
) -> None:
    exhaustive, neg_risk = flags
    names = zip(("a", "b", "c", "d"), neg_risk, strict=True)
    event = tuple(
        market(
            name,
            venue=KALSHI if kind == "kalshi" else V,
            event_id=ABC[0].event_id,
            mutually_exclusive=True,
            exhaustive=exhaustive,
            neg_risk=sure,
        )
        for name, sure in names
    )
    markets = (CHOICE,) if kind == "choice" else event
    view = ManualView(markets)
    keys = [key for each in markets for key in each.keys()]  # noqa: SIM118 - a market is no mapping
    orders, before, after = [], {}, {}
    for key, (price, bought, had) in zip(keys, legs, strict=False):
        view.show(key, bids=((price, 10),))
        view.hold(key, had, 40)
        before[key], after[key] = int(shares(had)), int(shares(had + bought))
        if bought:
            orders.append(buy(key, price, bought))
    group = group_of(view, markets[0])
    proof = certify(group, orders, view)
    cost, _ = trade_cost(orders, view)
    invested = cost + sum(position.cost for position in view.held.values())
    least_before, least_after = (worst_by_force(group, each, view) for each in (before, after))
    if proof.void_worst is None:
        assert not orders or any(neg_risk)
    else:
        assert proof.void_worst == least_after - least_before - cost
        assert proof.whole_void == least_after - invested
