"""Candidates follow markets as they are listed, pause, and close."""

from collections import Counter

import msgspec
import pytest
from msgspec import structs

from predsurv.collect.selection.candidates import SPARE_SHAPES, CandidateSet, Membership, ShardFilter
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import Money, Price
from predsurv.state.market_facts import MarketFacts
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


def keys(changed: Membership) -> tuple[list[str], list[str]]:
    return [key.instrument_id for key in changed.gone], [key.instrument_id for key in changed.opened]


def test_markets_join_pause_and_leave() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    assert keys(candidates.apply(change("created", "b", market("b")))) == ([], ["b-0", "b-1"])
    assert ids(candidates) == ["a-0", "a-1", "b-0", "b-1"]
    assert candidates.apply(change("paused", "a")) == Membership()
    assert [candidate.tradable for candidate in candidates.candidates()] == [False, False, True, True]
    again = candidates.apply(change("activated", "a"))
    assert (keys(again), again.first) == (([], ["a-0", "a-1"]), False)
    assert all(candidate.tradable for candidate in candidates.candidates())
    assert keys(candidates.apply(change("closed", "a"))) == (["a-0", "a-1"], [])
    assert candidates.apply(change("closed", "a")) == Membership()
    assert keys(candidates.apply(MarketResolved(VENUE, MarketId("b"), 1, None, ()))) == (["b-0", "b-1"], [])
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
        ({"mock:b-0?"}, {"b-0"}),
        (set(), set()),
    ],
)
def test_a_pin_names_a_market_or_an_instrument(names: set[str], expected: set[str]) -> None:
    candidates = CandidateSet(pins=names)
    candidates.add(market("a"))
    candidates.apply(change("created", "b", market("b")))
    assert {key.instrument_id for key in candidates.pinned} == expected
    candidates.apply(change("closed", "b"))
    assert {key.instrument_id for key in candidates.pinned} == expected - {"b-0", "b-1"}


def test_a_pin_on_the_complement_names_the_book_that_both_outcomes_have() -> None:
    candidates = CandidateSet(ShardFilter(mirrored=True), pins=["mock:a-1"])
    candidates.add(market("a"))
    assert {key.instrument_id for key in candidates.pinned} == {"a-0"}


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


def tick(name: str, size: int) -> MarketChange:
    return msgspec.structs.replace(change("tick_size", name), tick_size=Price(size))


def test_what_a_venue_repeats_is_no_news() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    assert candidates.fold(tick("a", 10_000)), "an earlier recording may have heard another one"
    assert not candidates.fold(tick("a", 10_000))
    assert candidates.fold(tick("a", 1_000))
    assert not candidates.fold(tick("a", 1_000))
    assert not candidates.fold(change("listed", "a", market("a")))
    assert not candidates.fold(tick("a", 1_000)), "a list that lags behind takes nothing back"
    new = msgspec.structs.replace(market("a"), question="Another?", volume_24h=Money(7))
    assert candidates.fold(change("listed", "a", new))
    assert not candidates.fold(change("listed", "a", msgspec.structs.replace(new, volume_24h=Money(8), fetched_at=9)))
    assert candidates.candidates()[0].volume_24h == 8
    assert candidates.fold(change("rules", "a")), "only what venues repeat is ever left out"
    assert candidates.fold(tick("unheard-of", 1_000))


def test_a_tick_that_went_back_between_two_recordings_does_not_outlive_the_first() -> None:
    facts = MarketFacts([change("listed", "a", market("a"))])
    for ts, stated in ((1_000, 1_000), (2_000, 10_000)):
        candidates = CandidateSet()  # a recording of its own, which knows the list alone
        candidates.add(market("a"))
        recorded = msgspec.structs.replace(tick("a", stated), ts_recv=ts)
        if candidates.fold(recorded):
            facts.add(recorded)
    known = facts.at(MarketId("a"), 3_000)
    assert known is not None
    assert known.market.tick_size == 10_000


def test_a_statement_says_the_same_to_every_market_and_each_keeps_its_own_facts() -> None:
    candidates = CandidateSet()
    for name in "abc":
        candidates.add(market(name))
        candidates.fold(tick(name, 10_000))
    assert candidates.fold(tick("b", 1_000))
    assert not candidates.fold(tick("a", 10_000))
    assert not candidates.fold(tick("b", 1_000))
    assert candidates.fold(tick("c", 1_000))


def test_what_was_announced_ahead_is_not_taken_for_what_holds() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    candidates.fold(tick("a", 10_000))
    ahead = msgspec.structs.replace(tick("a", 1_000), effective=9_000)
    assert candidates.fold(ahead)
    assert not candidates.fold(tick("a", 10_000))


def test_an_announcement_on_assumptions_becomes_tradable_with_the_whole_record() -> None:
    candidates = CandidateSet()
    partial = msgspec.structs.replace(
        market("m", tradable=False), status="created", assumed=("tick_size", "min_order_size")
    )
    assert keys(candidates.apply(change("created", "m", partial))) == ([], [])
    assert candidates.candidates()[0].tradable is False
    opened = candidates.apply(change("activated", "m", market("m")))
    assert (keys(opened), opened.first) == (([], ["m-0", "m-1"]), True)


