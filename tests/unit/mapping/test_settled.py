"""Settled outcomes that disagree: what a recording heard of both markets of a pair."""

from pathlib import Path

from msgspec.structs import replace

from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentId, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.num import MICROS, Price
from predsurv.mapping.settled import contradictions, paid, read_settled
from tests.kit.recordings import record

AT = 1_795_132_800_000_000_000  # 2026-11-20T00:00Z
KALSHI, POLYMARKET = VenueName("kalshi"), VenueName("polymarket")


def settlement(venue: VenueName, name: str, yes: int, *, at: int = AT, void: bool = False) -> MarketResolved:
    payouts = (InstrumentId(f"{name}:y"), Price(yes)), (InstrumentId(f"{name}:n"), Price(MICROS - yes))
    return MarketResolved(venue, MarketId(name), at, None, payouts, void)


def side(venue: VenueName, name: str) -> MappedMarket:
    return MappedMarket(venue, MarketId(name), (InstrumentId(f"{name}:y"), InstrumentId(f"{name}:n")))


PAIR = ApprovedMapping(side(KALSHI, "KX-1"), side(POLYMARKET, "0x1"), "ada", 1)


def test_the_last_settlement_of_each_market_is_read_and_no_void(tmp_path: Path) -> None:
    heard = [
        settlement(KALSHI, "KX-1", 0),
        settlement(KALSHI, "KX-1", MICROS, at=AT + 1_000),
        settlement(KALSHI, "KX-2", 500_000, at=AT + 2_000, void=True),
    ]
    record(tmp_path, AT, heard)
    found = read_settled(tmp_path, KALSHI)
    assert {name: paid(each, f"{name}:y") for name, each in found.items()} == {"KX-1": MICROS}
    assert read_settled(tmp_path, KALSHI, frozenset({MarketId("KX-3")})) == {}
    assert read_settled(tmp_path, POLYMARKET) == {}


def test_a_pair_is_contradicted_where_corresponding_outcomes_paid_differently() -> None:
    yes, no = settlement(KALSHI, "KX-1", MICROS), settlement(POLYMARKET, "0x1", 0)
    assert contradictions(PAIR, {"KX-1": yes}, {"0x1": no}) == ("KX-1 paid $1", "0x1 paid $0")
    assert contradictions(PAIR, {"KX-1": yes}, {"0x1": settlement(POLYMARKET, "0x1", MICROS)}) == ()
    assert contradictions(PAIR, {"KX-1": yes}, {}) == ()
    turned = replace(PAIR, second=replace(PAIR.second, outcomes=PAIR.second.outcomes[::-1]))
    assert contradictions(turned, {"KX-1": yes}, {"0x1": no}) == ()
