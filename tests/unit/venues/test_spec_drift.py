"""Messages are compared with what is known of them: fields, values and kinds, with counts, whatever is sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.venues.registry import known_feed
from predsurv.venues.spec_drift import NAMES_MAX, KnownFeed, KnownMessage, compare
from tests.kit.payloads import Payloads

FEED = KnownFeed(
    lambda message: str(message.get("type", "")),
    {
        "trade": KnownMessage(
            required=frozenset({"type", "rows", "rows[].price", "rows[].side", "more"}),
            optional=frozenset({"rows[].note", "more.tag"}),
            values={"rows[].side": frozenset({"buy", "sell"})},
            free=frozenset({"more.free"}),
        ),
        "book": KnownMessage(required=frozenset({"type"})),
    },
)


def frame(**fields: object) -> bytes:
    return json.dumps({"type": "trade", "rows": [{"price": "1", "side": "buy"}], "more": {}} | fields).encode()


def test_a_message_as_it_is_known_is_no_drift() -> None:
    report = compare([frame(), frame(rows=[{"price": 1, "side": "sell", "note": None}])], FEED)
    (trade,) = report.seen
    assert (trade.kind, trade.messages, trade.is_drift) == ("trade", 2, False)
    assert report.unseen == ("book",)
    assert report.unreadable == 0


def test_fields_that_are_new_or_gone_and_values_that_are_new_are_counted() -> None:
    frames = [
        frame(extra=1, rows=[{"price": "1", "side": "hold", "tier": {"a": 1}}, {"price": "2", "side": "hold"}]),
        frame(rows=[{"price": "1"}], more={"tag": "x", "other": [1]}),
        b'{"type": "trade", "more": {}}',
    ]
    (trade,) = compare(frames, FEED).seen
    assert trade.unknown_fields == {"extra": 1, "more.other": 1, "rows[].tier": 1, "rows[].tier.a": 1}
    assert trade.missing_fields == {"rows": 1, "rows[].side": 1}
    assert trade.unknown_values == {"rows[].side=hold": 2}
    assert trade.is_drift


def test_what_belongs_to_something_absent_is_not_missed() -> None:
    (trade,) = compare([frame(rows=[])], FEED).seen
    assert trade.missing_fields == {}


def test_what_may_hold_anything_is_not_looked_into() -> None:
    feed = KnownFeed(FEED.kind, {"trade": KnownMessage(frozenset({"type", "free"}), free=frozenset({"free"}))})
    (trade,) = compare([b'{"type": "trade", "free": {"x": [{"y": 1}]}}'], feed).seen
    assert not trade.is_drift


def test_kinds_that_nobody_knows_are_drift_of_their_own() -> None:
    report = compare([b'[{"type": "mood"}, {"type": "mood"}, {"x": 1}]'], FEED)
    assert [(each.kind, each.messages, each.known) for each in report.seen] == [
        ("mood", 2, False),
        ("without a kind", 1, False),
    ]
    assert all(each.is_drift for each in report.seen)


@pytest.mark.parametrize("content", [b"PONG", b"3", b'["x"]', b"[" * 5_000, b"\xff", b'"text"'])
def test_what_is_no_message_is_counted(content: bytes) -> None:
    assert compare([content], FEED).unreadable == 1


def test_a_venue_that_makes_names_up_fills_no_memory() -> None:
    kinds = [json.dumps({"type": f"k{number}"}).encode() for number in range(2 * NAMES_MAX)]
    assert len(compare(kinds, FEED).seen) == NAMES_MAX
    (trade,) = compare([frame(**{f"f{number}": 1 for number in range(2 * NAMES_MAX)})], FEED).seen
    assert len(trade.unknown_fields) == NAMES_MAX
    (deep,) = compare([frame(extra=json.loads("{" + '"a":{' * 40 + "}" * 41))], FEED).seen
    assert len(deep.unknown_fields) < 12


def test_hostile_names_are_made_harmless() -> None:
    report = compare([frame(**{"\x1b[31m": 1}), b'{"type": "\\u001b]0;x"}'], FEED)
    assert "\x1b" not in repr([each.kind for each in report.seen]) + "".join(report.seen[0].unknown_fields)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.lists(values | st.fixed_dictionaries({"type": st.sampled_from(["trade", "book"]), "rows": values}), max_size=4)
)
def test_whatever_is_sent_is_counted_once(contents: list[object]) -> None:
    report = compare([json.dumps(content).encode() for content in contents], FEED)
    parts = [part for content in contents for part in (content if isinstance(content, list) else [content])]
    assert sum(each.messages for each in report.seen) + report.unreadable == len(parts)


def test_what_polymarket_was_seen_to_send_is_known(payloads: Payloads) -> None:
    """But for books of before hashes came with every book, and hand-made ones."""
    feed = known_feed("polymarket")
    assert feed is not None
    frames = [path.read_bytes() for path in sorted(payloads.polymarket.glob("captured/ws_market_*.json"))]
    report = compare(frames, feed)
    assert len(report.seen) >= 3
    assert [each for each in report.seen if each.is_drift] == []


def test_what_kalshi_was_seen_to_send_is_known(payloads: Payloads) -> None:
    """But for fields that frames of before May 2026 lack, and channels that are private or of combinations."""
    feed = known_feed("kalshi")
    assert feed is not None
    frames = [
        json.dumps(content).encode()
        for name, content in payloads.kalshi_frames()
        if "latest" in name or "new_format" in name
    ]
    report = compare(frames, feed)
    assert {"orderbook_snapshot", "orderbook_delta", "trade"} <= {each.kind for each in report.seen if each.known}
    assert [each for each in report.seen if each.known and (each.unknown_fields or each.unknown_values)] == []
    late = {"msg.is_block_trade", "msg.taker_book_side", "msg.taker_outcome_side", "msg.ts_ms"}
    assert {name for each in report.seen for name in each.missing_fields} <= late


def test_the_made_up_venue_has_nothing_to_compare() -> None:
    assert known_feed("mock") is None