def test_a_list_that_lags_does_not_bring_a_closed_market_back() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    candidates.apply(change("closed", "a"))
    assert candidates.apply(change("listed", "a", market("a"))) == Membership()
    assert len(candidates) == 0
    assert keys(candidates.apply(change("created", "a", market("a")))) == ([], ["a-0", "a-1"])


def test_a_market_of_another_shard_is_neither_a_candidate_nor_news_when_listed() -> None:
    shards = [CandidateSet(ShardFilter(shard=number, shards=2)) for number in (1, 2)]
    results = [each.fold(change("listed", "a", market("a"))) for each in shards]
    assert sorted(results) == [False, True]
    assert sorted(len(each) for each in shards) == [0, 1]


def test_a_hundred_thousand_markets_share_the_facts_they_have_in_common() -> None:
    candidates = CandidateSet()
    for number in range(1_000):
        candidates.add(market(f"m{number}"))
    assert len(candidates._shapes) == 1


def test_what_only_markets_had_that_are_over_is_not_kept() -> None:
    candidates = CandidateSet()
    candidates.add(market("stays"))
    for number in range(3 * SPARE_SHAPES):
        name = MarketId(f"m{number}")
        candidates.add(market(name))
        candidates.apply(MarketResolved(VENUE, name, 2, None, ((InstrumentId(f"{name}-0"), Price(1_000_000)),)))
    assert len(candidates) == 1
    assert len(candidates._shapes) <= SPARE_SHAPES + 2


def test_a_list_that_was_read_before_the_feed_told_of_a_market_takes_nothing_back() -> None:
    candidates = CandidateSet()
    told = market("a")
    opened = msgspec.structs.replace(change("activated", "a", told), ts_recv=20)
    assert candidates.fold(opened)
    candidates.apply(opened)
    unopened = msgspec.structs.replace(market("a", tradable=False), status="created")
    for fetched_at, news in (
        (10, False),
        (30, True),
    ):  # reading a whole list takes minutes, and it is learnt at its end
        listed = msgspec.structs.replace(unopened, fetched_at=fetched_at)
        late = msgspec.structs.replace(change("listed", "a", listed), ts_recv=180)
        assert candidates.fold(late) is news
        candidates.apply(late)
        assert candidates.tradable(told.key(0)) is not news


def test_a_market_that_is_activated_with_the_record_that_the_list_has_joins_again() -> None:
    candidates = CandidateSet()
    candidates.add(market("a"))
    candidates.apply(change("paused", "a"))
    assert not candidates.tradable(market("a").key(0))
    candidates.apply(change("activated", "a", market("a")))
    assert candidates.tradable(market("a").key(0))


def over(name: str, **more: int) -> MarketChange:
    """Return the whole life of a market that is over, as a list tells it."""
    told = change("closed", name, structs.replace(market(name, tradable=False), status="closed"))
    return structs.replace(told, **more)


def test_a_market_first_heard_of_when_it_was_over_has_instruments_and_was_not_open_as_far_as_was_heard() -> None:
    candidates = CandidateSet()
    gone = candidates.apply(over("m", opened=1, closed=5, ts_venue=5))
    assert keys(gone) == (["m-0", "m-1"], [])
    assert not gone.was_open
    assert len(candidates) == 0


def test_the_life_of_a_market_is_news_until_its_end_is_known_with_the_venue_s_time() -> None:
    candidates = CandidateSet()
    life = over("m", opened=1, closed=5, ts_venue=5)
    candidates.add(market("m"))
    assert candidates.apply(change("closed", "m")).was_open
    assert candidates.fold(life), "when it ended is news"
    assert candidates.apply(life).gone
    assert not candidates.fold(life), "and is told once"
    candidates.add(market("n"))
    candidates.apply(structs.replace(change("closed", "n"), ts_venue=5))
    assert not candidates.fold(over("n", opened=1, closed=5, ts_venue=5))


def test_the_end_of_a_market_of_which_nothing_was_heard_leaves_its_life_to_be_told() -> None:
    candidates = CandidateSet()
    assert candidates.apply(structs.replace(change("closed", "m"), ts_venue=5)).gone == ()
    life = over("m", opened=1, closed=5, ts_venue=5)
    assert candidates.fold(life)
    assert candidates.apply(life).gone


def test_a_market_that_was_paused_when_listed_is_open_for_the_first_time_when_it_resumes() -> None:
    candidates = CandidateSet()
    candidates.add(structs.replace(market("m", tradable=False), status="paused"))
    assert candidates.apply(change("activated", "m")).first


def test_processes_share_what_is_in_the_shard_evenly_and_without_overlap() -> None:
    names = [f"market-{n}" for n in range(4_000)]
    shard = [name for name in names if ShardFilter(shard=1, shards=2).includes(MarketId(name))]
    divided = [
        [name for name in names if ShardFilter(shard=1, shards=2, process=one, processes=2).includes(MarketId(name))]
        for one in (1, 2)
    ]
    assert sorted([*divided[0], *divided[1]]) == sorted(shard)
    assert all(800 < len(part) < 1_200 for part in divided), "the second division does not repeat the first"
