"""Approved mappings between markets of two venues."""

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket


def test_outcomes_of_both_markets_correspond_by_position() -> None:
    first = MappedMarket(VenueName("a"), MarketId("m"), (InstrumentId("y"), InstrumentId("n")))
    second = MappedMarket(VenueName("b"), MarketId("x"), (InstrumentId("x"), InstrumentId("x:no")))
    mapping = ApprovedMapping(first, second, "who", 1)
    assert [side.key(1) for side in mapping.sides()] == [
        InstrumentKey(VenueName("a"), MarketId("m"), InstrumentId("n")),
        InstrumentKey(VenueName("b"), MarketId("x"), InstrumentId("x:no")),
    ]
