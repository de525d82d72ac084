"""``predsurv map build`` and markets that settled while they were recorded."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import MarketResolved
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price
from predsurv.mapping.candidate_file import read_candidates
from predsurv.store.universe import parse_iso
from tests.kit.mapping_pairs import rows
from tests.kit.mapping_universes import DAY, markets, write_universe
from tests.kit.recordings import record

AT = parse_iso(f"{DAY}T12:00:00Z")
LATER = "2025-12-01"


def settlement(market: Market, yes: int) -> MarketResolved:
    first, second = (each.instrument_id for each in market.outcomes)
    payouts = (first, Price(yes)), (second, Price(MICROS - yes))
    return MarketResolved(market.venue, market.market_id, AT, None, payouts, void=False)


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Market, Market]]:
    """True pairs that read as the same; their markets are listed, and gone from the list of the day after."""
    monkeypatch.chdir(tmp_path)
    first, second = markets()
    for listed in (first, second):
        write_universe(tmp_path / "data", listed)
    assert main(["map", "build", "--format", "json"]) == 0
    same = [(row.first_market, row.second_market) for row in read_candidates(Path("data")) if row.relation == "same"]
    true = {(row["kalshi_ticker"], row["polymarket_id"]) for row in rows() if row["label"] == "1"}
    by_id = {str(each.market_id): each for each in (*first, *second)}
    found = [(by_id[one], by_id[other]) for one, other in same if (one, other) in true][:3]
    over = {each.market_id for pair in found for each in pair}
    for listed in (first, second):
        write_universe(tmp_path / "data", [each for each in listed if each.market_id not in over], LATER)
    return found


def built(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["map", "build", "--format", "json"]) == 0
    return capsys.readouterr().err


def test_settled_pairs_are_compared_by_what_they_paid(
    pairs: list[tuple[Market, Market]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "settled" not in built(capsys)
    heard = [settlement(each, MICROS) for pair in pairs[:2] for each in pair]
    heard += [settlement(pairs[2][0], MICROS), settlement(pairs[2][1], 0)]
    record(Path("data"), AT, heard)
    said = built(capsys)
    assert "3 × 3 settled markets: 3 pairs read as one, 2 paid alike; not " in said
    assert f"{pairs[2][0].market_id} and {pairs[2][1].market_id}"[:40] in said
    queued = {each for row in read_candidates(Path("data")) for each in (row.first_market, row.second_market)}
    assert not queued & {each.market_id for pair in pairs for each in pair}


def test_a_market_that_settled_is_no_candidate_though_the_list_still_calls_it_active(
    pairs: list[tuple[Market, Market]], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = pairs[0]
    record(Path("data"), AT, [settlement(first, MICROS)])
    for each in (first, second):
        write_universe(Path("data"), [each, replace(each, market_id=type(each.market_id)("OTHER"))], LATER)
    assert "settled" not in built(capsys)
    queued = {row.first_market for row in read_candidates(Path("data"))}
    assert first.market_id not in queued
