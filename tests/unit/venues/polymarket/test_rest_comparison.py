"""Books compared with REST while both move."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from predsurv.core.events import Gap, MarketEvent
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.rest_comparison import GRACE, RestComparisons, read_summaries
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue

S = 1_000_000_000
NAME = "100000"


class Bench:
    """A followed book of a venue, and REST that may be ahead or behind."""

    def __init__(self, **facts: Any) -> None:
        self.venue = Venue(1, **facts)
        self.memory = PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.memory)
        self.trials = RestComparisons(self.memory.checks)
        self.codec.requests(self.venue.keys, frozenset())
        self.hear([self.venue.books(self.venue.tokens)])

    def hear(self, frames: list[bytes]) -> list[str]:
        """Return the reasons of the gaps that ``frames`` lead to."""
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], 0, out)
        self.codec.audit(0, 0, out)
        return [event.reason for event in out if isinstance(event, Gap)]

    def begin(self) -> bool:
        return self.trials.begin(self.codec.witness, NAME)

    def answer(self, body: bytes) -> set[str]:
        return self.trials.answer(read_summaries(body), 10 * S)

    def rest(self) -> bytes:
        return json.dumps([self.venue.tokens[NAME].summary()]).encode()


def test_equal_books_agree_at_once() -> None:
    bench = Bench()
    assert bench.begin()
    assert bench.answer(bench.rest()) == {NAME}
    assert bench.memory.checks.probed == 1
    assert bench.codec.witness.lines[NAME].trail is None


def test_rest_that_is_behind_is_found_in_what_was_heard() -> None:
    bench = Bench()
    bench.begin()
    bench.hear(bench.venue.burst(NAME))
    old = bench.rest()
    bench.hear(bench.venue.burst(NAME))
    assert bench.answer(old) == {NAME}


def test_rest_that_is_ahead_turns_up() -> None:
    bench = Bench()
    bench.begin()
    frames = bench.venue.burst(NAME)
    assert bench.answer(bench.rest()) == set()
    bench.trials.settle(11 * S)
    bench.hear(frames + bench.venue.burst(NAME))
    bench.trials.settle(12 * S)
    assert bench.memory.checks.probed == 1
    assert NAME not in bench.trials


@pytest.mark.parametrize("goes_on", [True, False])
def test_state_that_never_turns_up_was_missed(goes_on: bool) -> None:
    bench = Bench()
    bench.begin()
    bench.venue.burst(NAME)  # nobody hears of it
    bench.answer(bench.rest())
    if goes_on:
        bench.hear(bench.venue.burst(NAME))
    bench.trials.settle(10 * S + GRACE - 1)
    assert bench.hear([]) == []
    bench.trials.settle(10 * S + GRACE)
    assert bench.hear([]) == ["probe_mismatch"]
    assert bench.memory.checks.differed == 1


def test_stale_rest_proves_nothing() -> None:
    bench = Bench()
    bench.hear(bench.venue.burst(NAME))
    old = bench.rest()
    for _ in range(3):
        bench.hear(bench.venue.burst(NAME))
    bench.begin()
    bench.answer(old)
    bench.trials.settle(20 * S)
    assert bench.hear([]) == []
    assert bench.memory.checks.stale == 1


def forgotten(bench: Bench) -> None:
    bench.codec.requests(bench.venue.keys, bench.venue.keys)
    bench.hear([bench.venue.books(bench.venue.tokens)])


def overloaded(bench: Bench) -> None:
    bench.codec.witness.books.lose_sight()
    bench.hear([bench.venue.books(bench.venue.tokens)])


@pytest.mark.parametrize("happens", [forgotten, overloaded])
def test_book_that_was_replaced_meanwhile_is_not_accused(happens: Callable[[Bench], None]) -> None:
    bench = Bench()
    bench.begin()
    bench.venue.burst(NAME)
    bench.answer(bench.rest())
    happens(bench)
    bench.trials.settle(20 * S)
    assert bench.hear([]) == []
    assert NAME not in bench.trials


def test_unanswered_ones_are_let_go() -> None:
    bench = Bench()
    bench.begin()
    assert not bench.begin()
    bench.trials.abandon()
    assert NAME not in bench.trials
    assert not bench.trials.begin(bench.codec.witness, "unknown")


def test_what_rest_says_makes_hashes_provable() -> None:
    bench = Bench(min_order_size="37")
    bench.hear(bench.venue.burst(NAME))
    assert bench.memory.checks.matched == 0
    bench.begin()
    assert bench.answer(bench.rest()) == {NAME}
    bench.hear(bench.venue.burst(NAME))
    assert bench.memory.checks.matched == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"asset_id":1}]', b"[" * 100_000, b"<html>"])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_summaries(body)
