"""Which outcomes belong together, by what is known of their markets on a day."""

import pytest
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import MICROS, Price
from predsurv.mine.outcome_sets import OutcomeSets, SetFinder
from predsurv.state.market_facts import KnownMarket, StatedFrom
from tests.kit.market_samples import market

START, END = 1_000, 2_000
FEE = FeeSchedule("kalshi", 70_000)


def exclusive(number: int, *, exhaustive: bool = True) -> Market:
    return replace(market(number), event_id=EventId("e"), mutually_exclusive=True, exhaustive=exhaustive)


def found(*markets: Market | list[StatedFrom], recorded: bool = True) -> OutcomeSets:
    finder = SetFinder(START, END)
    for each in markets:
        finder.add(each if isinstance(each, list) else [StatedFrom(START, KnownMarket(each))], recorded=recorded)
    return finder.sets()


def told(sets: OutcomeSets) -> dict[str, tuple[set[str], bool]]:
    """The outcomes of the set that each instrument tells of, and whether one of them comes true."""
    legs = {number: set(sets.terms.filter(set=number)["instrument_id"]) for number in sets.sets["set"]}
    known = {number: (legs[number], exhaustive) for number, _, exhaustive in sets.sets.rows()}
    return {name: known[number] for number, name in sets.shown.rows() if number in known}


def settled(each: Market, payout: int) -> list[StatedFrom]:
    payouts = ((each.outcomes[0].instrument_id, Price(payout)),)
    return [StatedFrom(START, KnownMarket(replace(each, status="resolved"), each, payouts))]


def test_first_outcomes_of_an_exclusive_event_belong_together_and_second_ones_to_their_market() -> None:
    event = {"m1-yes", "m2-yes"}
    assert told(found(exclusive(1), exclusive(2))) == {
        "m1-yes": (event, True),
        "m2-yes": (event, True),
        "m1-no": ({"m1-yes", "m1-no"}, True),
        "m2-no": ({"m2-yes", "m2-no"}, True),
    }
    assert told(found(exclusive(1), exclusive(2, exhaustive=False)))["m1-yes"] == (event, False)


def test_a_market_alone_is_a_set_of_its_outcomes_and_its_first_book_may_mirror_the_other() -> None:
    sets = found(market(1))
    assert told(sets) == dict.fromkeys(("m1-yes", "m1-no"), ({"m1-yes", "m1-no"}, True))
    assert sets.pairs.rows() == [("m1-yes", "m1-no")]
    assert found(exclusive(1), exclusive(2)).pairs.is_empty()


def test_markets_that_are_not_recorded_are_part_of_their_event() -> None:
    finder = SetFinder(START, END)
    for number, recorded in ((1, True), (2, False)):
        finder.add([StatedFrom(START, KnownMarket(exclusive(number)))], recorded=recorded)
    sets = finder.sets()
    assert told(sets)["m1-yes"] == ({"m1-yes", "m2-yes"}, True)
    assert "m2-no" not in set(sets.shown["instrument_id"])


@pytest.mark.parametrize(("payout", "exhaustive"), [(0, True), (MICROS // 2, False)])
def test_one_that_settled_before_the_day_is_not_bought_any_more(payout: int, exhaustive: bool) -> None:
    sets = found(exclusive(1), exclusive(2), settled(exclusive(3), payout))
    assert told(sets)["m1-yes"] == ({"m1-yes", "m2-yes"}, exhaustive)


def test_of_a_decided_event_there_is_nothing_to_tell() -> None:
    sets = found(exclusive(1), exclusive(2), settled(exclusive(3), MICROS))
    assert "m1-yes" not in told(sets)
    assert "m1-yes" in set(sets.shown["instrument_id"])
    assert "m1-yes" not in told(found(exclusive(1), settled(exclusive(2), 0)))


def test_one_market_of_another_kind_makes_an_event_inexhaustive() -> None:
    sets = found(exclusive(1), exclusive(2), replace(exclusive(3), mutually_exclusive=False))
    assert told(sets)["m1-yes"] == ({"m1-yes", "m2-yes"}, False)
    assert "m4-yes" not in told(found(replace(market(4), market_type="scalar")))
    many = replace(exclusive(5), outcomes=(*market(5).outcomes, *market(6).outcomes))
    assert told(found(many))["m5-yes"] == ({"m5-yes", "m5-no", "m6-yes", "m6-no"}, True)


def test_terms_are_those_of_the_time_in_which_the_market_trades() -> None:
    own = market(1)
    stated = [
        StatedFrom(START, KnownMarket(replace(own, status="paused"))),
        StatedFrom(1_100, KnownMarket(replace(own, fee=replace(FEE, since=1)))),
        StatedFrom(1_200, KnownMarket(replace(own, fee=replace(FEE, since=2)))),
        StatedFrom(1_300, KnownMarket(own)),
        StatedFrom(1_400, KnownMarket(replace(own, status="closed"))),
        StatedFrom(1_500, KnownMarket(replace(own, venue="kalshi", close_time=1_600))),
    ]
    sets = found(stated)
    own_terms = sets.terms.filter(instrument_id=InstrumentId("m1-yes"))
    times = own_terms.select("since", "until", "fee").rows()
    fees = [sets.schedules[fee] for _, _, fee in times]
    assert [each[:2] for each in times] == [(1_100, 1_300), (1_300, 1_400), (1_500, 1_600)]
    assert fees == [FEE, NO_FEE, NO_FEE]
