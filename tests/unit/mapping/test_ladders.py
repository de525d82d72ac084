"""Ladders: one market that equals several rungs of the other venue, and ladders that only look so."""

from collections.abc import Sequence

from predsurv.mapping.matching import PairOfIds, match, word_weights
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.terms import Listing, read_terms

BUCKETS = ["less than 20", "20-30", "31-40", "41-50", "51-60", "more than 60"]


def queue(subtitle: str, rungs: Sequence[str]) -> dict[str, ScoredPair]:
    kalshi = read_terms(Listing("kalshi", "KXBILLS-26-T", "How many bills will be signed in 2026?", subtitle))
    titles = [f"Will {rung} bills be signed in 2026?" for rung in rungs]
    rest = {rung: read_terms(Listing("polymarket", rung, title)) for rung, title in zip(rungs, titles, strict=True)}
    pairs = [PairOfIds(kalshi.market_id, rung) for rung in rungs]
    found = match(pairs, {kalshi.market_id: kalshi}, rest, word_weights([kalshi, *rest.values()]))
    return {each.second: each for each in found}


def test_a_threshold_equals_all_buckets_from_it_up() -> None:
    found = queue("Above 30", BUCKETS)
    union = ("31-40", "41-50", "51-60", "more than 60")
    assert {name for name, each in found.items() if each.comparison.relation == "union-equal"} == set(union)
    assert {each.comparison.union for name, each in found.items() if name in union} == {union}
    assert max(each.rank for name, each in found.items() if name in union) == 4


def test_a_hole_or_a_cut_through_a_bucket_leaves_no_union() -> None:
    assert not any(each.comparison.union for each in queue("Above 30", BUCKETS[:3] + BUCKETS[4:]).values())
    assert not any(each.comparison.union for each in queue("Above 35", BUCKETS).values())


def test_nested_thresholds_are_no_buckets() -> None:
    found = queue("Above 30", ["more than 20", "more than 40", "more than 50"])
    assert {each.comparison.relation for each in found.values()} == {"related"}


def test_an_equal_rung_is_before_every_other() -> None:
    found = queue("31 to 40", BUCKETS)
    assert found["31-40"].rank == 1
    assert not any(each.comparison.union for each in found.values())
