"""Missing frames are noticed, and their books requested again without a flood of commands."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Dropped,
    MarketEvent,
    Trade,
    Unknown,
)
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES
from tests.kit.kalshi_frames import (
    EPOCH,
    NOW,
    A,
    B,
    CodecConnection,
    delta,
    error,
    gaps,
    key,
    life,
    snapshot,
    trade,
    wire,
)
from tests.kit.lossy_kalshi import LossyWire


@pytest.mark.parametrize("jump", [2, 3, 50, 0, -1])
def test_a_sequence_gap_invalidates_every_market_of_the_subscription(jump: int) -> None:
    connection = CodecConnection(A, B)
    connection.receive(delta(A, connection.next()))
    events = connection.receive(delta(A, connection.seqs[1] + jump))
    assert gaps(events) == [(A, "seq_gap"), (B, "seq_gap")]
    assert not any(isinstance(event, BookDelta) for event in events)
    (resync,) = connection.resubscribe()
    assert resync["params"] == {"sid": 1, "action": "get_snapshot", "market_tickers": [A, B]}
    assert not connection.resubscribe(), "asked once"
    after = connection.seqs[1] + jump + 1
    assert not connection.receive(delta(B, after))
    assert [type(event) for event in connection.receive(snapshot(A, after + 1))] == [BookSnapshot]
    assert [type(event) for event in connection.receive(delta(A, after + 2))] == [BookDelta]
    assert not connection.receive(delta(B, after + 3))


def test_a_snapshot_that_shows_a_gap_restores_its_own_market() -> None:
    connection = CodecConnection(A, B)
    events = connection.receive(snapshot(A, 20))
    assert [type(event).__name__ for event in events] == ["Gap", "Gap", "BookSnapshot"]
    assert [command["params"]["market_tickers"] for command in connection.resubscribe()] == [[B]]


def test_lost_trades_are_a_gap_too() -> None:
    connection = CodecConnection(A)
    assert [type(event) for event in connection.receive(trade(1))] == [Trade]
    assert gaps(connection.receive(trade(3))) == [(A, "seq_gap")]


def test_lost_announcements_are_counted() -> None:
    connection = CodecConnection(A)
    events = connection.receive(life(4, "activated"))
    assert events[0] == Dropped(key(A).venue, NOW, 3)
    assert not gaps(events)


def test_answers_use_numbers_up() -> None:
    connection = CodecConnection(A)
    assert not connection.receive(
        wire({"type": "ok", "id": 4, "sid": 1, "seq": connection.next(), "msg": {"market_tickers": [A]}})
    )
    assert not connection.receive(wire({"type": "ok", "id": 9, "msg": [{"channel": "x", "sid": 1}]}))
    events = connection.receive(error(13, sid=1, seq=connection.next()))
    assert [type(event) for event in events] == [Unknown]
    assert [type(event) for event in connection.receive(delta(A, connection.next()))] == [BookDelta]


def test_data_may_come_before_its_id() -> None:
    codec, out = KalshiCodec(EPOCH), list[MarketEvent]()
    codec.requests({key(A)}, frozenset())
    codec.decode([snapshot(A, 1, [["0.4000", "10.00"]], sid=7)], NOW, out)
    codec.decode([wire({"type": "subscribed", "id": 2, "msg": {"channel": BOOKS, "sid": 7}})], NOW, out)
    codec.decode([delta(A, 2, sid=7)], NOW, out)
    assert [type(event) for event in out] == [BookSnapshot, BookDelta]


def test_another_connection_may_use_the_same_ids() -> None:
    shared = KalshiSharedState()
    first, second = CodecConnection(A, shared=shared), CodecConnection(A, shared=shared)
    first.receive(delta(A, first.next()))
    assert [type(event) for event in second.receive(delta(A, second.next()))] == [BookDelta]


@pytest.mark.parametrize(("code", "reason"), [(10, "disconnect"), (25, "overflow"), (7, "disconnect")])
def test_an_ended_subscription_is_opened_again(code: int, reason: str) -> None:
    connection = CodecConnection(A, B)
    assert gaps(connection.receive(error(code, sid=1, seq=connection.next()))) == [(A, reason), (B, reason)]
    (again,) = connection.resubscribe()
    assert again["cmd"] == "subscribe"
    assert again["params"]["channels"] == [BOOKS]
    connection.receive(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    events = connection.receive(snapshot(A, 1, sid=9)) + connection.receive(delta(A, 2, sid=9))
    assert [type(event) for event in events] == [BookSnapshot, BookDelta]


def test_an_error_without_an_id_ends_everything() -> None:
    connection = CodecConnection(A)
    connection.receive(error(25))
    subscribe = [command for command in connection.resubscribe() if command["cmd"] == "subscribe"]
    assert sorted(channel for command in subscribe for channel in command["params"]["channels"]) == sorted(
        [BOOKS, TRADES, LIFECYCLE]
    )


def test_an_ended_lifecycle_subscription_is_opened_again() -> None:
    connection = CodecConnection(A)
    connection.receive(error(10, sid=3, seq=connection.next(3)))
    assert next(command["params"].get("channels") for command in connection.resubscribe()) == [LIFECYCLE]


def test_a_refused_addition_shrinks_what_a_connection_carries() -> None:
    shared = KalshiSharedState()
    connection = CodecConnection(A, shared=shared)
    books, _ = connection.request(B)
    events = connection.receive(error(26, id=books["id"], sid=1, seq=connection.next()))
    assert [type(event) for event in events] == [Unknown]
    assert shared.capacity == 1
    assert connection.codec.take_lost() == {key(B)}
    assert not gaps(connection.receive(delta(A, connection.next()))), "what is carried goes on"
    again = connection.request(B, drop=(B,))
    assert "add_markets" in [command["params"].get("action") for command in again], "refused as if never sent"


def test_a_refused_opening_halves_it() -> None:
    shared = KalshiSharedState()
    codec = KalshiCodec(EPOCH, shared)
    codec.requests({key(f"KX{number}") for number in range(8)}, frozenset())
    codec.decode([wire({"type": "subscribed", "id": 1, "msg": {"channel": LIFECYCLE, "sid": 1}})], NOW, [])
    codec.decode([error(26, id=2)], NOW, [])
    assert shared.capacity == 4


def test_the_first_refusal_of_an_accepted_size_does_not_lower_the_capacity() -> None:
    shared = KalshiSharedState()
    tickers = [f"KX{number}" for number in range(8)]
    connection = CodecConnection(*tickers, shared=shared)
    for capacity in (8, 4):
        connection.receive(error(10, sid=connection.codec._subscriptions.books.sid, seq=connection.next()))
        again = next(command for command in connection.resubscribe() if BOOKS in command["params"]["channels"])
        connection.receive(error(26, id=again["id"]))
        assert shared.capacity == capacity


def test_late_frames_of_an_ended_subscription_are_ignored() -> None:
    connection = CodecConnection(A)
    connection.receive(error(25, sid=1, seq=connection.next()))
    (again,) = connection.resubscribe()
    connection.receive(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    connection.receive(snapshot(A, 1, [["0.4000", "10.00"]], sid=9))
    for frame in (delta(A, 7), delta(A, 8), snapshot(A, 9)):
        assert [type(event) for event in connection.receive(frame)] == [Unknown]
    assert [type(event) for event in connection.receive(delta(A, 2, sid=9))] == [BookDelta]
    assert [command["params"].get("sid") for command in connection.request(A, drop=(A,))] == [9]


def test_a_late_refusal_does_not_end_the_new_subscription() -> None:
    connection = CodecConnection(A)
    (asked,) = connection.request(A, drop=(A,))
    connection.receive(error(25, sid=1, seq=connection.next()))
    (again,) = connection.resubscribe()
    connection.receive(wire({"type": "subscribed", "id": again["id"], "msg": {"channel": BOOKS, "sid": 9}}))
    connection.receive(snapshot(A, 1, sid=9))
    assert not connection.receive(error(7, id=asked["id"]))
    assert [type(event) for event in connection.receive(delta(A, 2, sid=9))] == [BookDelta]


def test_other_refusals_do_not_cause_a_new_request() -> None:
    connection = CodecConnection(A, live=False)
    connection.receive(error(8, id=connection.sent[1]["id"]))
    assert not connection.codec.take_lost()
    assert connection.codec.awaiting() == {key(A)}


@given(st.integers(0, 2**32 - 1))
def test_every_loss_is_noticed_and_no_book_is_ever_wrong(seed: int) -> None:
    assert LossyWire(random.Random(seed)).run(frames=120, losses=5) == 5


@pytest.mark.slow
@pytest.mark.slow
def test_many_losses_and_a_long_quiet_time() -> None:
    assert LossyWire(random.Random(1)).run(frames=40_000, losses=2_000, compare_every=10) == 2_000
    assert LossyWire(random.Random(2)).run(frames=100_000, losses=0, compare_every=1_000) == 0
