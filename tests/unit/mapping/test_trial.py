"""The mapping against labels: what it accepts, the order of its queue, and every near miss it was taught."""

import csv
from functools import cache
from pathlib import Path

import pytest

from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.trial import Trial, try_labelled
from tests.kit.mapping_pairs import COLUMNS, rows, write_pairs


@cache
def labelled() -> list[dict[str, str]]:
    return rows()


def trial(folder: Path, *, rules: bool = True) -> Trial:
    return try_labelled(write_pairs(folder / "pairs.csv", labelled() if rules else rows(rules=False)))


@pytest.fixture(scope="module")
def with_rules(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="module")
def titles_only(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("titles"), rules=False)


def pair_of(found: Trial, first: str, second: str) -> ScoredPair:
    return next(each for each in found.queue if (each.first, each.second) == (first, second))


def test_the_set_is_large_and_most_of_it_near_misses() -> None:
    found = labelled()
    positives = sum(row["label"] == "1" for row in found)
    assert len(found) >= 300
    assert (len(found) - positives) / len(found) >= 0.6


def test_what_is_accepted_is_right_and_most_of_what_is_right_is_accepted(with_rules: Trial) -> None:
    quality = with_rules.quality
    assert quality.precision is not None
    assert quality.recall is not None
    assert quality.precision >= 0.98
    assert quality.recall >= 0.8


def test_titles_alone_certify_nothing_but_order_the_queue(titles_only: Trial) -> None:
    quality = titles_only.quality
    assert quality.accepted == 0
    assert quality.precision is None
    assert quality.recall_at_p95 is not None
    assert quality.recall_at_p95 >= 0.8
    assert quality.top3_recall is not None
    assert quality.top3_recall >= 0.98


@pytest.mark.parametrize(
    ("first", "second", "veto"),
    [
        ("KXPRESNOMD-28-GN", "KXPRESNOMD-28:GN:0", "action"),  # nominated, elected
        ("KXPRESNOMD-28-GN", "KXPRESNOMD-28:GN:2", "window"),  # another year
        ("KXNBA-26-OKC", "KXNBA-26:OKC:2", "bet"),  # season total against title
        ("KXSUPERBOWLHEADLINE-26-BB", "KXSUPERBOWLHEADLINE-26:BB:0", "action"),  # headline, perform
        ("KXBTCMAXY-25-DEC31-150000", "KXBTCMAXY-25-DEC31:150000:0", "action"),  # settle, touch
        ("KXBTCD-26MAR1112-T64000", "KXBTCD-26MAR1112:T64000:0", "window"),  # another day
        ("KXHIGHNY-25DEC10-B45.5", "KXHIGHNY-25DEC10:B47.5", "threshold"),  # another bucket
        ("KXTOPMODEL-25DEC31-GOOG", "KXTOPMODEL-25DEC31:GOOG:0", "action"),  # first, second
        ("KXBTC15M-26MAR120530-BTC", "KXBTC15M-26MAR120530:BTC", "source"),  # BRTI, Chainlink
        ("KXHIGHMODEL-25DEC10-DEN", "KXHIGHMODEL-25DEC10:DEN", "source"),  # station, model
        ("KXFLOORSPEECH-26-BS", "KXFLOORSPEECH-26:BS", "payoff"),  # a floor on one side
        ("KXMATCHVOID-26JAN20-CA", "KXMATCHVOID-26JAN20:CA", "void"),  # fair price, half
        ("KXZONE-26-KB", "KXZONE-26:KB", "cutoff"),  # the same day in another zone
    ],
)
def test_near_misses_are_vetoed_by_the_field_that_differs(
    with_rules: Trial, first: str, second: str, veto: str
) -> None:
    compared = pair_of(with_rules, first, second).comparison
    assert (compared.relation, compared.veto) == ("different", veto)


def test_nothing_is_the_same_while_a_field_is_silent(with_rules: Trial) -> None:
    silent = pair_of(with_rules, "KXTWOPARTY-26-EM", "KXTWOPARTY-26:EM").comparison
    assert silent.relation == "related"
    assert {"cutoff", "source"} <= set(silent.silent)
    assert all(not each.comparison.silent for each in with_rules.queue if each.comparison.relation == "same")


def test_wrong_pairs_are_told_with_the_evidence(with_rules: Trial) -> None:
    kinds = [each.kind for each in with_rules.wrong]
    assert kinds == sorted(kinds, key=("accepted", "misranked", "missed").index)
    assert all(each.pair.comparison.evidence for each in with_rules.wrong)


def test_results_that_disagree_keep_open_pairs_of_their_kind_from_being_accepted(tmp_path: Path) -> None:
    kind = [row for row in labelled() if row["label"] == "1" and row["kalshi_ticker"].startswith("KXRT-")]
    accepted = try_labelled(write_pairs(tmp_path / "open.csv", kind)).quality.accepted
    columns = [*COLUMNS, "kalshi_result", "polymarket_result"]
    with (tmp_path / "settled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows([kind[0] | {"kalshi_result": "yes", "polymarket_result": "no"}, *kind[1:]])
    after = try_labelled(tmp_path / "settled.csv")
    assert accepted == len(kind) > 1
    assert after.quality.accepted == 0
    assert {each.comparison.veto for each in after.queue} == {"outcome", "precedent"}
