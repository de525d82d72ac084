"""A glance at best prices: never wrong about what is not worth a search."""

from msgspec.structs import replace

from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.strategies.claim_tiers import KnownTiers
from predsurv.strategies.claims import Claim, ClaimGroup, ClaimGroups, ClaimSource
from predsurv.strategies.quick_look import may_pay
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import cents, market

EDGE = cents(1)
FREE = tuple(replace(each, fee=NO_FEE) for each in ABC)


def looks(view: ManualView, group: ClaimGroup | None = None) -> bool:
    found = group or ClaimGroups().of(ABC[0], view)
    assert found is not None
    return may_pay(found, view, EDGE, KnownTiers())


def test_asks_below_a_dollar_are_worth_a_look_if_every_claim_has_one() -> None:
    view = ManualView(FREE)
    for index, price in enumerate((30, 31, 38)):
        assert not looks(view)
        view.show(yes(index), asks=((price, 5),))
    assert looks(view)
    view.show(yes(2), asks=((39, 5),))
    assert not looks(view)
    open_view = ManualView(tuple(replace(each, exhaustive=False) for each in FREE))
    for index in range(3):
        open_view.show(yes(index), asks=((10, 5),))
    assert not looks(open_view)


def test_what_fees_eat_up_is_not_worth_a_look() -> None:
    for rate, found in ((70_000, False), (20_000, True)):
        taxed = tuple(replace(each, fee=FeeSchedule("polymarket", rate)) for each in ABC)
        cheap, dear = ManualView(taxed), ManualView(taxed)
        for index in range(3):
            cheap.show(yes(index), asks=((32, 5),))
            dear.show(yes(index), bids=((36, 5),))
        # Three at 0.32 leave 4 cents, three bids of 0.36 leave 8; a fee is 1.5 and 1.6 cents each, or 0.4 and 0.5.
        assert looks(cheap) is found
        assert looks(dear)


def test_a_fee_that_may_make_a_worse_price_the_better_one_is_left_out() -> None:
    taxed = tuple(replace(each, fee=FeeSchedule("polymarket", 600_000)) for each in ABC)
    view = ManualView(taxed)
    for index in range(3):
        view.show(yes(index), asks=((32, 5),))
    assert looks(view)


def test_bids_above_a_dollar_are_worth_a_look() -> None:
    for held in (yes, no):
        view = ManualView(FREE)
        for index, price in enumerate((60, 30, 11)):
            assert not looks(view)
            view.show(held(index), **({"bids": ((price, 5),)} if held is yes else {"asks": ((100 - price, 5),)}))
        assert looks(view)


def test_an_ask_below_a_bid_of_the_same_claim_is_worth_a_look() -> None:
    here, there = market("m", fee=NO_FEE), market("x", fee=NO_FEE)
    view = ManualView((here, there))
    claim = Claim((ClaimSource(here.key(0), here.key(1)), ClaimSource(there.key(0), there.key(1))))
    group = ClaimGroup("m", (claim,), exhaustive=False)
    view.show(here.key(0), bids=((40, 5),), asks=((42, 5),))
    view.show(there.key(1), bids=((57, 5),), asks=((58, 5),))
    assert not looks(view, group)
    view.show(there.key(1), bids=((56, 5),), asks=((57, 5),))
    assert looks(view, group)
