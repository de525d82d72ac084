"""Books verified by the stated hashes: recorded ones, and a scripted venue whose messages can be lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import Gap
from predsurv.venues.polymarket import hash_budget, venue_books
from predsurv.venues.polymarket.book_hash import HashedBook, HashInputs
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.hash_budget import HashCheckCounts
from predsurv.venues.polymarket.hash_search import HashSearch
from predsurv.venues.polymarket.hash_states import Evidence
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue, key
from tests.kit.payloads import Payloads
from tests.kit.verified_stream import VerifiedStream

MS = 1_000_000
S = 1_000 * MS


@pytest.fixture
def venue() -> Venue:
    return Venue(1)


NAME = "100000"


def test_the_recipe_gives_the_hashes_of_the_vectors(payloads: Payloads) -> None:
    for vector in payloads.load("polymarket/book_hash_vectors.json"):
        vector.pop("source")
        stated = vector.pop("hash")
        book = HashedBook(vector["asset_id"])
        book.market, book.timestamp, book.snapshot_hash = vector["market"], int(vector["timestamp"]), stated
        book.bids.levels = {level["price"]: level["size"] for level in vector["bids"]}
        book.asks.levels = {level["price"]: level["size"] for level in vector["asks"]}
        book.inputs = HashInputs(last_trade=vector["last_trade_price"])
        assert book.check() is Evidence.HASH_MATCH
        assert book.inputs.min_order_size == vector["min_order_size"]
        book.bids.levels["0.001"] = "1"
        book.bids.json = None
        assert book.check() is Evidence.MISMATCH


def test_a_recorded_book_and_the_change_after_it_match(payloads: Payloads) -> None:
    opening, change = (path.read_bytes() for path in payloads.opening_and_change())
    shared = PolymarketSharedState()
    codec = PolymarketCodec(1, shared)
    codec.requests({key(json.loads(opening)[0]["asset_id"])}, frozenset())
    for frame in (opening, change):
        codec.decode([frame], 0, [])
        codec.audit(0, 0, [])
    assert shared.counts == HashCheckCounts(matched=2)


@pytest.mark.parametrize("facts", [{}, {"neg_risk": True}, {"min_order_size": "15", "last_trade_price": "0.420"}])
def test_a_clean_stream_has_no_suspects(facts: dict[str, Any]) -> None:
    connection = VerifiedStream(Venue(1, **facts))
    for _ in range(300):
        connection.receive(connection.venue.burst(NAME, connection.venue.rng.randrange(1, 4)))
    assert connection.counts == HashCheckCounts(matched=301)
    assert connection.equal(NAME)


def test_a_lost_change_mismatches_with_the_next_and_is_reported_after_two_seconds(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    connection.receive(venue.burst(NAME))
    sure = connection.now * MS
    connection.wait(700)
    venue.burst(NAME)  # lost on the way
    assert connection.counts.mismatched == 0
    connection.receive(venue.burst(NAME))
    assert connection.counts.mismatched == 1
    assert connection.wait(1_900) == []
    # Whatever was lost was lost after the book had been right for the last time.
    assert connection.wait(300) == [Gap(key(NAME), sure, "hash_mismatch", 1)]
    assert connection.codec.awaiting() == {key(NAME)}
    assert connection.codec.take_lost() == {key(NAME)}
    assert not connection.books[key(NAME)].trusted
    connection.open(venue.keys, venue.keys)
    assert connection.equal(NAME)
    assert connection.counts.alarms == 1


def test_a_burst_in_two_reads_is_a_suspect_in_between_only(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    first, second = venue.burst(NAME, 2)
    connection.receive([first])
    assert connection.counts.mismatched == 1
    connection.receive([second])
    assert connection.wait(5_000) == []
    assert connection.counts.matched == 2


def test_a_trade_price_that_is_announced_later_matches_then(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    book, trade = venue.trade(NAME, "0.51")
    connection.receive([book])
    assert (connection.counts.matched, connection.counts.mismatched) == (1, 1)
    connection.receive([trade])
    assert (connection.counts.matched, connection.counts.searched) == (2, 0)
    connection.receive(venue.burst(NAME))
    assert connection.counts.matched == 3


def test_a_trade_price_that_is_never_announced_is_searched(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    connection.receive(venue.trade(NAME, "0.487")[:1])
    assert connection.wait(1_000) == []
    assert (connection.counts.matched, connection.counts.searched) == (2, 1)
    assert connection.receive(venue.burst(NAME)) == []
    assert connection.counts.matched == 3


def test_a_changed_recipe_reports_no_book(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    connection = VerifiedStream(venue)
    for _ in range(100):
        connection.receive(venue.burst(NAME), 100)
    assert connection.gaps == []
    assert connection.counts.unverifiable == 1
    assert connection.equal(NAME)


def test_best_prices_are_compared_where_hashes_prove_nothing(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    connection = VerifiedStream(venue)
    connection.wait(1_000)
    for _ in range(5):
        connection.receive(venue.burst(NAME))
    venue.tokens[NAME].sides["BUY"][50] = "7"  # lost on the way
    connection.receive(venue.burst(NAME))
    (gap,) = connection.wait(3_000)
    assert gap.reason == "hash_mismatch"


def test_a_recipe_that_changes_on_the_way_alarms_less_and_less(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    connection.receive(venue.burst(NAME))
    alarms = []
    for second in range(200):
        frames = [frame.replace(b'"hash":"', b'"hash":"f') for frame in venue.burst(NAME)]
        if connection.receive(frames, 1_000):
            alarms.append(second)
            connection.open(venue.keys, venue.keys)
    assert len(alarms) <= 7
    assert alarms == sorted(alarms)
    assert alarms[-1] - alarms[-2] > 4 * (alarms[1] - alarms[0])


def test_a_snapshot_that_does_not_match_is_no_loss(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    connection.receive([venue.trade(NAME, "0.5")[0].replace(b'"hash":"', b'"hash":"f')])
    assert connection.wait(10_000) == []
    assert connection.counts.unverifiable == 1


@pytest.mark.parametrize("stated", ["", "zz", "f" * 40])
def test_a_snapshot_ends_a_suspicion_whatever_hash_it_states(venue: Venue, stated: str) -> None:
    connection = VerifiedStream(venue)
    venue.burst(NAME)  # lost on the way
    connection.receive(venue.burst(NAME))
    assert connection.counts.mismatched == 1
    book = json.loads(venue.trade(NAME, "0.5")[0])
    connection.receive([json.dumps({**book, "hash": stated}).encode()])
    assert connection.wait(10_000) == []
    assert connection.equal(NAME)


def test_a_suspect_that_is_not_wanted_any_more_is_not_reported(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    venue.burst(NAME)  # lost on the way
    connection.receive(venue.burst(NAME))
    connection.codec.requests(frozenset(), venue.keys)
    assert connection.wait(10_000) == []


def test_prices_that_are_none_do_not_stop_a_search(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    verifier = connection.codec.verifier
    verifier.books[NAME].bids.levels["x"] = "1"
    connection.receive(venue.burst(NAME))
    assert [gap.reason for gap in connection.wait(3_000)] == ["hash_mismatch"]


def test_a_hash_may_have_the_previous_tick_size(venue: Venue) -> None:
    connection = VerifiedStream(venue)
    message = {"event_type": "tick_size_change", "asset_id": NAME, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    connection.receive([json.dumps({**message, "timestamp": str(venue.now_ms)}).encode()])
    connection.receive(venue.burst(NAME))  # still hashed with the old one
    assert connection.wait(1_000) == []
    venue.tokens[NAME].facts["tick_size"] = "0.001"
    connection.receive(venue.burst(NAME))
    assert connection.wait(5_000) == []
    assert connection.counts.matched == 3


@pytest.mark.parametrize("price", ["", "0.487"])
def test_a_tick_size_that_is_announced_after_the_hashes_have_it_matches_then(venue: Venue, price: str) -> None:
    connection = VerifiedStream(venue)
    connection.receive(venue.burst(NAME))
    announced = venue.tick_size_change(NAME, "0.001")
    connection.receive(venue.trade(NAME, price)[:1] if price else [])
    connection.receive(venue.burst(NAME))
    assert connection.wait(1_000) == []
    connection.receive([announced])
    assert connection.wait(5_000) == []
    assert connection.codec.verifier.books[NAME].inputs == HashInputs(tick_size="0.001", last_trade=price)


def test_a_book_that_stays_as_it_is_is_searched_once(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[HashSearch] = []
    run = HashSearch.run

    def watch(search: HashSearch, tries: int) -> HashInputs | None:
        searches.append(search)
        return run(search, tries)

    monkeypatch.setattr(HashSearch, "run", watch)
    connection = VerifiedStream(venue)
    venue.burst(NAME)  # lost on the way
    connection.receive(venue.burst(NAME))
    assert connection.wait(1_900) == []
    assert len(connection.wait(300)) == 1
    assert len(searches) == 1


def test_a_new_tick_size_invalidates_a_book_whose_hashes_prove_nothing(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    connection = VerifiedStream(venue)
    connection.wait(1_000)
    message = {"event_type": "tick_size_change", "asset_id": NAME, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    assert len(connection.receive([json.dumps({**message, "timestamp": str(venue.now_ms)}).encode()])) == 1


def test_unsubscribed_tokens_are_not_followed() -> None:
    venue = Venue(2)
    connection = VerifiedStream(venue)
    first, second = venue.tokens
    connection.codec.requests(frozenset(), {key(second)})
    venue.burst(second)
    connection.receive(venue.burst(second) + venue.burst(first))
    assert connection.counts == HashCheckCounts(matched=3)


def test_an_exhausted_budget_postpones_checks_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(20)
    connection = VerifiedStream(venue)
    monkeypatch.setattr(hash_budget, "MESSAGE_COST", 0)
    monkeypatch.setattr(hash_budget, "CHECK_COST", hash_budget.BUDGET_MAX // 50)
    lost = next(iter(venue.tokens))
    venue.burst(lost)
    for _ in range(5):
        for name in venue.tokens:
            connection.receive(venue.burst(name), 0)
    assert connection.counts.postponed > 0
    monkeypatch.setattr(hash_budget, "CHECK_COST", 0)
    assert {gap.key for gap in connection.wait(3_000)} == {key(lost)}


def test_verification_is_suspended_for_lack_of_time_and_resumed(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = VerifiedStream(venue)
    monkeypatch.setattr(hash_budget, "MESSAGE_COST", hash_budget.BUDGET_MAX // 20)
    connection.receive([frame for _ in range(50) for frame in venue.burst(NAME)])
    venue.burst(NAME)
    connection.receive(venue.burst(NAME))
    assert connection.counts.overloads == 1
    monkeypatch.setattr(hash_budget, "MESSAGE_COST", 0)
    assert connection.wait(3_000) == []
    assert connection.receive(venue.burst(NAME)) == []
    connection.receive(venue.trade(NAME, "0.5"))
    seen = connection.counts.matched
    connection.receive(venue.burst(NAME))
    assert connection.counts.matched == seen + 1
    assert connection.equal(NAME)


def test_pending_messages_are_bounded_without_an_audit(venue: Venue) -> None:
    codec = PolymarketCodec(1)
    codec.requests(venue.keys, frozenset())
    frame = venue.books(venue.tokens)
    for _ in range(10_000):
        codec.decode([frame], 0, [])
    assert len(codec.verifier.venue_books.pending) <= venue_books.PENDING_MAX


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=30))
def test_a_wrong_book_is_reported_and_a_right_one_is_not(seed: int, steps: list[tuple[int, bool, bool]]) -> None:
    venue = Venue(1, seed=seed)
    (name,) = venue.tokens
    connection = VerifiedStream(venue)
    for count, lose, split in steps:
        frames = venue.burst(name, count)
        kept = frames[1:] if lose else frames
        for part in (kept[:1], kept[1:]) if split else (kept,):
            connection.receive(part)
    connection.receive(venue.burst(name))
    right = connection.equal(name)
    connection.wait(3_000)
    assert bool(connection.gaps) != right
