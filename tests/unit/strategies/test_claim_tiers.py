"""The ladder of a claim: everything that trades it, in net shares."""

from msgspec.structs import replace

from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import Money, Price
from predsurv.strategies.claim_tiers import LOT, ClaimTiers, KnownTiers, TierTerms, allowed, claim_tiers
from predsurv.strategies.claims import Claim, ClaimSource
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import S, cents, market, shares

FREE = market(fee=NO_FEE)
YES, NO = FREE.keys()
CLAIM = Claim((ClaimSource(YES, NO),))
TERMS = TierTerms()


def tiers(view: ManualView, terms: TierTerms = TERMS, claim: Claim = CLAIM) -> ClaimTiers:
    return claim_tiers(claim, view, terms)


def shown(market_: Market = FREE) -> ManualView:
    view = ManualView((market_,))
    view.show(YES, bids=((40, 50),), asks=((42, 50), (45, 7.005)))
    view.show(NO, bids=((57, 30),), asks=((60, 30),))
    return view


def test_buying_no_is_selling_yes() -> None:
    found = tiers(shown())
    assert [(tier.value, tier.key, tier.side, tier.size) for tier in found.buys] == [
        (cents(42), YES, "buy", shares(50)),
        (cents(45), YES, "buy", shares(7)),
    ]
    assert [(tier.value, tier.key, tier.side, tier.price) for tier in found.sells] == [
        (cents(40), NO, "buy", cents(60))
    ]
    assert found.net == 0


def test_what_is_held_is_sold_before_the_other_outcome_is_bought() -> None:
    view = shown()
    view.hold(NO, 20)
    found = tiers(view)
    assert found.net == -shares(20)
    assert [(tier.value, tier.side, tier.size) for tier in found.buys] == [(cents(43), "sell", shares(20))]
    view.hold(NO, 0)
    view.hold(YES, 60)
    found = tiers(view)
    assert [(tier.value, tier.side, tier.size) for tier in found.sells] == [(cents(40), "sell", shares(50))]
    assert len(found.buys) == 2


def test_what_cannot_be_sold_does_not_stand_in_the_way() -> None:
    view = shown()
    view.hold(NO, 3)  # below the minimum
    assert [tier.side for tier in tiers(view).buys] == ["buy", "buy"]
    view.hold(NO, 20)
    view.show(NO, asks=((60, 30),))
    assert [tier.side for tier in tiers(view).buys] == ["buy", "buy"]


def test_fees_and_the_cost_of_money_are_in_the_value() -> None:
    dear = market()
    view = shown(dear)
    (cost, _), (proceeds,) = [[tier.value for tier in side] for side in (tiers(view).buys, tiers(view).sells)]
    assert cost == 420_000 + 9_744  # 0.04 · 0.42 · 0.58
    assert proceeds == 1_000_000 - (600_000 + 9_600)
    slow = tiers(view, TierTerms(annual_return=100_000, lockup_assumed=365 * 86_400 * S))
    assert slow.buys[0].value == 429_744 + 42_975
    view.hold(YES, 20)
    assert tiers(view).sells[0].value == 400_000 - 9_600


def test_a_book_that_is_old_unknown_or_closed_offers_nothing() -> None:
    view = shown()
    view.hold(YES, 20)
    view.time += 61 * S
    assert tiers(view) == ClaimTiers(shares(20), (), ())
    assert tiers(ManualView((FREE,))) == ClaimTiers(0, (), ())
    assert tiers(shown(replace(FREE, status="paused"))) == ClaimTiers(0, (), ())


def test_buying_can_be_forbidden() -> None:
    view = shown()
    view.hold(YES, 20)
    found = tiers(view, TierTerms(may_buy=False))
    assert found.buys == ()
    assert [tier.side for tier in found.sells] == ["sell"]


def test_books_of_several_venues_are_one_ladder() -> None:
    other = market("x", fee=NO_FEE)
    view = shown()
    view.cache.add(other)
    view.show(other.key(0), asks=((43, 10),))
    claim = Claim((ClaimSource(YES, NO), ClaimSource(other.key(0), None)))
    assert [tier.price for tier in tiers(view, claim=claim).buys] == [cents(42), cents(43), cents(45)]


def test_levels_below_a_lot_are_left() -> None:
    view = ManualView((FREE,))
    view.show(YES, bids=((39, 0.001), (38, 9)), asks=((42, 0.001), (43, 5)))
    view.hold(YES, 20)
    assert [tier.price for tier in tiers(view).buys] == [cents(43)]
    assert [tier.price for tier in tiers(view).sells] == [cents(38)]
    assert all(tier.size % LOT == 0 for tier in tiers(view).buys)


def test_orders_have_to_be_large_enough() -> None:
    assert allowed(FREE, "buy", cents(10), shares(5))
    assert not allowed(FREE, "buy", cents(10), shares(4))
    strict = replace(FREE, min_taker_buy=Money(1_000_000))
    assert not allowed(strict, "buy", cents(10), shares(9))
    assert allowed(strict, "sell", Price(500_000), shares(2))


def test_what_is_known_from_searches_before_changes_no_result() -> None:
    view, known, dear = shown(), KnownTiers(), TierTerms(annual_return=50_000)
    moments: list[ClaimTiers] = []

    def look(*, held: bool = False) -> None:
        for terms in (TERMS, dear, replace(TERMS, may_buy=False)):
            moments.append(claim_tiers(CLAIM, view, terms, known))
            assert moments[-1] == claim_tiers(CLAIM, view, terms)
            again = claim_tiers(CLAIM, view, terms, known)
            assert again is moments[-1] or held, "nothing has changed"

    look()
    view.show(YES, bids=((40, 50),), asks=((41, 50),))
    look()
    view.cache.add(market())  # with a fee
    look()
    view.hold(YES, 20, 40)
    look(held=True)
    view.cache.add(replace(FREE, status="paused"))
    look(held=True)
    assert len({str(each) for each in moments}) > 8
