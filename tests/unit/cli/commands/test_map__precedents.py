"""``predsurv map`` where earlier markets of a series paid differently: their like is shown with it, not approved."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.config.mapping_decisions import add_approved
from predsurv.config.mappings import read_mappings
from predsurv.core.events import MarketResolved
from predsurv.core.ids import VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket, terms_fingerprint
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price
from predsurv.mapping.precedents import read_precedents
from predsurv.store.contradicted_pairs import read_contradicted
from predsurv.store.universe import parse_iso
from tests.kit.mapping_universes import DAY, market, write_universe
from tests.kit.recordings import record

AT = parse_iso(f"{DAY}T12:00:00Z")
DATA, MAPPINGS = Path("data"), Path("config/mappings.toml")
RULES = (
    "If the highest temperature recorded in Central Park, New York on {day}, 2025 is above {above}°, the market "
    "resolves to Yes. Settled by the National Weather Service. If the event is cancelled the market resolves to No."
)


def pair(day: int, above: int, city: str = "NYC") -> tuple[Market, Market]:
    """Return two markets that read as the same, on the temperature of a day in December."""
    rules, close = RULES.format(day=f"December {day}", above=above), f"2025-12-{day:02d}T23:59:00Z"
    question = f"temperature in {city} be above {above}° on December {day}, 2025?"
    ticker = f"KXHIGH{city[:2].upper()}-25DEC{day:02d}-T{above}"
    one = market("kalshi", ticker, f"Will the high {question}", rules, close)
    other = market("polymarket", f"0x{city}{day}:{above}", f"Will the highest {question}", rules, close)
    return one, replace(other, series_id=f"weather-{city}")


EARLIER, LATER, ELSEWHERE = pair(3, 45), pair(10, 50), pair(10, 50, "Denver")


def settled(one: Market, yes: int, at: int = AT) -> MarketResolved:
    first, second = (each.instrument_id for each in one.outcomes)
    return MarketResolved(
        one.venue, one.market_id, at, None, ((first, Price(yes)), (second, Price(MICROS - yes))), void=False
    )


def approved(markets: tuple[Market, Market], at: int) -> ApprovedMapping:
    one, other = (
        MappedMarket(
            each.venue,
            each.market_id,
            (each.outcomes[0].instrument_id, each.outcomes[1].instrument_id),
            terms_fingerprint(each),
        )
        for each in markets
    )
    return ApprovedMapping(one, other, "ada", at)


@pytest.fixture(autouse=True)
def contradicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pair has settled, and not alike; the others can be traded, the second of them in another series."""
    monkeypatch.chdir(tmp_path)
    for side in (0, 1):
        write_universe(DATA, [each[side] for each in (EARLIER, LATER, ELSEWHERE)])
    record(DATA, AT, [settled(EARLIER[0], MICROS), settled(EARLIER[1], 0)])


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert main(["map", *words, "--format", "json"]) == 0
    return {f"{row['first_market']} {row['second_market']}": row for row in json.loads(capsys.readouterr().out)}


def name(markets: tuple[Market, Market]) -> str:
    return f"{markets[0].market_id} {markets[1].market_id}"


def reviewed(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(keys)
    with monkeypatch.context() as patched:
        patched.setattr("predsurv.cli.commands.map.require_terminal", lambda: None)
        patched.setattr("predsurv.cli.commands.map.read_key", lambda: next(left, "q"))
        assert main(["map", "review", "--by", "ada"]) == 0


def test_the_open_pair_of_a_contradicted_series_is_not_offered_as_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "build", "--format", "json"]) == 0
    heard = capsys.readouterr()
    assert (
        "1 × 1 settled markets: 1 pairs read as one, 0 paid alike; not KXHIGHNY-25DEC03-T45 and 0xNYC3:45" in heard.err
    )
    assert "1 pairs of series that settled differently before cannot be approved" in heard.err
    rows = asked(capsys, "list")
    row, other = rows[name(LATER)], rows[name(ELSEWHERE)]
    assert (row["state"], row["relation"]) == ("contradicted", "different")
    assert row["differs"] == "earlier ones of these series: KXHIGHNY-25DEC03-T45 paid $1, 0xNYC3:45 paid $0"
    assert (other["state"], other["relation"]) == ("waiting", "same")
    assert row["number"] == len(rows)  # last


