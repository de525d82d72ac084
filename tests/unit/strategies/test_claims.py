"""Which instruments pay together: by the flags of their markets, what has settled, and approved mappings."""

from typing import Any

from msgspec.structs import replace

from predsurv.core.events import MarketResolved
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket, terms_fingerprint
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Price
from predsurv.strategies.claims import Claim, ClaimGroup, ClaimGroups, ClaimSource, held, net_held
from tests.kit.manual_view import ABC, EVENT, ManualView, no, yes
from tests.kit.trading_samples import START, V, market, shares

OTHER = VenueName("other")


def group_of(market_: Market, view: ManualView, *mappings: ApprovedMapping) -> ClaimGroup | None:
    return ClaimGroups(mappings).of(market_, view)


def elsewhere(name: str, **changes: Any) -> Market:
    return market(name, venue=OTHER, event_id=EventId("elsewhere"), **changes)


def mapping(first: Market, second: Market, *, turned: bool = False) -> ApprovedMapping:
    def side(each: Market, order: int) -> MappedMarket:
        ids = tuple(outcome.instrument_id for outcome in each.outcomes)[::order]
        return MappedMarket(each.venue, each.market_id, (ids[0], ids[1]))

    return ApprovedMapping(side(first, 1), side(second, -1 if turned else 1), "who", START)


def resolve(view: ManualView, market_: Market, payout: int) -> None:
    payouts = tuple(
        (outcome.instrument_id, Price(each))
        for outcome, each in zip(market_.outcomes, (payout, MICROS - payout), strict=True)
    )
    view.cache.apply(MarketResolved(V, market_.market_id, START, None, payouts))


def test_the_markets_of_an_exclusive_event_are_one_group() -> None:
    group = group_of(ABC[1], ManualView())
    assert group is not None
    assert group.exhaustive
    assert group.claims == tuple(Claim((ClaimSource(yes(index), no(index)),)) for index in range(3))
    assert list(group.instruments()) == [key for index in range(3) for key in (yes(index), no(index))]


def test_one_market_that_may_be_left_out_makes_no_set_of_yes() -> None:
    growing = (ABC[0], ABC[1], replace(ABC[2], exhaustive=False))
    group = group_of(ABC[0], ManualView(growing))
    assert group is not None
    assert not group.exhaustive
    alone = group_of(ABC[0], ManualView(ABC[:1]))
    assert alone is not None
    assert not alone.exhaustive


def test_a_market_that_is_not_exclusive_is_a_group_of_its_own() -> None:
    loose = replace(ABC[2], mutually_exclusive=False)
    view = ManualView((ABC[0], ABC[1], loose))
    group, own = group_of(ABC[0], view), group_of(loose, view)
    assert group is not None
    assert own is not None
    assert [claim.sources[0].yes for claim in group.claims] == [yes(0), yes(1)]
    assert not group.exhaustive
    assert [claim.sources[0].yes for claim in own.claims] == [yes(2)]
    assert not own.exhaustive


def test_of_many_outcomes_of_one_market_exactly_one_comes_true() -> None:
    three = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "xyz"))
    group = group_of(three, ManualView((three,)))
    assert group is not None
    assert group.exhaustive
    assert [claim.sources for claim in group.claims] == [(ClaimSource(key, None),) for key in three.keys()]  # noqa: SIM118


def test_an_exclusive_market_of_many_outcomes_is_a_group_of_its_own() -> None:
    three = replace(ABC[2], outcomes=tuple(Outcome(InstrumentId(name), name) for name in "xyz"))
    group = group_of(three, ManualView((ABC[0], ABC[1], three)))
    assert group is not None
    assert len(group.claims) == 3


def test_markets_that_pay_otherwise_are_in_no_group() -> None:
    scalar = replace(ABC[2], market_type="scalar")
    view = ManualView((ABC[0], ABC[1], scalar))
    assert group_of(scalar, view) is None
    group = group_of(ABC[0], view)
    assert group is not None
    assert len(group.claims) == 2
    assert not group.exhaustive
    nothing = market("empty", outcomes=())
    assert group_of(nothing, ManualView((nothing,))) is None


