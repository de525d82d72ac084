"""The codec keeps its books right, or reports at once that they are not."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Trade,
    Unknown,
)
from predsurv.core.market import FeeSchedule, PriceBand
from predsurv.core.num import Price, complement
from predsurv.state.book import Book
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES
from tests.kit.kalshi_frames import EPOCH, NOW, A, B, CodecConnection, delta, gaps, key, life, snapshot, trade, wire
from tests.kit.kalshi_mutants import fed, mutants, samples
from tests.kit.payloads import Payloads


def test_opening_commands() -> None:
    connection = CodecConnection(A, B, live=False)
    follow, subscribe = connection.sent
    assert follow["params"] == {"channels": [LIFECYCLE]}
    assert subscribe["cmd"] == "subscribe"
    assert subscribe["params"] == {
        "channels": [BOOKS, TRADES],
        "market_tickers": [A, B],
        "use_yes_price": False,
    }
    assert len({command["id"] for command in connection.sent}) == 2
    assert connection.codec.keepalive() is None


def test_many_tickers_are_asked_for_in_chunks() -> None:
    connection = CodecConnection(*(f"KX{number:04d}" for number in range(600)), live=False)
    chunks = [command["params"]["market_tickers"] for command in connection.sent[1:]]
    assert [len(chunk) for chunk in chunks] == [250, 250, 100]
    assert len({ticker for chunk in chunks for ticker in chunk}) == 600


def test_later_changes_update_the_subscriptions() -> None:
    connection = CodecConnection(A)
    commands = connection.request(B, drop=(A,))
    sent = [(each["params"]["sid"], each["params"]["action"], each["params"]["market_tickers"]) for each in commands]
    assert sent == [
        (1, "delete_markets", [A]),
        (2, "delete_markets", [A]),
        (1, "add_markets", [B]),
        (2, "add_markets", [B]),
    ]
    assert not connection.receive(delta(A, connection.next())), "events of what was dropped stop at once"


def test_tickers_dropped_before_the_ids_came_are_unsubscribed_later() -> None:
    codec = KalshiCodec(EPOCH)
    codec.requests({key(A), key(B)}, frozenset())
    assert not [*codec.requests(frozenset(), {key(A)})]
    codec.decode([wire({"type": "subscribed", "id": 2, "msg": {"channel": BOOKS, "sid": 1}})], NOW, [])
    overdue = codec.keepalive()
    assert overdue is not None
    assert b'"delete_markets"' in overdue
    assert codec.keepalive() is None


def test_book_on_the_yes_scale() -> None:
    connection = CodecConnection(A, live=False)
    (book,) = connection.receive(snapshot(A, 1, [["0.0100", "1410.00"], ["0.0300", "2.50"]], [["0.0200", "2500.00"]]))
    assert isinstance(book, BookSnapshot)
    assert book.bids == ((30_000, 2_500_000), (10_000, 1_410_000_000))
    assert book.asks == ((980_000, 2_500_000_000),)
    assert book.epoch == EPOCH
    assert book.seq == 1


def test_changes_are_added_up() -> None:
    connection = CodecConnection(A)
    events = [
        *connection.receive(delta(A, connection.next(), "0.4000", "2.50")),
        *connection.receive(delta(A, connection.next(), "0.4000", "-12.50")),
        *connection.receive(delta(A, connection.next(), "0.5000", "-4.00", "no")),
    ]
    assert [(event.side, event.price, event.size) for event in events if isinstance(event, BookDelta)] == [
        ("bid", 400_000, 12_500_000),
        ("bid", 400_000, 0),
        ("ask", 500_000, 6_000_000),
    ]
    assert [event.seq for event in events if isinstance(event, BookDelta)] == [2, 3, 4]
    assert {event.ts_venue for event in events if isinstance(event, BookDelta)} == {1_787_838_983_996_000_000}


def test_the_no_outcome_sees_the_mirror() -> None:
    codec, out = KalshiCodec(EPOCH), list[MarketEvent]()
    yes, no = key(A), key(A, no=True)
    codec.requests({yes, no}, frozenset())
    for frame in (snapshot(A, 1, [["0.4000", "10.00"]]), delta(A, 2), delta(A, 3, "0.3000", "1.00", "no")):
        codec.decode([frame], NOW, out)
    codec.decode([trade(1)], NOW, out)
    books = {each: Book(each) for each in (yes, no)}
    for event in out:
        if isinstance(event, BookSnapshot | BookDelta):
            books[event.key].apply(event)
    assert books[no].asks.levels() == tuple((complement(price), size) for price, size in books[yes].bids.levels())
    assert books[no].bids.levels() == tuple((complement(price), size) for price, size in books[yes].asks.levels())
    sides = {event.key: (event.taker_side, event.price) for event in out if isinstance(event, Trade)}
    assert sides == {yes: ("sell", 420_000), no: ("buy", 580_000)}


def test_deltas_before_the_first_snapshot_make_no_events() -> None:
    connection = CodecConnection(A, B, live=False)
    assert not connection.receive(delta(A, connection.next()))
    assert connection.codec.awaiting() == {key(A), key(B)}
    connection.receive(snapshot(A, connection.next()))
    assert connection.codec.awaiting() == {key(B)}


@pytest.mark.parametrize(("price", "side"), [("0.4000", "yes"), ("0.9000", "yes"), ("0.5000", "no")])
def test_a_negative_size_invalidates_the_book(price: str, side: str) -> None:
    connection = CodecConnection(A, B)
    assert gaps(connection.receive(delta(A, connection.next(), price, "-10.01", side))) == [(A, "hash_mismatch")]
    assert [command["params"]["market_tickers"] for command in connection.resubscribe()] == [[A]]
    assert [type(event) for event in connection.receive(delta(B, connection.next()))] == [BookDelta]


def test_a_size_above_the_maximum_invalidates_the_book() -> None:
    connection, most = CodecConnection(A, B), "999999999999"
    heard = [connection.receive(delta(A, connection.next(), "0.4100", most, "yes")) for _ in range(2)]
    assert {type(event) for event in heard[0]} == {BookDelta}
    assert gaps(heard[1]) == [(A, "hash_mismatch")]


def test_an_empty_book_is_one_and_an_unknown_market_is_none() -> None:
    connection = CodecConnection(A, B, live=False)
    (book,) = connection.receive(snapshot(A, connection.next()))
    assert isinstance(book, BookSnapshot)
    assert not book.bids
    assert not book.asks
    expired = {
        "type": "orderbook_snapshot",
        "sid": 1,
        "seq": connection.next(),
        "msg": {"market_ticker": B, "market_id": ""},
    }
    assert not connection.receive(wire(expired))
    assert connection.codec.awaiting() == {key(B)}


def test_a_crossed_book_is_malformed() -> None:
    connection = CodecConnection(A, live=False)
    events = connection.receive(
        snapshot(A, connection.next(), [["0.4000", "1.00"]], [["0.6000", "1.00"], ["0.9900", "5.00"]])
    )
    assert [type(event) for event in events] == [Malformed]
    assert "YES scale" in str(events[0])
    assert connection.codec.awaiting() == {key(A)}


BROKEN = [
    {"price_dollars": "NaN"},
    {"price_dollars": "1e-1"},
    {"price_dollars": "0.0000"},
    {"price_dollars": "1.0000"},
    {"price_dollars": "-0.1000"},
    {"price_dollars": "٠.٤"},
    {"price_dollars": "0.40000001"},
    {"price_dollars": 0.4},
    {"price_dollars": None},
    {"delta_fp": "1_000"},
    {"delta_fp": "Infinity"},
    {"delta_fp": "1.0\n"},
    {"delta_fp": None},
    {"side": "maybe"},
    {"side": None},
]


@pytest.mark.parametrize("change", BROKEN)
def test_a_broken_change_invalidates_its_own_market_only(change: dict[str, Any]) -> None:
    connection = CodecConnection(A, B)
    body = {"market_ticker": A, "price_dollars": "0.4000", "delta_fp": "1.00", "side": "yes", **change}
    events = connection.receive(wire({"type": "orderbook_delta", "sid": 1, "seq": connection.next(), "msg": body}))
    assert [type(event) for event in events] == [Malformed, Gap]
    assert gaps(events) == [(A, "decode_error")]
    assert [type(event) for event in connection.receive(delta(B, connection.next()))] == [BookDelta]


GARBAGE = [
    b"",
    b"PONG",
    b"[]",
    b"null",
    b'{"type":',
    b'{"type":"orderbook_delta"}',
    b'{"type":"orderbook_delta","sid":1,"seq":4}',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b'{"error":"too many requests"}',
    b"[" * 200_000,
    b'{"type":"orderbook_delta","msg":' + b"[" * 200_000,
    b'{"type":"orderbook_snapshot","sid":1,"seq":4,"msg":{"market_ticker":"' + b"x" * 1_000_000 + b'"',
]


@pytest.mark.parametrize("frame", GARBAGE)
def test_garbage_is_counted_and_invalidates_every_book(frame: bytes) -> None:
    connection = CodecConnection(A, B)
    events = connection.receive(frame)
    assert sum(isinstance(event, Malformed) for event in events) == 1
    assert {name for name, _ in gaps(events)} == {A, B}


def test_broken_books() -> None:
    for levels in ([["0.4", "1"], ["0.40", "2"]], [["0.4", "-1"]], [["1.4", "1"]], [["0.4"]], "x", [["0.4", 1]]):
        connection = CodecConnection(A)
        events = connection.receive(snapshot(A, connection.next(), levels))
        assert [type(event) for event in events] == [Malformed, Gap], levels


def test_a_book_of_too_many_levels_is_refused() -> None:
    connection = CodecConnection(A)
    levels = [[f"0.{number:06d}", "1.00"] for number in range(1, 10_002)]
    assert isinstance(connection.receive(snapshot(A, connection.next(), levels))[0], Malformed)


def test_unknown_kinds_are_counted_and_their_numbers_too() -> None:
    connection = CodecConnection(A)
    events = connection.receive(wire({"type": "mood\x1b", "sid": 1, "seq": connection.next(), "msg": {}}))
    assert [type(event) for event in events] == [Unknown]
    assert "\x1b" not in str(events[0])
    assert [type(event) for event in connection.receive(delta(A, connection.next()))] == [BookDelta]


def test_settlement_pays_what_was_determined() -> None:
    shared = KalshiSharedState()
    connection, other = CodecConnection(A, shared=shared), CodecConnection(A, shared=shared)
    frames = [
        life(1, "determined", result="yes", settlement_value="1.0000", determination_ts=1_784_501_722),
        life(2, "settled", settled_ts=1_784_501_900),
    ]
    events = [event for frame in frames for event in connection.receive(frame)]
    assert [type(event) for event in events] == [MarketChange, MarketResolved]
    resolved = events[1]
    assert isinstance(resolved, MarketResolved)
    assert resolved.payouts == ((A, 1_000_000), (f"{A}:no", 0))
    assert not resolved.void
    assert resolved.ts_venue == 1_784_501_900_000_000_000
    assert not [event for frame in frames for event in other.receive(frame)], "another connection adds nothing"


def test_a_scalar_result_is_void() -> None:
    connection = CodecConnection(A)
    connection.receive(life(1, "determined", result="scalar", settlement_value="0.3700"))
    (resolved,) = connection.receive(life(2, "settled", settled_ts=1))
    assert isinstance(resolved, MarketResolved)
    assert resolved.void
    assert resolved.payouts == ((A, 370_000), (f"{A}:no", 630_000))


def test_a_new_market_is_announced_with_all_that_is_known() -> None:
    connection = CodecConnection(A)
    grid = [
        {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
        {"start": "0.1000", "end": "1.0000", "step": "0.0100"},
    ]
    about = {"title": "Who wins?", "yes_sub_title": "Eva", "event_ticker": "KXNEW-26", "rules_primary": "r"}
    frame = life(
        1, "created", market_ticker="KXNEW-26-EVA", price_ranges=grid, close_ts=1_800_000_100, additional_metadata=about
    )
    (created,) = connection.receive(frame)
    assert isinstance(created, MarketChange)
    market = created.market
    assert market is not None
    assert (market.market_id, market.event_id, market.question) == ("KXNEW-26-EVA", "KXNEW-26", "Who wins? – Eva")
    assert market.close_time == 1_800_000_100_000_000_000
    assert market.tick_size == 1_000
    assert market.fee.maker_rate == market.fee.rate == 70_000, "not known yet, so not too little"
    assert not market.tradable


def test_combinations_are_ignored() -> None:
    connection = CodecConnection(A)
    assert not connection.receive(life(1, "created", market_ticker="KXMVE-1"))


def test_a_new_fee_is_an_event_for_each_market_of_its_event() -> None:
    connection = CodecConnection("KXE-26-A", "KXE-261-B")
    body = {"event_ticker": "KXE-26", "fee_type_override": "quadratic_with_maker_fees", "fee_multiplier_override": 0.5}
    (change,) = connection.receive(wire({"type": "event_fee_update", "sid": 3, "seq": 1, "msg": body}))
    assert isinstance(change, MarketChange)
    assert change.market_id == "KXE-26-A"
    assert '"rate":"0.035","maker_rate":"0.00875"' in change.value
    assert change.fee == FeeSchedule("kalshi", 35_000, maker_rate=8_750)
    body = {"event_ticker": "KXE-26", "fee_type_override": None, "fee_multiplier_override": None}
    (withdrawn,) = connection.receive(wire({"type": "event_fee_update", "sid": 3, "seq": 2, "msg": body}))
    assert isinstance(withdrawn, MarketChange)
    assert (withdrawn.kind, withdrawn.fee) == ("fee", None)


def test_a_new_price_grid_has_its_bands() -> None:
    grid = [
        {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
        {"start": "0.1000", "end": "1.0000", "step": "0.0100"},
    ]
    frame = life(1, "price_level_structure_updated", price_level_structure="tapered", price_ranges=grid)
    (change,) = CodecConnection(A).receive(frame)
    assert isinstance(change, MarketChange)
    assert (change.kind, change.tick_size) == ("tick_size", 1_000)
    assert change.bands == (
        PriceBand(Price(0), Price(100_000), Price(1_000)),
        PriceBand(Price(100_000), Price(1_000_000), Price(10_000)),
    )


def test_a_value_that_changes_back_is_an_event_each_time_and_once() -> None:
    shared = KalshiSharedState()
    connections = [CodecConnection(A, shared=shared), CodecConnection(A, shared=shared)]
    one, other = ([{"start": "0", "end": "1", "step": step}] for step in ("0.01", "0.001"))
    messages: list[tuple[str, dict[str, Any]]] = [
        ("deactivated", {"is_deactivated": True}),
        ("activated", {}),
        ("deactivated", {"is_deactivated": True}),
        ("deactivated", {"is_deactivated": False}),
        *(("price_level_structure_updated", {"price_ranges": grid}) for grid in (one, other, one)),
        *(("close_date_updated", {"close_ts": close}) for close in (7, 8, 7)),
    ]
    events: list[MarketEvent] = []
    for seq, (kind, body) in enumerate(messages, 1):
        for connection in connections:
            events += connection.receive(life(seq, kind, **body))
    kinds = [event.kind for event in events if isinstance(event, MarketChange)]
    assert kinds == ["paused", "activated", "paused", "activated", *["tick_size"] * 3, *["rules"] * 3]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_codec(frame: bytes) -> None:
    CodecConnection(A).receive(frame)


def test_mutants_of_payloads_break_nothing(payloads: Payloads) -> None:
    for name, body in mutants(random.Random(7), samples(payloads), 4_000):
        fed(name, body)
