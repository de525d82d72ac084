"""Books compared with REST while both move."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from predsurv.core.events import Gap, MarketEvent
from predsurv.venues.polymarket.book_hash import RECENT_LEVELS_MAX
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.rest_comparison import GRACE, RestComparisons, read_summaries
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import TEXT_FORMS, Venue

S = 1_000_000_000
NAME = "100000"


class Bench:
    """A followed book of a venue, and REST that may be ahead or behind."""

    def __init__(self, **facts: Any) -> None:
        self.venue = Venue(1, **facts)
        self.shared = PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.shared)
        self.comparisons = RestComparisons(self.shared.counts, self.shared.last_trade_texts)
        self.codec.requests(self.venue.keys, frozenset())
        self.now = 0
        self.receive([self.venue.books(self.venue.tokens)])

    def receive(self, frames: list[bytes]) -> list[str]:
        """Return the reasons of the gaps that ``frames`` lead to."""
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], 0, out)
        self.codec.audit(0, self.now, out)
        return [event.reason for event in out if isinstance(event, Gap)]

    def begin(self) -> bool:
        return self.comparisons.begin(self.codec.verifier, NAME)

    def answer(self, body: bytes) -> set[str]:
        return self.comparisons.answer(read_summaries(body), 10 * S)

    def rest(self) -> bytes:
        return json.dumps([self.venue.tokens[NAME].summary()]).encode()


def test_equal_books_agree_at_once() -> None:
    bench = Bench()
    assert bench.begin()
    assert bench.answer(bench.rest()) == {NAME}
    assert bench.shared.counts.probed == 1
    assert bench.codec.verifier.books[NAME].recent is None


def test_rest_that_is_behind_agrees_with_an_earlier_state() -> None:
    bench = Bench()
    bench.begin()
    bench.receive(bench.venue.burst(NAME))
    old = bench.rest()
    bench.receive(bench.venue.burst(NAME))
    assert bench.answer(old) == {NAME}


def test_rest_that_is_ahead_agrees_with_a_later_state() -> None:
    bench = Bench()
    bench.begin()
    frames = bench.venue.burst(NAME)
    assert bench.answer(bench.rest()) == set()
    bench.comparisons.decide(11 * S)
    bench.receive(frames + bench.venue.burst(NAME))
    bench.comparisons.decide(12 * S)
    assert bench.shared.counts.probed == 1
    assert NAME not in bench.comparisons


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_rest_state_that_never_turns_up_was_missed(goes_on: bool) -> None:
    bench = Bench()
    bench.begin()
    bench.venue.burst(NAME)  # lost on the way
    bench.answer(bench.rest())
    if goes_on:
        bench.receive(bench.venue.burst(NAME))
    bench.comparisons.decide(10 * S + GRACE - 1)
    assert bench.receive([]) == []
    bench.comparisons.decide(10 * S + GRACE)
    assert bench.receive([]) == ["probe_mismatch"]
    assert bench.shared.counts.differed == 1


def test_stale_rest_proves_nothing() -> None:
    bench = Bench()
    bench.receive(bench.venue.burst(NAME))
    old = bench.rest()
    for _ in range(3):
        bench.receive(bench.venue.burst(NAME))
    bench.begin()
    bench.answer(old)
    bench.comparisons.decide(20 * S)
    assert bench.receive([]) == []
    assert bench.shared.counts.stale == 1


def forgotten(bench: Bench) -> None:
    bench.codec.requests(bench.venue.keys, bench.venue.keys)
    bench.receive([bench.venue.books(bench.venue.tokens)])


def overloaded(bench: Bench) -> None:
    bench.codec.verifier.venue_books.suspend()
    bench.receive([bench.venue.books(bench.venue.tokens)])


@pytest.mark.parametrize("happens", [forgotten, overloaded])
def test_a_book_that_was_replaced_meanwhile_is_not_flagged(happens: Callable[[Bench], None]) -> None:
    bench = Bench()
    bench.begin()
    bench.venue.burst(NAME)
    bench.answer(bench.rest())
    happens(bench)
    bench.comparisons.decide(20 * S)
    assert bench.receive([]) == []
    assert NAME not in bench.comparisons


def test_unanswered_comparisons_are_closed() -> None:
    bench = Bench()
    bench.begin()
    assert not bench.begin()
    bench.comparisons.close_unanswered()
    assert NAME not in bench.comparisons
    assert not bench.comparisons.begin(bench.codec.verifier, "unknown")


def test_inputs_from_rest_make_hashes_verifiable() -> None:
    bench = Bench(min_order_size="37")
    bench.receive(bench.venue.burst(NAME))
    assert bench.shared.counts.matched == 0
    bench.begin()
    assert bench.answer(bench.rest()) == {NAME}
    bench.receive(bench.venue.burst(NAME))
    assert bench.shared.counts.matched == 1


UNPROVED: dict[str, Any] = {"form": lambda price: f"{price} USD", "tick_sizes": ("0.0025",)}


def unproved() -> Bench:
    """Return a bench whose book no hash proves, since the form of its last trade price is unknown."""
    bench = Bench(**UNPROVED)
    bench.receive(bench.venue.trade(NAME, "0.4975"))
    for _ in range(20):
        bench.now += S
        bench.receive(bench.venue.burst(NAME))
    assert not bench.codec.verifier.books[NAME].verifiable
    assert not bench.shared.counts.alarms
    return bench


@pytest.mark.parametrize("behind", [0, 1, 5])
def test_a_change_that_was_lost_before_is_found_in_a_book_that_no_hash_proves(behind: int) -> None:
    bench = unproved()
    bench.venue.tokens[NAME].sides["BUY"][170] = "7"  # lost on the way, deep in the book
    bench.receive(bench.venue.burst(NAME))
    bench.begin()
    bodies = [bench.rest()]
    for _ in range(5):
        bench.receive(bench.venue.burst(NAME))
        bodies.append(bench.rest())
    assert bench.answer(bodies[-1 - behind]) == set()
    bench.comparisons.decide(10 * S + GRACE)
    assert bench.receive([]) == ["probe_mismatch"]


@pytest.mark.parametrize("behind", [0, 1, 5])
def test_a_clean_book_that_no_hash_proves_agrees(behind: int) -> None:
    bench = unproved()
    bench.begin()
    bodies = [bench.rest()]
    for _ in range(5):
        bench.receive(bench.venue.burst(NAME, 2))
        bodies.append(bench.rest())
    assert bench.answer(bodies[-1 - behind]) == {NAME}


def test_numbers_that_rest_writes_otherwise_are_the_same() -> None:
    bench = unproved()
    bench.begin()
    levels = bench.venue.tokens[NAME].levels("BUY")
    price = levels[-1]["price"]
    body = bench.rest().replace(f'"price": "{price}"'.encode(), f'"price": "{price}00"'.encode())
    assert body != bench.rest()
    assert bench.answer(body) == {NAME}


def test_levels_of_few_states_are_kept() -> None:
    bench = unproved()
    bench.begin()
    first = bench.rest()
    for _ in range(3 * RECENT_LEVELS_MAX):
        bench.receive(bench.venue.burst(NAME))
    recent = bench.codec.verifier.books[NAME].recent
    assert recent is not None
    assert len(recent.levels) == RECENT_LEVELS_MAX
    assert bench.answer(first) == {NAME}, "as far as the hashes say"


@pytest.mark.parametrize("form", TEXT_FORMS)
@pytest.mark.parametrize("tick_size", ["0.0025", "0.0001"])
def test_a_book_of_rest_proves_how_its_last_trade_price_is_written(tick_size: str, form: str) -> None:
    bench = Bench(form=TEXT_FORMS[form], tick_sizes=(tick_size,))
    bench.begin()
    bench.venue.trade(NAME, "0.4975")  # not seen on the stream
    body = bench.rest()
    bench.answer(body)
    # Of the finest grid three decimals may be a whole price, unless REST states the price itself.
    assert (tick_size in bench.shared.last_trade_texts.settled) == (tick_size == "0.0025" or b'"0.4975"' in body)
    stated = bench.venue.tokens[NAME].facts["last_trade_price"]
    bench.answer(body.replace(f'"{stated}"'.encode(), b'"0.4975"'))
    assert tick_size in bench.shared.last_trade_texts.settled


def test_a_book_of_rest_that_its_own_hash_contradicts_proves_nothing() -> None:
    bench = Bench(tick_sizes=("0.0025",))
    bench.venue.trade(NAME, "0.4975")
    bench.answer(bench.rest().replace(b'"hash": "', b'"hash": "f'))
    assert "0.0025" not in bench.shared.last_trade_texts.settled


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"asset_id":1}]', b"[" * 100_000, b"<html>"])
def test_unreadable_summaries_are_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_summaries(body)