def test_what_has_lost_leaves_the_group_and_a_winner_ends_it() -> None:
    view = ManualView()
    resolve(view, ABC[0], 0)
    group = group_of(ABC[1], view)
    assert group is not None
    assert group.exhaustive
    assert [claim.sources[0].yes for claim in group.claims] == [yes(1), yes(2)]
    resolve(view, ABC[1], MICROS // 2)
    half = group_of(ABC[2], view)
    assert half is not None
    assert not half.exhaustive
    resolve(view, ABC[2], MICROS)
    assert group_of(ABC[1], view) is None


def test_a_settled_market_alone_is_no_group() -> None:
    view = ManualView((market("m"),))
    resolve(view, market("m"), 0)
    settled = view.market(V, MarketId("m"))
    assert settled is not None
    assert group_of(settled, view) is None


def test_a_mapped_market_trades_the_claim_of_the_first_of_both() -> None:
    here, there = market("m"), elsewhere("x")
    view = ManualView((here, there))
    pair = mapping(here, there)
    for each in (here, there):
        group = group_of(each, view, pair)
        assert group is not None
        assert group.claims == (
            Claim((ClaimSource(here.key(0), here.key(1)), ClaimSource(there.key(0), there.key(1)))),
        )


def test_outcomes_correspond_as_the_mapping_says() -> None:
    here, there = market("m"), elsewhere("x")
    view = ManualView((here, there))
    for pair in (mapping(here, there, turned=True), mapping(there, here, turned=True)):
        group = group_of(there, view, pair)
        assert group is not None
        assert group.claims[0].sources[1] == ClaimSource(there.key(1), there.key(0))


def test_mappings_chain() -> None:
    third = VenueName("third")
    here, there, far = market("m"), elsewhere("x"), market("z", venue=third)
    view = ManualView((here, there, far))
    chain = (mapping(there, far, turned=True), mapping(here, there), mapping(far, here, turned=True))
    group = group_of(far, view, *chain)
    assert group is not None
    assert [source.yes for source in group.claims[0].sources] == [here.key(0), there.key(0), far.key(1)]


def test_a_mapping_of_unknown_or_other_markets_changes_nothing() -> None:
    here, there = market("m"), elsewhere("x")
    renamed = replace(there, outcomes=market("y").outcomes)
    scalar = replace(there, market_type="scalar")
    for others in ((), (renamed,), (scalar,)):
        group = group_of(here, ManualView((here, *others)), mapping(here, there))
        assert group is not None
        assert len(group.claims[0].sources) == 1


def test_an_event_whose_market_is_mapped_to_an_earlier_one_goes_on_without_it() -> None:
    later = tuple(replace(each, venue=OTHER) for each in ABC)
    first = market("m", venue=VenueName("first"))
    view = ManualView((first, *later))
    group = group_of(later[1], view, mapping(first, later[0]))
    assert group is not None
    assert not group.exhaustive
    assert [claim.sources[0].yes.market_id for claim in group.claims] == [later[1].market_id, later[2].market_id]


def test_net_shares_are_those_that_pay_less_those_that_do_not() -> None:
    view = ManualView()
    claim = Claim((ClaimSource(yes(0), no(0)), ClaimSource(yes(1), None)))
    assert net_held(claim, view) == 0
    view.hold(yes(0), 5)
    view.hold(no(0), 7)
    view.hold(yes(1), 10)
    assert net_held(claim, view) == shares(8)
    assert held(no(0), view) == shares(7)
    assert held(InstrumentKey(V, EVENT, InstrumentId("?")), view) == 0  # type: ignore[arg-type]


def test_a_mapping_is_suspended_while_the_terms_of_a_market_are_not_those_that_were_approved() -> None:
    first, second = replace(ABC[0], rules_hash="a"), elsewhere("m", rules_hash="a")
    loose = mapping(first, second)
    bound = replace(
        loose,
        first=replace(loose.first, terms=terms_fingerprint(first)),
        second=replace(loose.second, terms=terms_fingerprint(second)),
    )

    def venues(other: Market, approved: ApprovedMapping) -> int:
        group = group_of(first, ManualView((first, other)), approved)
        assert group is not None
        return len(group.claims[0].sources)

    assert venues(second, bound) == 2
    for changes in ({"rules_hash": "b"}, {"rules_hash": None}, {"close_time": 1}, {"question": "Another?"}):
        changed = replace(second, **changes)
        assert (venues(changed, bound), venues(changed, loose)) == (1, 2)
