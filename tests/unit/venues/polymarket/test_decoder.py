"""Frames of Polymarket's market channel to events: recorded ones, made-up ones, and mutations."""

import json
from decimal import Decimal
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
    Trade,
)
from predsurv.venues.parsing import DETAIL_CHARS_MAX
from predsurv.venues.polymarket.decoder import SEARCHED_BYTES_MAX, PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.payloads import OWN, SOURCES, Payloads, required
from tests.kit.polymarket_frames import NOW, book, change, codec, decoded, frame_lines, key, readable, wire

MESSAGES = OWN.load("polymarket/messages.json")


@pytest.mark.parametrize("case", MESSAGES, ids=[case["name"] for case in MESSAGES])
@pytest.mark.parametrize("compact", [True, False])
def test_made_up_messages_give_their_events(case: dict[str, Any], compact: bool) -> None:
    frame = wire(case["wire"]) if compact else json.dumps(case["wire"], indent=1).encode()
    events = decoded(codec("11", "12"), frame)
    assert [readable(event) for event in events] == case["events"]
    assert all(event.ts_recv == NOW for event in events)


FILES = [(source, name) for source in SOURCES for name in source.expected("polymarket_frames")]


def test_every_market_message_has_its_events_listed(payloads: Payloads) -> None:
    folder = payloads.polymarket
    found = {path for pattern in ("captured/ws_*", "adapter_samples/ws_*") for path in folder.glob(pattern)}
    names = {str(path.relative_to(folder)) for path in found if "ws_user" not in path.name}
    assert names
    assert names <= payloads.expected("polymarket_frames").keys()


@pytest.mark.parametrize(("source", "name"), FILES, ids=[f"{source.name}-{name}" for source, name in FILES])
def test_market_messages_give_the_events_they_should(source: Payloads, name: str) -> None:
    path = required(source).polymarket / name
    assert frame_lines(path) == source.expected("polymarket_frames")[name]


def test_opening_books_against_a_plain_reading(payloads: Payloads) -> None:
    frame = payloads.opening_and_change()[0].read_bytes()
    (raw,) = json.loads(frame)
    tick, event = decoded(codec(raw["asset_id"], live=False), frame)
    assert isinstance(tick, MarketChange)
    assert isinstance(event, BookSnapshot)
    for side, levels, best_first in (("bids", event.bids, -1), ("asks", event.asks, 1)):
        plain = sorted(
            ((Decimal(level["price"]) * 10**6, Decimal(level["size"]) * 10**6) for level in raw[side]),
            key=lambda level: best_first * level[0],
        )
        assert [tuple(map(Decimal, level)) for level in levels] == plain
    assert event.epoch == 3


@pytest.mark.parametrize("announcements", [True, False])
def test_requests_name_the_tokens_and_the_extra_kinds(announcements: bool) -> None:
    made = PolymarketCodec(1, announcements=announcements)
    flag = {"custom_feature_enabled": True} if announcements else {}
    (opening,) = made.requests({key("2"), key("1")}, frozenset())
    assert json.loads(opening) == {"type": "market", "assets_ids": ["1", "2"], **flag}
    assert made.awaiting() == {key("1"), key("2")}
    frames = [json.loads(frame) for frame in made.requests({key("3")}, {key("1")})]
    assert frames == [
        {"operation": "unsubscribe", "assets_ids": ["1"], **flag},
        {"operation": "subscribe", "assets_ids": ["3"], **flag},
    ]
    assert made.awaiting() == {key("2"), key("3")}


def test_first_request_only_subscribes() -> None:
    assert PolymarketCodec(1).requests(frozenset(), {key("1")}) == []


def test_deltas_wait_for_a_snapshot_and_stop_when_a_new_one_is_requested() -> None:
    made = codec("11", live=False)
    assert decoded(made, wire(change("11"))) == []
    decoded(made, wire(book("11")))
    assert len(decoded(made, wire(change("11")))) == 1
    made.requests({key("11")}, {key("11")})
    assert decoded(made, wire(change("11"))) == []
    assert made.awaiting() == {key("11")}


