"""Precedents: which open pairs an earlier contradiction speaks against, what it says, and how it is kept."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.num import MICROS
from predsurv.mapping.findings import Finding
from predsurv.mapping.matching import PairOfIds, match, word_weights
from predsurv.mapping.precedents import (
    Precedent,
    Precedents,
    PrecedentSide,
    merged,
    precedents_path,
    read_precedents,
    side_of,
    template,
    write_precedents,
)
from predsurv.mapping.relation import compare
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.settled_pairs import SettledPair, judged, precedents_of, settled_pairs
from predsurv.mapping.terms import Listing, Terms, read_terms
from predsurv.store.universe import parse_iso

RULES = (
    "If the highest temperature recorded in Central Park, New York on {day}, 2025 is above {above}°, the market "
    "resolves to Yes. Settled by the National Weather Service. If the event is cancelled the market resolves to No."
)
SILENT = "If the highest temperature on {day}, 2025 is above {above}°, the market resolves to Yes."


def kalshi(day: int, above: int = 45, *, paid: int | None = None, rules: str = RULES) -> Terms:
    return read_terms(
        Listing(
            venue="kalshi",
            market_id=f"KXHIGHNY-25DEC{day:02d}-T{above}",
            title=f"Will the high temperature in NYC be above {above}° on Dec {day}, 2025?",
            rules=rules.format(day=f"December {day}", above=above),
            close=parse_iso(f"2025-12-{day:02d}T23:59:00Z"),
            paid=paid,
        )
    )


def polymarket(
    day: int, above: int = 45, *, paid: int | None = None, series: str = "weather", rules: str = RULES
) -> Terms:
    return read_terms(
        Listing(
            venue="polymarket",
            market_id=f"0x{day}:{above}",
            title=f"Will the highest temperature in New York City be above {above}° on December {day}, 2025?",
            rules=rules.format(day=f"December {day}", above=above),
            series=series,
            close=parse_iso(f"2025-12-{day:02d}T23:59:00Z"),
            paid=paid,
        )
    )


def matched(first: list[Terms], second: list[Terms], known: Precedents) -> dict[PairOfIds, ScoredPair]:
    one, other = ({each.market_id: each for each in side} for side in (first, second))
    pairs = [PairOfIds(a, b) for a in one for b in other]
    found = match(pairs, one, other, word_weights([*first, *second]), precedents=known)
    return {PairOfIds(each.first, each.second): each for each in found}


def found_between(first: Mapping[str, Terms], second: Mapping[str, Terms]) -> list[Precedent]:
    return precedents_of(settled_pairs(first, second).contradicted, first, second)


def by_id(*terms: Terms) -> dict[str, Terms]:
    return {each.market_id: each for each in terms}


PAID_YES, PAID_NO = kalshi(3, paid=MICROS), polymarket(3, paid=0)


def test_two_markets_of_a_series_that_paid_differently_veto_the_open_pairs_of_that_series() -> None:
    open_pair = PairOfIds("KXHIGHNY-25DEC10-T50", "0x10:50")
    one, other = kalshi(10, 50), polymarket(10, 50)
    before = matched([one], [other], Precedents())[open_pair]
    assert before.comparison.relation == "same"

    known = Precedents(found_between(by_id(PAID_YES), by_id(PAID_NO)))
    after = matched([one], [other], known)[open_pair]
    assert (after.comparison.relation, after.comparison.veto) == ("different", "precedent")
    assert after.score == before.score  # it says nothing of how alike the texts are
    assert after.comparison.evidence[-1] == Finding(
        "precedent", "conflict", "KXHIGHNY-25DEC03-T45 paid $1", "0x3:45 paid $0"
    )


def test_without_a_series_the_same_words_are_the_same_kind() -> None:
    known = Precedents(found_between(by_id(PAID_YES), by_id(polymarket(3, paid=0, series=""))))
    one, other = kalshi(10, 50), polymarket(10, 50, series="another")
    assert known.finding(one, other) is not None
    assert known.finding(one, replace(other, words=("rain", "nyc"))) is None
    assert known.finding(replace(one, words=("rain",), series="KXRAINNY"), other) is None


def test_the_words_of_a_kind_are_those_without_numbers() -> None:
    assert template(kalshi(3)) == template(kalshi(10, 50)) != ""
    assert not any(map(str.isdigit, template(replace(kalshi(3), subject=("45", "q3")))))


def test_pairs_that_paid_alike_or_read_differently_are_no_precedent() -> None:
    assert found_between(by_id(PAID_YES), by_id(polymarket(3, paid=MICROS))) == []
    assert found_between(by_id(PAID_YES), by_id(polymarket(4, paid=0))) == []
    assert found_between(by_id(PAID_YES), by_id(polymarket(3))) == []
    assert found_between(by_id(PAID_YES), {}) == []
    nameless = replace(polymarket(3, paid=0), window=None, rules=None, close=None)
    assert found_between(by_id(PAID_YES), by_id(nameless)) == []


def test_pairs_that_are_silent_only_on_how_they_settle_are_precedents_and_count_as_alike() -> None:
    one, other = kalshi(3, paid=MICROS, rules=SILENT), polymarket(3, paid=0, rules=SILENT)
    weights = word_weights([one, other])
    compared = compare(replace(one, paid=None), replace(other, paid=None), weights)
    assert (compared.relation, compared.reads_as_one) == ("related", True)
    assert [each.name for each in found_between(by_id(one), by_id(other))] == [(one.market_id, other.market_id)]
    alike = settled_pairs(by_id(one), by_id(replace(other, paid=MICROS)))
    assert alike.alike == [SettledPair(one.market_id, other.market_id)]
    unnamed = compare(one, replace(other, paid=MICROS, window=None, rules=None), weights)
    assert not unnamed.reads_as_one


def test_a_veto_of_its_own_words_comes_first_and_settled_pairs_are_judged_by_what_they_paid() -> None:
    known = Precedents(found_between(by_id(PAID_YES), by_id(PAID_NO)))
    weights = word_weights([PAID_YES, PAID_NO])
    assert compare(kalshi(10), polymarket(11), weights, known).veto == "window"
    assert compare(kalshi(10, paid=0), polymarket(10, paid=0), weights, known).relation == "same"
    assert compare(kalshi(10, paid=0), polymarket(10), weights, known).veto == "precedent"


def test_the_latest_precedent_is_the_one_that_is_shown() -> None:
    (found,) = found_between(by_id(PAID_YES), by_id(PAID_NO))
    later = replace(found, first=replace(found.first, market="KXHIGHNY-25DEC04-T45"), heard_at=7)
    for order in ([found, later], [later, found]):
        assert Precedents(order).of(kalshi(10), polymarket(10)) == later
    other_series = replace(later, second=replace(later.second, series="", template=found.second.template), heard_at=9)
    assert Precedents([found, later, other_series]).of(kalshi(10), polymarket(10)) == other_series
    assert not Precedents([replace(found, first=PrecedentSide("KX", 0), second=PrecedentSide("0x", MICROS))])


def test_precedents_are_kept_beside_the_queue_until_a_pair_is_known_to_have_paid_alike(tmp_path: Path) -> None:
    assert read_precedents(tmp_path) == ()
    write_precedents([], tmp_path)
    assert not precedents_path(tmp_path).exists()
    (found,) = found_between(by_id(PAID_YES), by_id(PAID_NO))
    write_precedents([found], tmp_path)
    assert read_precedents(tmp_path) == (found,)
    again = replace(found, heard_at=9)
    assert merged([found], [again], []) == (again,)
    assert merged([found], [], [found.name]) == ()
    write_precedents([], tmp_path)
    assert read_precedents(tmp_path) == ()


def test_the_latest_are_kept_where_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.mapping.precedents.PRECEDENTS_MAX", 2)
    sides = side_of(PAID_YES, MICROS), side_of(PAID_NO, 0)
    write_precedents([Precedent(*sides, at) for at in (3, 1, 2)], tmp_path)
    assert [each.heard_at for each in read_precedents(tmp_path)] == [2, 3]


def test_a_damaged_line_is_no_line_less(tmp_path: Path) -> None:
    precedents_path(tmp_path).parent.mkdir()
    precedents_path(tmp_path).write_text('{"first"\n')
    with pytest.raises(IntegrityError, match=r"precedents\.jsonl"):
        read_precedents(tmp_path)


def test_pairs_that_read_as_opposites_are_contradicted_where_they_paid_the_same() -> None:
    one, other = kalshi(3, paid=MICROS), polymarket(3, paid=MICROS)
    turned = replace(other, negated=True)
    weights = word_weights([one, other])
    assert compare(kalshi(3), replace(turned, paid=None), weights).relation == "inverse"
    scored = matched([one], [turned], Precedents()).values()
    assert judged(scored, by_id(one), by_id(turned), weights).contradicted == [("KXHIGHNY-25DEC03-T45", "0x3:45")]
