"""Books proved by the hashes that the venue states: recorded ones, and a venue that can lose what it says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book
from predsurv.venues.polymarket import book_hash as hashing
from predsurv.venues.polymarket import hash_verifier as continuity
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue, key
from tests.kit.payloads import Payloads

MS = 1_000_000
S = 1_000 * MS


class Ear:
    """A codec that heard the opening books of a venue, and a clock in ms."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.memory = PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.memory)
        self.books = {each: Book(each) for each in venue.keys}
        self.now = 0
        self.gaps: list[Gap] = []
        self.open(venue.keys, frozenset())

    def open(self, add: frozenset[InstrumentKey], drop: frozenset[InstrumentKey]) -> None:
        self.codec.requests(add, drop)
        self.hear([self.venue.books(each.instrument_id for each in add)])

    def hear(self, frames: list[bytes], ms: int = 1) -> list[Gap]:
        """Decode and check ``frames``; return the gaps they tore."""
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], self.now * MS, out)
        self.now += ms
        self.codec.audit(self.now * MS, self.now * MS, out)
        for event in out:
            if isinstance(event, BookSnapshot | BookDelta | Gap):
                self.books[event.key].apply(event)
        found = [event for event in out if isinstance(event, Gap)]
        self.gaps += found
        return found

    def wait(self, ms: int, step: int = 100) -> list[Gap]:
        """Let time pass in silence."""
        return [gap for _ in range(0, ms, step) for gap in self.hear([], step)]

    @property
    def checks(self) -> continuity.HashCheckCounts:
        return self.memory.checks

    def equal(self, name: str) -> bool:
        """Return whether our book is the venue's."""
        held, token = self.books[key(name)], self.venue.tokens[name]
        ours = [{level[0] // 10_000: level[1] for level in side.levels()} for side in (held.bids, held.asks)]
        theirs = [{tick: _micros(size) for tick, size in token.sides[side].items()} for side in ("BUY", "SELL")]
        return ours == theirs


def _micros(size: str) -> int:
    whole, _, fraction = size.partition(".")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))


@pytest.fixture
def venue() -> Venue:
    return Venue(1)


NAME = "100000"


def test_recipe_of_the_vectors(payloads: Payloads) -> None:
    for vector in payloads.load("polymarket/book_hash_vectors.json"):
        vector.pop("source")
        stated = vector.pop("hash")
        line = hashing.HashedBook(vector["asset_id"])
        line.market, line.stamp, line.whole_hash = vector["market"], int(vector["timestamp"]), stated
        line.bids.levels = {level["price"]: level["size"] for level in vector["bids"]}
        line.asks.levels = {level["price"]: level["size"] for level in vector["asks"]}
        line.inputs = hashing.HashInputs(last_trade=vector["last_trade_price"])
        assert line.fits()
        assert line.inputs.min_order_size == vector["min_order_size"]
        line.bids.levels["0.001"] = "1"
        line.bids.text = None
        assert not line.fits()


def test_recorded_book_and_the_change_after_it(payloads: Payloads) -> None:
    opening, change = (path.read_bytes() for path in payloads.opening_and_change())
    memory = PolymarketSharedState()
    codec = PolymarketCodec(1, memory)
    codec.requests({key(json.loads(opening)[0]["asset_id"])}, frozenset())
    for frame in (opening, change):
        codec.decode([frame], 0, [])
        codec.audit(0, 0, [])
    assert memory.checks == continuity.HashCheckCounts(matched=2)


@pytest.mark.parametrize("facts", [{}, {"neg_risk": True}, {"min_order_size": "15", "last_trade_price": "0.420"}])
def test_clean_stream_raises_no_doubt(facts: dict[str, Any]) -> None:
    ear = Ear(Venue(1, **facts))
    for _ in range(300):
        ear.hear(ear.venue.burst(NAME, ear.venue.rng.randrange(1, 4)))
    assert ear.checks == continuity.HashCheckCounts(matched=301)
    assert ear.equal(NAME)


def test_lost_change_is_seen_with_the_next_and_told_after_two_seconds(venue: Venue) -> None:
    ear = Ear(venue)
    ear.hear(venue.burst(NAME))
    sure = ear.now * MS
    ear.wait(700)
    venue.burst(NAME)  # nobody hears of it
    assert ear.checks.mismatched == 0
    ear.hear(venue.burst(NAME))
    assert ear.checks.mismatched == 1
    assert ear.wait(1_900) == []
    # Whatever was lost was lost after the book had been right for the last time.
    assert ear.wait(300) == [Gap(key(NAME), sure, "hash_mismatch", 1)]
    assert ear.codec.awaiting() == {key(NAME)}
    assert ear.codec.take_lost() == {key(NAME)}
    assert not ear.books[key(NAME)].trusted
    ear.open(venue.keys, venue.keys)
    assert ear.equal(NAME)
    assert ear.checks.alarms == 1


def test_burst_in_two_reads_is_doubted_for_a_moment_only(venue: Venue) -> None:
    ear = Ear(venue)
    first, second = venue.burst(NAME, 2)
    ear.hear([first])
    assert ear.checks.mismatched == 1
    ear.hear([second])
    assert ear.wait(5_000) == []
    assert ear.checks.matched == 2


def test_trade_price_that_is_announced_later(venue: Venue) -> None:
    ear = Ear(venue)
    book, trade = venue.trade(NAME, "0.51")
    ear.hear([book])
    assert (ear.checks.matched, ear.checks.mismatched) == (1, 1)
    ear.hear([trade])
    assert (ear.checks.matched, ear.checks.searched) == (2, 0)
    ear.hear(venue.burst(NAME))
    assert ear.checks.matched == 3