def test_a_dropped_token_gets_no_events() -> None:
    made = codec("11", "12")
    made.requests(frozenset(), {key("11")})
    assert decoded(made, wire([book("11"), change("11")])) == []


def test_an_answer_to_the_keepalive_is_no_data() -> None:
    out: list[MarketEvent] = []
    assert not codec("11").decode([b"PONG"], NOW, out)
    assert out == []


BROKEN = [
    wire(change("11", price="NaN")),
    wire(change("11", price="1e-2")),
    wire(change("11", price="-0.5")),
    wire(change("11", price="0")),
    wire(change("11", price="1")),
    wire(change("11", price="1.01")),
    wire(change("11", price="\u0660.\u0665")),
    wire(change("11", price="0.5\n")),
    wire(change("11", price="")),
    wire(change("11", size="-1")),
    wire(change("11", size="1_0")),
    wire(change("11", size="0.0000001")),
    wire(change("11", size="Infinity")),
    wire(change("11", side="HOLD")),
    wire(book("11", bids=[{"price": "0.5", "size": "1"}, {"price": "0.5", "size": "2"}])),
    wire(book("11", bids=[{"price": "0.5"}])),
    wire(book("11", bids=[1, 2])),
    wire(book("11", bids="none")),
    wire(book("11", bids={"price": "0.5", "size": "1"})),
    b'{"event_type":"book","asset_id":"11"}',
    b'{"event_type":"book","asset_id":"11","bids":[],"asks":[',
    b'{"event_type":"last_trade_price","asset_id":"11","size":"1","timestamp":"1"}',
    b'{"event_type":"tick_size_change","asset_id":"11","new_tick_size":"2","timestamp":"1"}',
    b'{"event_type":"market_resolved","market":"0x1","assets_ids":["11"],"winning_asset_id":"12","timestamp":"1"}',
    b'\xef\xbb\xbf{"event_type":"book","asset_id":"11"}',
    b'{"event_type":"book","asset_id":"11","bids":[{"price":"0.5\\ud800","size":"1"}],"asks":[],"timestamp":"1"}',
]


@pytest.mark.parametrize("frame", BROKEN, ids=[frame[:90].decode("utf-8", "replace") for frame in BROKEN])
def test_a_malformed_message_invalidates_the_book_of_its_token_only(frame: bytes) -> None:
    made = codec("11")
    made.requests({key("88", "0xm2")}, frozenset())
    made.decode([wire(book("88"))], NOW, [])
    malformed, gap = decoded(made, frame)
    assert isinstance(malformed, Malformed)
    assert len(malformed.digest) == 32
    assert gap == Gap(key("11"), NOW, "decode_error", 3)
    assert made.awaiting() == {key("11")}
    assert made.take_lost() == {key("11")}
    assert made.take_lost() == frozenset()
    assert len(decoded(made, wire([change("11"), change("88")]))) == 1


@pytest.mark.parametrize(
    "frame", [b"", b"null", b"42", b'"PONG"', b"pong", b"\xff\xfe", b"{}", b"[" * 200_000, b'{"a":' * 200_000]
)
def test_decoding_goes_on_after_an_unreadable_frame(frame: bytes) -> None:
    made = codec("11")
    assert all(isinstance(event, Malformed) for event in decoded(made, frame) if not isinstance(event, Gap))
    assert len(decoded(made, wire(change("11")))) == (0 if made.awaiting() else 1)


def test_a_repeated_change_is_decoded_once() -> None:
    made, message = codec("11", "12"), change("11")
    message["price_changes"] += change("12", price="0.6", side="SELL")["price_changes"]
    again = {**message, "price_changes": message["price_changes"][::-1]}
    other = change("11", size="7")
    assert len(decoded(made, wire(message))) == 2
    assert decoded(made, wire(message)) == []
    assert decoded(made, wire(again)) == []
    assert len(decoded(made, wire(other))) == 1
    # In between the level was something else: now it counts.
    assert len(decoded(made, wire(message))) == 2
    by_number = change("11", size="9")
    by_number["price_changes"][0]["size"] = 9
    assert [len(decoded(made, wire(each))) for each in (message, by_number, message)] == [0, 1, 2]
    later = {**message, "timestamp": str(int(message["timestamp"]) + 1)}
    assert len(decoded(made, wire(later))) == 2


