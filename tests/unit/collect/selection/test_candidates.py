"""Candidates follow markets as they are listed, pause, and close."""

from collections import Counter

import pytest

from predsurv.collect.selection.candidates import CandidateSet, ShardFilter
from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentKey, MarketId
from tests.kit.candidate_samples import VENUE, change, market


def ids(candidates: CandidateSet) -> list[str]:
    return [candidate.key.instrument_id for candidate in candidates.candidates()]


@pytest.mark.parametrize(
    ("mirrored", "outcomes", "expected"),
    [(True, 2, ["a-0"]), (False, 2, ["a-0", "a-1"]), (True, 3, ["a-0", "a-1", "a-2"]), (True, 1, ["a-0"])],
)
def test_only_the_second_of_two_mirrored_outcomes_is_left_out(
    mirrored: bool, outcomes: int, expected: list[str]
) -> None:
    candidates = CandidateSet(ShardFilter(mirrored=mirrored))
    candidates.add(market("a", outcomes))
    assert ids(candidates) == expected


def test_the_other_outcome_of_a_binary_market_is_the_mirror_of_what_is_recorded() -> None:
    candidates = CandidateSet(ShardFilter(mirrored=True, complementary=True))
    for name, outcomes in (("a", 2), ("b", 3), ("c", 1), ("d", 2)):
        candidates.add(market(name, outcomes))
    keys = {candidate.key for candidate in candidates.candidates()}
    a, d = market("a"), market("d")
    assert candidates.mirrors(keys) == {a.key(0): a.key(1), d.key(0): d.key(1)}
    assert candidates.mirrors(keys - {a.key(0)}) == {d.key(0): d.key(1)}
    candidates.apply(change("paused", "a"))
    assert candidates.mirrors({a.key(0)}) == {a.key(0): a.key(1)}
    candidates.apply(change("closed", "a"))
    assert candidates.mirrors({a.key(0)}) == {}
    both = CandidateSet(ShardFilter(complementary=True))
    both.add(a)
    assert both.mirrors({a.key(0)}) == {a.key(0): a.key(1)}, "one of the two may find no place"
    unlike = CandidateSet(ShardFilter())
    unlike.add(a)
    assert unlike.mirrors({a.key(0)}) == {}


def test_markets_join_pause_and_leave() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    assert candidates.apply(change("created", "b", market("b"))) == ()
    assert ids(candidates) == ["a-0", "a-1", "b-0", "b-1"]
    candidates.apply(change("paused", "a"))
    assert [candidate.tradable for candidate in candidates.candidates()] == [False, False, True, True]
    candidates.apply(change("activated", "a"))
    assert all(candidate.tradable for candidate in candidates.candidates())
    gone = candidates.apply(change("closed", "a"))
    assert [key.instrument_id for key in gone] == ["a-0", "a-1"]
    assert candidates.apply(change("closed", "a")) == ()
    gone = candidates.apply(MarketResolved(VENUE, MarketId("b"), 1, None, ()))
    assert [key.instrument_id for key in gone] == ["b-0", "b-1"]
    assert len(candidates) == 0


def test_changes_that_do_not_concern_recording_change_nothing() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    before = candidates.candidates()
    candidates.apply(change("fee", "a"))
    candidates.apply(change("paused", "unheard-of"))
    assert candidates.candidates() == before


def test_shards_part_the_markets_without_overlap_and_keep_outcomes_together() -> None:
    candidatess = [CandidateSet(ShardFilter(shard=part, shards=3)) for part in (1, 2, 3)]
    for candidates in candidatess:
        for number in range(60):
            candidates.add(market(f"m{number}"))
    found = [name for candidates in candidatess for name in ids(candidates)]
    assert len(found) == len(set(found)) == 120
    assert all(len(candidates) > 5 and len(ids(candidates)) == 2 * len(candidates) for candidates in candidatess)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"mock:a"}, {"a-0", "a-1"}),
        ({"mock:b-1"}, {"b-1"}),
        ({"other:a", "mock:nothing"}, set()),
        (set(), set()),
    ],
)
def test_a_pin_names_a_market_or_an_instrument(names: set[str], expected: set[str]) -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    candidates.add(market("b"))
    found: frozenset[InstrumentKey] = candidates.named(names)
    assert {key.instrument_id for key in found} == expected


def test_the_number_of_markets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.collect.selection.candidates.MARKETS_MAX", 1)
    candidates = CandidateSet()
    candidates.add(market("a"))
    candidates.add(market("b"))
    candidates.add(market("a", tradable=False))
    assert (len(candidates), candidates.refused) == (1, 1)
    assert not candidates.candidates()[0].tradable


SHARDS = 4


def owners(shards: int, names: list[str]) -> dict[str, int]:
    scopes = [ShardFilter(shard=number, shards=shards) for number in range(1, shards + 1)]
    found = {name: [scope.shard for scope in scopes if scope.includes(MarketId(name))] for name in names}
    assert all(len(shard) == 1 for shard in found.values()), "everybody belongs to exactly one"
    return {name: shard[0] for name, shard in found.items()}


def test_shards_share_the_universe_evenly_and_do_not_overlap() -> None:
    counts = Counter(owners(SHARDS, [f"market-{n}" for n in range(4_000)]).values())
    assert all(800 < count < 1_200 for count in counts.values())


def test_one_shard_more_takes_its_part_and_nothing_moves_between_the_others() -> None:
    names = [f"0x{n:064x}" for n in range(4_000)]
    before, after = owners(SHARDS, names), owners(SHARDS + 1, names)
    moved = [name for name in names if before[name] != after[name]]
    assert 0.15 < len(moved) / len(names) < 0.25
    assert {after[name] for name in moved} == {SHARDS + 1}


def test_the_same_market_is_given_to_the_same_shard_for_ever() -> None:
    assert owners(SHARDS, ["a", "b", "c", "d", "e"]) == {"a": 4, "b": 4, "c": 1, "d": 4, "e": 3}
