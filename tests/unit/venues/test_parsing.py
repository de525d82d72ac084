"""What every adapter parses alike: bounded caches, ids, timestamps, dates."""

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.core.errors import WireError
from predsurv.core.events import BookDelta, MarketEvent
from predsurv.core.ids import ID_CHARS_MAX, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues import parsing
from predsurv.venues.polymarket import fast_decoder
from predsurv.venues.polymarket.decoder import PolymarketCodec

NATIVE = Path(native.__file__).parents[1] / "csrc" / "wire_text.h"
BOUNDS = (parsing.EARLIEST_MS, parsing.LATEST_MS)


def test_the_c_source_has_the_same_time_bounds() -> None:
    defined = dict(re.findall(r"^#define (EARLIEST|LATEST) (\d+)LL\b", NATIVE.read_text(), re.MULTILINE))
    assert defined == {"EARLIEST": str(parsing.EARLIEST_MS), "LATEST": str(parsing.LATEST_MS)}


@pytest.mark.parametrize("readers", [fast_decoder.PYTHON, fast_decoder.COMPILED])
@pytest.mark.parametrize("ms", [each + step for each in BOUNDS for step in (-1, 0, 1)])
def test_either_reader_has_the_same_time_bounds(readers: fast_decoder.ChangeReaders | None, ms: int) -> None:
    if readers is None:
        pytest.skip("the compiled readers are not built: there was no C compiler")
    codec, out = PolymarketCodec(1, readers=readers), list[MarketEvent]()
    codec.requests({InstrumentKey(VenueName("polymarket"), MarketId("0x1"), InstrumentId("7"))}, frozenset())
    book: dict[str, Any] = {"asset_id": "7", "bids": [], "asks": [], "timestamp": str(ms), "event_type": "book"}
    entry = {"asset_id": "7", "price": "0.5", "size": "1", "side": "BUY"}
    change: dict[str, Any] = {"price_changes": [entry], "timestamp": str(ms), "event_type": "price_change"}
    codec.decode([json.dumps(each, separators=(",", ":")).encode() for each in (book, change)], 5, out)
    assert [type(event) for event in out][1:] == [BookDelta]
    assert {event.ts_venue for event in out} == {parsing.venue_time(ms)}  # type: ignore[union-attr]


def test_venue_times_out_of_bounds_are_none() -> None:
    assert parsing.venue_time(parsing.EARLIEST_MS + 1) == (parsing.EARLIEST_MS + 1) * 1_000_000
    assert [parsing.venue_time(ms) for ms in (None, 0, *BOUNDS, 2**70)] == [None] * 5


def test_a_cache_is_bounded_and_keeps_no_refusals() -> None:
    cache = parsing.ParseCache(parsing.parse_open_price, 4)
    for number in range(1, 30):
        assert cache[f"0.{number:02}"] == number * 10_000
        assert len(cache) <= 4
    for text in ("0", "1", "1.5", "-0.5", "x", ""):
        with pytest.raises(ValueError, match=r"price outside|not a plain decimal"):
            cache[text]
        assert text not in cache


def test_a_complement_is_on_the_other_side_of_the_dollar() -> None:
    assert parsing.parse_complement("0.0100") == 990_000
    for text in ("0", "1", "1.5"):
        with pytest.raises(ValueError, match="price outside"):
            parsing.parse_complement(text)


@pytest.mark.parametrize("name", ["", "a b", "x" * (ID_CHARS_MAX + 1), "\x1b[0m", "\u0660", "a\n"])
def test_odd_ids_are_refused(name: str) -> None:
    with pytest.raises(WireError, match="market is not an id"):
        parsing.checked_id(name, "market")


def test_an_id_leaves_room_for_its_suffix() -> None:
    longest = "x" * (ID_CHARS_MAX - 3)
    assert parsing.checked_id("a:no", "ticker") == "a:no"
    assert parsing.checked_id(longest, "ticker", suffix=":no") == longest
    for name in (f"{longest}x", "a:no", ":"):
        with pytest.raises(WireError, match="ticker is not an id"):
            parsing.checked_id(name, "ticker", suffix=":no")


def test_a_date_without_a_zone_needs_one() -> None:
    assert parsing.parse_date("2026-12-31", zone=UTC) == 1_798_675_200_000_000_000
    assert parsing.parse_date("2026-12-31") is None
    assert parsing.parse_date("2026-12-31T00:00:00." + "0" * 90 + "Z") == 1_798_675_200_000_000_000
    assert parsing.parse_date("1970-01-01T00:00:00Z") == 0
    assert [parsing.parse_date(text) for text in (None, "", "soon", "0001-01-01T00:00:00+14:00")] == [None] * 4


def test_a_malformed_payload_is_reported_by_its_digest_and_a_printable_reason() -> None:
    event = parsing.malformed(VenueName("kalshi"), b"\xff", ValueError("odd \x1b" + "x" * 500), 7)
    assert (event.ts_recv, len(event.digest)) == (7, 32)
    assert len(event.detail) <= parsing.DETAIL_CHARS_MAX
    assert "\x1b" not in event.detail


def test_texts_that_differ_anywhere_differ_after_they_are_shortened() -> None:
    long = "x" * 400
    texts = [f"a{long}", f"b{long}", f"{long}a", f"{long}b", f"{long}a{long}", f"{long}b{long}"]
    assert len({parsing.shortened(text, 100) for text in texts}) == len(texts)
    assert {len(parsing.shortened(text, 100)) for text in texts} == {100}
    assert parsing.shortened("Will it?", 100) == "Will it?"
    assert parsing.shortened("\ud800" * 200, 100).endswith("\ud800")


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (rb'{"a":"x\ud800y","b":1}', {"a": "x\ufffdy", "b": 1}),
        (rb'{"a":"\ud83d\ude00 \\ud800 \udc00 \x \u12 \n \" "}', {"a": '\U0001f600 \\ud800 \ufffd \\x \\u12 \n " '}),
        (rb'{"a":"\ud83d\ud83d\ude00"}', {"a": "\ufffd\U0001f600"}),
        (b'{"a":\n"b\nc\x00"}', {"a": "b c "}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (rb'{"a":"end\\","b":"\/"}', {"a": "end\\", "b": "/"}),
    ],
)
def test_a_broken_text_does_not_cost_the_rest_of_its_json(body: bytes, read: dict[str, Any]) -> None:
    assert json.loads(parsing.mended_json(body)) == read


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_mending_changes_no_json_that_can_be_read(value: dict[str, Any]) -> None:
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert json.loads(parsing.mended_json(body.encode())) == value