def test_a_truncated_message_invalidates_its_whole_market() -> None:
    frame = wire(change("11"))
    assert {
        event.key for event in decoded(codec("11", "12"), frame[: len(frame) * 2 // 3]) if isinstance(event, Gap)
    } == {
        key("11"),
        key("12"),
    }


def test_one_bad_message_of_an_array_leaves_the_others() -> None:
    events = decoded(codec("88", "12"), wire([change("88"), change("12", price="x"), change("88")]))
    assert [type(event) for event in events] == [BookDelta, Malformed, Gap, BookDelta]


def test_a_change_that_is_malformed_in_part_is_not_applied_in_part() -> None:
    both = change("11")
    both["price_changes"] += change("12", size="x")["price_changes"]
    events = decoded(codec("11", "12"), wire(both))
    assert [type(event) for event in events] == [Malformed, Gap, Gap]


def test_a_huge_malformed_message_invalidates_every_book() -> None:
    events = decoded(codec("11", "12"), b'{"x":"' + b"y" * (SEARCHED_BYTES_MAX + 1))
    assert [type(event) for event in events] == [Malformed, Gap, Gap]


def test_a_book_with_too_many_levels_is_malformed() -> None:
    levels = [{"price": f"0.{number:06}", "size": "1"} for number in range(1, 10_002)]
    (opened,) = decoded(codec("11"), wire(book("11", asks=levels[:-1])))
    assert isinstance(opened, BookSnapshot)
    assert len(opened.asks) == 10_000
    assert isinstance(decoded(codec("11"), wire(book("11", asks=levels)))[0], Malformed)


def test_detail_is_safe_to_print() -> None:
    malformed = decoded(codec("11"), wire(change("11", side="\x1b[31m" * 99)))[0]
    assert isinstance(malformed, Malformed)
    assert "\x1b" not in malformed.detail
    assert len(malformed.detail) <= DETAIL_CHARS_MAX


def test_an_announcement_is_published_once_for_all_connections() -> None:
    shared = PolymarketSharedState()
    frame = wire(next(case["wire"] for case in MESSAGES if case["name"] == "new market"))
    assert len(decoded(PolymarketCodec(1, shared), frame)) == 1
    assert decoded(PolymarketCodec(2, shared), frame) == []


def test_different_trades_of_one_transaction_are_all_kept() -> None:
    trade = {"asset_id": "11", "price": "0.5", "size": "1", "side": "BUY", "event_type": "last_trade_price"}
    frames = [{**trade, "timestamp": str(1791199970000 + n), "transaction_hash": f"0x{n % 3}"} for n in range(50)]
    events = decoded(codec("11"), wire(frames + frames))
    assert len(events) == 50
    assert len({event.trade_id for event in events if isinstance(event, Trade)}) == 50


SEEDS = [wire(case["wire"]) for case in MESSAGES]


@given(st.data())
def test_mutated_frames_raise_nothing(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(frame)))
        frame[where : where + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    made = codec("11", "12")
    out: list[MarketEvent] = []
    made.decode([bytes(frame)], NOW, out)
    for event in out:
        if isinstance(event, BookDelta):
            assert 0 < event.price < 1_000_000
            assert event.size >= 0
        if isinstance(event, BookSnapshot):
            assert list(event.bids) == sorted(event.bids, reverse=True)
            assert list(event.asks) == sorted(event.asks)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing(frame: bytes) -> None:
    codec("11").decode([frame], NOW, [])


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["11", "0.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(MESSAGES), st.data())
def test_any_value_in_any_field_raises_nothing(case: dict[str, Any], data: st.DataObject) -> None:
    messages = case["wire"] if isinstance(case["wire"], list) else [case["wire"]]
    if not messages:
        return
    message = dict(data.draw(st.sampled_from(messages)))
    message[data.draw(st.sampled_from(sorted(message)))] = data.draw(_values)
    codec("11", "12").decode([wire(message)], NOW, [])