def test_trade_price_that_is_never_announced_is_found(venue: Venue) -> None:
    ear = Ear(venue)
    ear.hear(venue.trade(NAME, "0.487")[:1])
    assert ear.wait(1_000) == []
    assert (ear.checks.matched, ear.checks.searched) == (2, 1)
    assert ear.hear(venue.burst(NAME)) == []
    assert ear.checks.matched == 3


def test_recipe_that_changed_costs_nothing_but_proof(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    ear = Ear(venue)
    for _ in range(100):
        ear.hear(venue.burst(NAME), 100)
    assert ear.gaps == []
    assert ear.checks.unverifiable == 1
    assert ear.equal(NAME)


def test_best_prices_prove_where_hashes_do_not(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    ear = Ear(venue)
    ear.wait(1_000)
    for _ in range(5):
        ear.hear(venue.burst(NAME))
    venue.tokens[NAME].sides["BUY"][50] = "7"  # nobody hears of it
    ear.hear(venue.burst(NAME))
    (gap,) = ear.wait(3_000)
    assert gap.reason == "hash_mismatch"


def test_recipe_that_changes_on_the_way_alarms_once_then_less_and_less(venue: Venue) -> None:
    ear = Ear(venue)
    ear.hear(venue.burst(NAME))
    alarms = []
    for second in range(200):
        frames = [frame.replace(b'"hash":"', b'"hash":"f') for frame in venue.burst(NAME)]
        if ear.hear(frames, 1_000):
            alarms.append(second)
            ear.open(venue.keys, venue.keys)
    assert len(alarms) <= 7
    assert alarms == sorted(alarms)
    assert alarms[-1] - alarms[-2] > 4 * (alarms[1] - alarms[0])


def test_whole_book_that_does_not_fit_is_no_loss(venue: Venue) -> None:
    ear = Ear(venue)
    ear.hear([venue.trade(NAME, "0.5")[0].replace(b'"hash":"', b'"hash":"f')])
    assert ear.wait(10_000) == []
    assert ear.checks.unverifiable == 1


def test_tick_size_may_be_the_old_or_the_new_one(venue: Venue) -> None:
    ear = Ear(venue)
    told = {"event_type": "tick_size_change", "asset_id": NAME, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    ear.hear([json.dumps({**told, "timestamp": str(venue.now_ms)}).encode()])
    ear.hear(venue.burst(NAME))  # still hashed with the old one
    assert ear.wait(1_000) == []
    venue.tokens[NAME].facts["tick_size"] = "0.001"
    ear.hear(venue.burst(NAME))
    assert ear.wait(5_000) == []
    assert ear.checks.matched == 3


def test_new_tick_size_is_not_believed_where_hashes_prove_nothing(venue: Venue) -> None:
    venue.tokens[NAME].facts["new_field"] = "1"
    ear = Ear(venue)
    ear.wait(1_000)
    told = {"event_type": "tick_size_change", "asset_id": NAME, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    assert len(ear.hear([json.dumps({**told, "timestamp": str(venue.now_ms)}).encode()])) == 1


def test_unsubscribed_tokens_are_not_followed() -> None:
    venue = Venue(2)
    ear = Ear(venue)
    first, second = venue.tokens
    ear.codec.requests(frozenset(), {key(second)})
    venue.burst(second)
    ear.hear(venue.burst(second) + venue.burst(first))
    assert ear.checks == continuity.HashCheckCounts(matched=3)


def test_budget_postpones_and_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(20)
    ear = Ear(venue)
    monkeypatch.setattr(continuity, "NOTE_COST", 0)
    monkeypatch.setattr(continuity, "CHECK_COST", continuity.BUDGET_MAX // 50)
    lost = next(iter(venue.tokens))
    venue.burst(lost)
    for _ in range(5):
        for name in venue.tokens:
            ear.hear(venue.burst(name), 0)
    assert ear.checks.postponed > 0
    monkeypatch.setattr(continuity, "CHECK_COST", 0)
    assert {gap.key for gap in ear.wait(3_000)} == {key(lost)}


def test_too_much_to_follow_is_let_go_and_taken_up_again(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear(venue)
    monkeypatch.setattr(continuity, "NOTE_COST", continuity.BUDGET_MAX // 20)
    ear.hear([frame for _ in range(50) for frame in venue.burst(NAME)])
    venue.burst(NAME)
    ear.hear(venue.burst(NAME))
    assert ear.checks.overloads == 1
    monkeypatch.setattr(continuity, "NOTE_COST", 0)
    assert ear.wait(3_000) == []
    assert ear.hear(venue.burst(NAME)) == []
    ear.hear(venue.trade(NAME, "0.5"))
    seen = ear.checks.matched
    ear.hear(venue.burst(NAME))
    assert ear.checks.matched == seen + 1
    assert ear.equal(NAME)


def test_messages_are_not_kept_when_nobody_asks(venue: Venue) -> None:
    codec = PolymarketCodec(1)
    codec.requests(venue.keys, frozenset())
    frame = venue.books(venue.tokens)
    for _ in range(10_000):
        codec.decode([frame], 0, [])
    assert len(codec.witness.books.noted) <= continuity.NOTED_MAX


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=30))
def test_a_book_that_differs_is_found_and_one_that_is_right_is_left_alone(
    seed: int, steps: list[tuple[int, bool, bool]]
) -> None:
    venue = Venue(1, seed=seed)
    (name,) = venue.tokens
    ear = Ear(venue)
    for count, lose, split in steps:
        frames = venue.burst(name, count)
        kept = frames[1:] if lose else frames
        for part in (kept[:1], kept[1:]) if split else (kept,):
            ear.hear(part)
    ear.hear(venue.burst(name))
    right = ear.equal(name)
    ear.wait(3_000)
    assert bool(ear.gaps) != right
