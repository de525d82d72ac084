"""The worked examples of docs/mapping.md, and fields that identifiers and rules state."""

import re
from pathlib import Path

import pytest

from predsurv.mapping.matching import word_weights
from predsurv.mapping.relation import Comparison, compare
from predsurv.mapping.terms import Listing, read_terms

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "mapping.md"


def compared(kalshi: Listing, polymarket: Listing) -> Comparison:
    one, other = read_terms(kalshi), read_terms(polymarket)
    return compare(one, other, word_weights([one, other]))


def titles(kalshi: str, polymarket: str, *, rules: tuple[str, str] = ("", "")) -> Comparison:
    return compared(
        Listing("kalshi", "KXSAMPLE", kalshi, rules=rules[0]), Listing("polymarket", "0x1", polymarket, rules=rules[1])
    )


def examples() -> list[list[str]]:
    (section,) = re.findall(r"^## Worked examples\n(.*?)^## ", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]


@pytest.mark.parametrize(("kalshi", "polymarket", "field", "status"), examples())
def test_the_worked_examples_are_true(kalshi: str, polymarket: str, field: str, status: str) -> None:
    evidence = {str(each.field): each.status for each in titles(kalshi, polymarket).evidence}
    assert evidence[field] == status


def test_there_are_worked_examples() -> None:
    assert len(examples()) >= 10


@pytest.mark.parametrize(
    ("slug", "kind", "said"),
    [
        ("nba-okc-det-2026-02-25", "moneyline", ""),
        ("nba-det-okc-2026-02-25", "moneyline", ""),
        ("nba-okc-det-2026-02-26", "moneyline", "day"),
        ("nba-lac-den-2026-02-25", "moneyline", "teams"),
        ("nhl-okc-det-2026-02-25", "moneyline", "league"),
        ("nba-okc-det-2026-02-25", "spreads", "bet"),
        ("nba-okc-det-2026-02-25-game-2", "moneyline", "game of the day"),
    ],
)
def test_games_are_told_apart_by_their_identifiers(slug: str, kind: str, said: str) -> None:
    game = Listing("kalshi", "KXNBAGAME-26FEB25OKCDET-OKC", "")
    found = compared(game, Listing("polymarket", slug, "", reference=slug, kind=kind))
    assert found.relation == ("different" if said else "related")
    assert next(each.first for each in found.evidence if each.field == "game").partition(":")[0] == said


def test_a_combination_is_never_one_of_its_games() -> None:
    combo = Listing("kalshi", "KXMVESPORTSMULTIGAME-26FEB25OKCDET", "")
    slug = "nba-okc-det-2026-02-25"
    found = compared(combo, Listing("polymarket", slug, "", reference=slug, kind="moneyline"))
    assert (found.relation, found.veto) == ("different", "combination")


def test_a_name_that_only_the_rules_list_is_not_the_subject() -> None:
    everybody = (
        "If the winner of the 2028 Ruritanian election is Alma Berg, Otto Lind or Vera Moss, the market of that person "
        'resolves to "Yes", else it resolves to "No". The resolution source is Reuters.'
    )
    one, same, other = "Who wins the 2028 Ruritanian election? Alma Berg", "Alma Berg", "Otto Lind"
    question = "Will {} win the 2028 Ruritanian election?"
    assert titles(one, question.format(same), rules=(everybody, everybody)).relation == "same"
    assert titles(one, question.format(other), rules=(everybody, everybody)).relation != "same"


def test_opposite_buckets_are_the_inverse_once_everything_is_stated() -> None:
    rules = (
        "If unemployment for May 2026 is above 4.3%, the market resolves to Yes. Outcome verified from BLS.",
        'Resolves to "Yes" if unemployment for May 2026 is 4.3% or lower. The resolution source is BLS.',
    )
    pair = titles("Unemployment rate above 4.3% in May 2026?", "May 2026 unemployment rate 4.3% or lower?", rules=rules)
    assert pair.relation == "inverse"


@pytest.mark.parametrize("text", ["", "?!", "\x1b[31m", "\u202e\u202e", "…" * 500, "🏀🏀🏀"])
def test_texts_without_words_are_unreadable_and_nothing_more(text: str) -> None:
    assert titles(text, text).relation == "unreadable"
    assert titles(text, "Will Maduro leave office in 2027?").relation == "unreadable"


RULES = (
    'If {what}, the market resolves to "Yes", otherwise to "No". '
    "Outcome verified by the Associated Press, by 11:59 PM ET."
)


def settled(kalshi: str, polymarket: str, *paid: int) -> Comparison:
    one = Listing("kalshi", "KXSAMPLE", kalshi, rules=RULES.format(what=kalshi), paid=paid[0])
    return compared(one, Listing("polymarket", "0x1", polymarket, rules=RULES.format(what=polymarket), paid=paid[1]))


@pytest.mark.parametrize(
    ("polymarket", "paid", "status"),
    [
        ("Will Maduro leave office by December 31, 2026?", (1_000_000, 1_000_000), "agree"),
        ("Will Maduro leave office by December 31, 2026?", (1_000_000, 0), "conflict"),
        ("Will Maduro not leave office by December 31, 2026?", (1_000_000, 0), "agree"),
        ("Will Maduro not leave office by December 31, 2026?", (0, 0), "conflict"),
    ],
)
def test_outcomes_that_disagree_veto_a_pair(polymarket: str, paid: tuple[int, int], status: str) -> None:
    found = settled("Will Maduro leave office before Jan 1, 2027?", polymarket, *paid)
    assert found.status("outcome") == status
    assert (found.veto == "outcome") == (status == "conflict")
    assert (found.relation == "different") == (status == "conflict")


@pytest.mark.parametrize(("paid", "status"), [((0, 1_000_000), "agree"), ((1_000_000, 0), "conflict")])
def test_what_pays_only_where_the_other_pays_may_pay_less_and_never_more(paid: tuple[int, int], status: str) -> None:
    found = settled("Will the score be above 90 in 2026?", "Will the score be 90 or higher in 2026?", *paid)
    assert found.status("threshold") == "narrower"
    assert found.status("outcome") == status


def test_an_outcome_of_one_side_alone_says_nothing() -> None:
    found = titles("Will it happen in 2030?", "Will it happen in 2030?")
    assert found.status("outcome") == "absent"
