"""Markets are looked for by what is rare in them: words, numbers, dates, games; in bounded work."""

import pytest

from predsurv.mapping import blocking
from predsurv.mapping.blocking import CandidateIndex, candidate_pairs, keys
from predsurv.mapping.terms import Listing, Terms, read_terms


def polymarket(name: str, title: str, **more: str) -> Terms:
    return read_terms(Listing("polymarket", name, title, reference=more.get("slug", ""), kind=more.get("kind", "")))


def kalshi(name: str, title: str) -> Terms:
    return read_terms(Listing("kalshi", name, title))


OTHERS = [polymarket(f"0x{number}", f"Will person {number} win the race?") for number in range(20)]


def test_a_game_is_found_by_its_day_and_the_begin_of_a_team() -> None:
    game = polymarket("0xgame", "", slug="nba-okc-det-2026-02-25", kind="moneyline")
    found = candidate_pairs([kalshi("KXNBAGAME-26FEB25OKCDET-OKC", "")], [*OTHERS, game])
    assert [each.second for each in found] == ["0xgame"]
    assert not candidate_pairs([kalshi("KXNBAGAME-26FEB26OKCDET-OKC", "")], [*OTHERS, game])


def test_a_word_that_nobody_has_weighs_nothing_and_a_rare_one_more_than_a_frequent_one() -> None:
    index = CandidateIndex([*OTHERS, polymarket("0xr", "Will Zanzibar win the race?")])
    assert index.weight("nowhere") == 0
    assert index.weight("zanzibar") > index.weight("race") > 0


def test_the_best_come_first_and_no_more_than_wanted() -> None:
    markets = [*OTHERS, polymarket("0xa", "Will Zanzibar win the race?"), polymarket("0xb", "Will Zanzibar sing?")]
    index = CandidateIndex(markets)
    wanted = kalshi("KXA", "Will Zanzibar win the race?")
    assert [markets[number].market_id for number in index.candidates(wanted, 1)] == ["0xa"]
    assert [markets[number].market_id for number in index.candidates(wanted)][:2] == ["0xa", "0xb"]


def test_frequent_words_are_not_looked_at_once_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "VISITS_MAX", 5)
    markets = [*OTHERS, polymarket("0xa", "Will Zanzibar win the race?")]
    found = CandidateIndex(markets).candidates(kalshi("KXA", "Will Zanzibar win the race?"))
    assert [markets[number].market_id for number in found] == ["0xa"]


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Will it be above 5% in 2026?", "@2026"),
        ("Will it happen by March 4, 2026?", "@3-4"),
        ("Will it be above 5% in 2026?", "#5000000"),
    ],
)
def test_numbers_and_dates_are_keys(title: str, key: str) -> None:
    assert key in set(keys(kalshi("KXA", title)))
