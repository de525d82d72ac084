"""What is missing is noticed, and asked for anew without a storm."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Dropped,
    Gap,
    MarketEvent,
    Trade,
    Unknown,
)
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFE, TRADES
from tests.kit.kalshi_frames import EPOCH, NOW, Talk, delta, error, key, snapshot, wire
from tests.kit.lossy_kalshi import LossyWire

A, B = "KXA-26-T4615.99", "KXB-26"


def gaps(events: Iterable[MarketEvent]) -> list[tuple[str, str]]:
    return [(event.key.instrument_id, event.reason) for event in events if isinstance(event, Gap)]


def trade(seq: int | None, sid: int = 2, **more: Any) -> bytes:
    body = {"trade_id": "t1", "market_ticker": A, "yes_price_dollars": "0.4200", "count_fp": "3.50"}
    frame = {"type": "trade", "sid": sid, "msg": {**body, "taker_book_side": "ask", "ts_ms": 1_780_096_775_004, **more}}
    return wire(frame if seq is None else {**frame, "seq": seq})


def life(seq: int, event_type: str, **more: Any) -> bytes:
    body = {"market_ticker": A, "event_type": event_type, **more}
    return wire({"type": "market_lifecycle_v2", "sid": 3, "seq": seq, "msg": body})


@pytest.mark.parametrize("jump", [2, 3, 50, 0, -1])
def test_a_gap_spoils_every_market_of_the_subscription_at_once(jump: int) -> None:
    talk = Talk(A, B)
    talk.hear(delta(A, talk.next()))
    told = talk.hear(delta(A, talk.seqs[1] + jump))
    assert gaps(told) == [(A, "seq_gap"), (B, "seq_gap")]
    assert not any(isinstance(event, BookDelta) for event in told)
    (resync,) = talk.chase()
    assert resync["params"] == {"sid": 1, "action": "get_snapshot", "market_tickers": [A, B]}
    assert not talk.chase(), "asked once"
    after = talk.seqs[1] + jump + 1
    assert not talk.hear(delta(B, after))
    assert [type(event) for event in talk.hear(snapshot(A, after + 1))] == [BookSnapshot]
    assert [type(event) for event in talk.hear(delta(A, after + 2))] == [BookDelta]
    assert not talk.hear(delta(B, after + 3))


def test_a_gap_that_a_snapshot_shows_heals_that_market() -> None:
    talk = Talk(A, B)
    told = talk.hear(snapshot(A, 20))
    assert [type(event).__name__ for event in told] == ["Gap", "Gap", "BookSnapshot"]
    assert [command["params"]["market_tickers"] for command in talk.chase()] == [[B]]


def test_lost_trades_are_a_gap_too() -> None:
    talk = Talk(A)
    assert [type(event) for event in talk.hear(trade(1))] == [Trade]
    assert gaps(talk.hear(trade(3))) == [(A, "seq_gap")]


def test_lost_announcements_are_counted() -> None:
    talk = Talk(A)
    told = talk.hear(life(4, "activated"))
    assert told[0] == Dropped(key(A).venue, NOW, 3)
    assert not gaps(told)


def test_answers_use_numbers_up() -> None:
    talk = Talk(A)
    assert not talk.hear(wire({"type": "ok", "id": 4, "sid": 1, "seq": talk.next(), "msg": {"market_tickers": [A]}}))
    assert not talk.hear(wire({"type": "ok", "id": 9, "msg": [{"channel": "x", "sid": 1}]}))
    told = talk.hear(error(13, sid=1, seq=talk.next()))
    assert [type(event) for event in told] == [Unknown]
    assert [type(event) for event in talk.hear(delta(A, talk.next()))] == [BookDelta]


def test_data_may_come_before_its_id() -> None:
    codec, out = KalshiCodec(EPOCH), list[MarketEvent]()
    codec.requests({key(A)}, frozenset())
    codec.decode([snapshot(A, 1, [["0.4000", "10.00"]], sid=7)], NOW, out)
    codec.decode([wire({"type": "subscribed", "id": 2, "msg": {"channel": BOOKS, "sid": 7}})], NOW, out)
    codec.decode([delta(A, 2, sid=7)], NOW, out)
    assert [type(event) for event in out] == [BookSnapshot, BookDelta]


def test_another_connection_may_use_the_same_ids() -> None:
    memory = KalshiSharedState()
    first, second = Talk(A, memory=memory), Talk(A, memory=memory)
    first.hear(delta(A, first.next()))
    assert [type(event) for event in second.hear(delta(A, second.next()))] == [BookDelta]


@pytest.mark.parametrize(("code", "reason"), [(10, "disconnect"), (25, "overflow"), (7, "disconnect")])
def test_an_ended_subscription_is_begun_anew(code: int, reason: str) -> None:
    talk = Talk(A, B)
    assert gaps(talk.hear(error(code, sid=1, seq=talk.next()))) == [(A, reason), (B, reason)]
    (again,) = talk.chase()
    assert again["cmd"] == "subscribe"
    assert again["params"]["channels"] == [BOOKS]
    talk.hear(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    told = talk.hear(snapshot(A, 1, sid=9)) + talk.hear(delta(A, 2, sid=9))
    assert [type(event) for event in told] == [BookSnapshot, BookDelta]


def test_an_error_without_an_id_ends_everything() -> None:
    talk = Talk(A)
    talk.hear(error(25))
    subscribe = [command for command in talk.chase() if command["cmd"] == "subscribe"]
    assert sorted(channel for command in subscribe for channel in command["params"]["channels"]) == sorted(
        [BOOKS, TRADES, LIFE]
    )


def test_announcements_are_followed_anew_when_they_ended() -> None:
    talk = Talk(A)
    talk.hear(error(10, sid=3, seq=talk.next(3)))
    assert next(command["params"].get("channels") for command in talk.chase()) == [LIFE]


def test_a_refused_addition_shrinks_what_a_connection_carries() -> None:
    memory = KalshiSharedState()
    talk = Talk(A, memory=memory)
    books, _ = talk.ask(B)
    told = talk.hear(error(26, id=books["id"], sid=1, seq=talk.next()))
    assert [type(event) for event in told] == [Unknown]
    assert memory.capacity == 1
    assert talk.codec.take_lost() == {key(B)}
    assert not gaps(talk.hear(delta(A, talk.next()))), "what is carried goes on"
    again = talk.ask(B, drop=(B,))
    assert "add_markets" in [command["params"].get("action") for command in again], "refused as if never sent"


def test_a_refused_opening_halves_it() -> None:
    memory = KalshiSharedState()
    codec = KalshiCodec(EPOCH, memory)
    codec.requests({key(f"KX{number}") for number in range(8)}, frozenset())
    codec.decode([wire({"type": "subscribed", "id": 1, "msg": {"channel": LIFE, "sid": 1}})], NOW, [])
    codec.decode([error(26, id=2)], NOW, [])
    assert memory.capacity == 4


def test_what_was_carried_before_may_be_refused_once() -> None:
    memory = KalshiSharedState()
    tickers = [f"KX{number}" for number in range(8)]
    talk = Talk(*tickers, memory=memory)
    for capacity in (8, 4):
        talk.hear(error(10, sid=talk.codec._subscriptions.books.sid, seq=talk.next()))
        again = next(command for command in talk.chase() if BOOKS in command["params"]["channels"])
        talk.hear(error(26, id=again["id"]))
        assert memory.capacity == capacity


def test_what_still_comes_of_an_ended_subscription_does_not_count() -> None:
    talk = Talk(A)
    talk.hear(error(25, sid=1, seq=talk.next()))
    (again,) = talk.chase()
    talk.hear(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    talk.hear(snapshot(A, 1, [["0.4000", "10.00"]], sid=9))
    for frame in (delta(A, 7), delta(A, 8), snapshot(A, 9)):
        assert [type(event) for event in talk.hear(frame)] == [Unknown]
    assert [type(event) for event in talk.hear(delta(A, 2, sid=9))] == [BookDelta]
    assert [command["params"].get("sid") for command in talk.ask(A, drop=(A,))] == [9]


def test_a_late_refusal_ends_nothing_new() -> None:
    talk = Talk(A)
    (asked,) = talk.ask(A, drop=(A,))
    talk.hear(error(25, sid=1, seq=talk.next()))
    (again,) = talk.chase()
    talk.hear(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    talk.hear(snapshot(A, 1, sid=9))
    assert not talk.hear(error(7, id=asked["id"]))
    assert [type(event) for event in talk.hear(delta(A, 2, sid=9))] == [BookDelta]


def test_other_refusals_wait_for_their_turn() -> None:
    talk = Talk(A, live=False)
    talk.hear(error(8, id=talk.sent[1]["id"]))
    assert not talk.codec.take_lost()
    assert talk.codec.awaiting() == {key(A)}


@given(st.integers(0, 2**32 - 1))
def test_every_loss_is_noticed_and_no_book_is_ever_wrong(seed: int) -> None:
    assert LossyWire(random.Random(seed)).run(frames=120, losses=5) == 5


@pytest.mark.slow
def test_many_losses_and_a_long_quiet_time() -> None:
    assert LossyWire(random.Random(1)).run(frames=40_000, losses=2_000, compare_every=10) == 2_000
    assert LossyWire(random.Random(2)).run(frames=100_000, losses=0, compare_every=1_000) == 0