def test_a_review_shows_why_and_takes_no_approval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(capsys, "build")
    others = len(asked(capsys, "list")) - 1
    reviewed("s" * others + "ayq", monkeypatch)
    shown = capsys.readouterr().out
    assert "conflict precedent: KXHIGHNY-25DEC03-T45 paid $1 | 0xNYC3:45 paid $0" in shown
    assert "earlier markets of these series paid differently" in shown
    assert read_mappings(MAPPINGS) == ()
    reviewed("s" * others + "r", monkeypatch)
    assert name(LATER) not in asked(capsys, "list")


def test_a_contradiction_outlives_the_lists_and_recordings_it_was_found_in(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, "build")
    for number in range(8):
        for side in (0, 1):
            write_universe(DATA, [LATER[side], ELSEWHERE[side]], f"2025-12-{number + 1:02d}")
    assert asked(capsys, "build")[name(LATER)]["state"] == "contradicted"


def test_a_settlement_that_is_corrected_takes_the_contradiction_away(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, "build")
    record(DATA, AT + 10**9, [settled(EARLIER[1], MICROS, AT + 10**9)], collector="c1")
    row = asked(capsys, "build")[name(LATER)]
    assert (row["state"], row["relation"]) == ("waiting", "same")


def test_an_approved_pair_is_contradicted_unless_it_was_approved_knowing_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_approved(MAPPINGS, approved(LATER, AT - 1))
    row = asked(capsys, "build")[name(LATER)]
    assert row["state"] == "contradicted"
    assert "earlier ones of these series" in row["differs"]
    others = len(asked(capsys, "list")) - 1
    reviewed("s" * others + "ayq", monkeypatch)
    assert "earlier markets of these series paid differently" in capsys.readouterr().out

    add_approved(MAPPINGS, approved(LATER, AT + 1_000_000))
    assert asked(capsys, "list")[name(LATER)]["state"] == "approved"


def test_an_approved_pair_that_settled_differently_is_a_precedent_whatever_the_lists_still_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unlike = pair(4, 45)
    turned = (
        unlike[0],
        replace(unlike[1], question="Will it be warm in New York City on the fourth?", series_id="weather-NYC"),
    )
    for side in (0, 1):
        write_universe(DATA, [turned[side]], "2025-11-01")
        for number in range(8):
            write_universe(DATA, [LATER[side]], f"2025-12-{number + 1:02d}")
    record(
        DATA, AT + 10**9, [settled(turned[0], 0, AT + 10**9), settled(turned[1], MICROS, AT + 10**9)], collector="c1"
    )
    asked(capsys, "build")
    assert [each.first.market for each in read_precedents(DATA)] == []
    add_approved(MAPPINGS, approved(turned, AT))
    assert asked(capsys, "build")[name(LATER)]["state"] == "contradicted"
    assert [each.first.market for each in read_precedents(DATA)] == [turned[0].market_id]


def test_approved_pairs_that_paid_alike_or_of_other_venues_are_no_precedents(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked(capsys, "build")
    elsewhere = approved(ELSEWHERE, AT)
    add_approved(MAPPINGS, replace(elsewhere, first=replace(elsewhere.first, venue=VenueName("mock"))))
    one, other = approved(EARLIER, AT).sides()
    add_approved(MAPPINGS, ApprovedMapping(replace(one, outcomes=one.outcomes[::-1]), other, "ada", AT))
    assert asked(capsys, "build")[name(LATER)]["state"] == "waiting"
    assert read_precedents(DATA) == ()


def test_a_build_keeps_the_approved_pairs_that_are_contradicted_for_whoever_trades(
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_approved(MAPPINGS, approved(LATER, AT - 1))
    add_approved(MAPPINGS, approved(ELSEWHERE, AT - 1))
    asked(capsys, "build")
    (found,) = read_contradicted(DATA)
    later, elsewhere = read_mappings(MAPPINGS)
    assert found.speaks_against(later)
    assert not found.speaks_against(elsewhere)
    assert not found.speaks_against(replace(later, approved_at=AT))
    assert found.words == ("earlier ones of these series: KXHIGHNY-25DEC03-T45 paid $1", "0xNYC3:45 paid $0")
