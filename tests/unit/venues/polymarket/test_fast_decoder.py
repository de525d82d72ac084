"""The fast readers: both sets give the same events for everything, and read the frequent messages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import CHANGES_MAX, LevelChanges, PackedEvent, each_event
from predsurv.core.native import speedups
from predsurv.core.packed_book import PackedBook
from predsurv.venues.polymarket import fast_decoder
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState

TOKENS = ("1234567890", "9", "71" * 38 + "1")
NOW = 1_800_000_000_000_000_000
STAMP = "1791199970000"

needs_compiled = pytest.mark.skipif(fast_decoder.COMPILED is None, reason="there was no C compiler")


def codec(readers: fast_decoder.ChangeReaders, *, packed: bool = False) -> PolymarketCodec:
    shared = PolymarketSharedState()
    shared.packed = packed
    made = PolymarketCodec(3, shared, readers=readers)
    key = (InstrumentKey(VenueName("polymarket"), MarketId("0x1"), InstrumentId(token)) for token in TOKENS)
    made.requests(frozenset(key), frozenset())
    return made


def wire(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def book(token: str, bids: list[Any], asks: list[Any], **more: Any) -> dict[str, Any]:
    sides = [[{"price": price, "size": size} for price, size in side] for side in (bids, asks)]
    stated = {"market": "0x1", "asset_id": token, "timestamp": STAMP, "hash": "ab", "bids": sides[0], "asks": sides[1]}
    return {**stated, "tick_size": "0.01", "event_type": "book", "last_trade_price": "", **more}


def entry(token: str = TOKENS[0], price: str = "0.5", size: str = "1", side: str = "BUY") -> dict[str, Any]:
    stated = {"asset_id": token, "price": price, "size": size, "side": side, "hash": "52a1"}
    return {**stated, "best_bid": "0.5", "best_ask": "0.6"}


def change(*entries: dict[str, Any], stamp: Any = STAMP) -> dict[str, Any]:
    return {"market": "0x1", "price_changes": list(entries), "timestamp": stamp, "event_type": "price_change"}


def trade(token: str = TOKENS[0], price: str = "0.5", size: str = "20", **more: Any) -> dict[str, Any]:
    stated = {"market": "0x1", "asset_id": token, "price": price, "size": size, "fee_rate_bps": "0", "side": "BUY"}
    return {**stated, "timestamp": STAMP, "event_type": "last_trade_price", "transaction_hash": "0x7f", **more}


def decoded(readers: fast_decoder.ChangeReaders, frames: list[bytes], *, packed: bool = False) -> tuple[Any, ...]:
    """Return the results of a codec with ``readers`` for ``frames``, and the books it keeps for verification."""
    made, out = codec(readers, packed=packed), list[MarketEvent]()
    data = made.decode(frames, NOW, out)
    assert packed or not any(isinstance(event, LevelChanges) for event in out)
    made.verifier.venue_books.apply_pending(quoted=True)
    books = {
        token: (book.bids.levels, book.asks.levels, book.timestamp, book.hash, book.inputs)
        for token, book in made.verifier.books.items()
    }
    return data, each_event(out), made.awaiting(), made.take_lost(), books


def assert_same(frames: list[bytes]) -> None:
    assert fast_decoder.COMPILED is not None
    expected = decoded(fast_decoder.PYTHON, frames)
    assert expected == decoded(fast_decoder.COMPILED, frames)
    assert expected == decoded(fast_decoder.COMPILED, frames, packed=True)


numbers = st.one_of(
    st.sampled_from(["0.5", "0.01", "0.999", "0", "1", "0.50", ".5", "5.", "0.0000001", "1e3", "-1", "", "٣", "1_0"]),
    st.from_regex(r"\A[0-9]{1,13}(\.[0-9]{1,7})?\Z"),
    st.decimals(0, 1, places=3).map(str),
)
tokens = st.sampled_from([*TOKENS, "unknown", "", "é"])
entries = st.builds(entry, tokens, numbers, numbers, st.sampled_from(["BUY", "SELL", "buy", ""]))
stamps = st.sampled_from([STAMP, STAMP, "1791199970001", "0", "9999999999999", int(STAMP), "01791199970000", "x"])
pairs = st.lists(st.tuples(numbers, numbers), max_size=6)
sides = st.sampled_from(["BUY", "SELL", "sell", "", "bids", None])
hashes = st.sampled_from(["0x7f", "0x80", "", "é", None])
usual_books = st.builds(book, tokens, pairs, pairs, timestamp=stamps).map(
    lambda said: {name: value for name, value in said.items() if name not in ("tick_size", "last_trade_price")}
)
messages = st.one_of(
    usual_books,
    st.builds(lambda listed, stamp: change(*listed, stamp=stamp), st.lists(entries, max_size=4), stamps),
    st.builds(book, tokens, pairs, pairs, timestamp=stamps),
    st.builds(trade, tokens, numbers, numbers, side=sides, timestamp=stamps, transaction_hash=hashes),
)
separators = st.sampled_from([(",", ":"), (",", ":"), (", ", ": "), (",", ": "), (" , ", "  :")])
frames_of = st.lists(
    st.builds(lambda said, how: json.dumps(said, separators=how).encode(), messages, separators), max_size=6
)


@needs_compiled
@given(frames_of)
def test_both_sets_agree(frames: list[bytes]) -> None:
    opening = [wire(book(token, [("0.4", "5")], [("0.6", "7")])) for token in TOKENS[:2]]
    assert_same(opening + frames)


@needs_compiled
@given(frames_of, st.data())
def test_both_sets_agree_on_broken_frames(frames: list[bytes], data: st.DataObject) -> None:
    opening = [wire(book(token, [("0.4", "5")], [("0.6", "7")])) for token in TOKENS]
    broken = []
    for frame in frames:
        at = data.draw(st.integers(0, len(frame)))
        length = data.draw(st.integers(0, 30))
        junk = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"9"])
        )
        broken.append(frame[:at] + junk + frame[at + length :])
    assert_same(opening + broken)


@needs_compiled
@pytest.mark.parametrize(
    "message",
    [
        change(*[entry(size=str(number)) for number in range(80)]),  # more than anybody sends
        change(entry(TOKENS[2]), entry(TOKENS[2], side="SELL")),
        change(),
        book(TOKENS[0], [("0.4", "1"), ("0.3", "2")], [("0.6", "1"), ("0.5", "2")]),  # best level first
        book(TOKENS[0], [("0.3", "1"), ("0.4", "0"), ("0.5", "3")], []),  # an empty level
        book(TOKENS[0], [("0.3", "1"), ("0.3", "2")], []),
        book(TOKENS[0], [("0.3", "1"), ("0.5", "2"), ("0.4", "2")], []),
        book(TOKENS[0], [(f"0.{number:05d}", "1") for number in range(1, 10_002)], []),
        book(TOKENS[0], [], [], last_trade_price=None),
        book(TOKENS[0], [], [], event_type="price_change"),
    ],
)
def test_both_sets_agree_on_unusual_messages(message: dict[str, Any]) -> None:
    opening = [wire(book(token, [("0.4", "5")], [("0.6", "7")])) for token in TOKENS]
    assert_same([*opening, wire(message), wire(change(entry()))])


@needs_compiled
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"transaction_hash": ""},
        {"fee_rate_bps": None},
        {"side": "bids"},
        {"bids": "x"},
        {"price": "1"},
        {"size": "0"},
        {"timestamp": "0"},
        {"event_type": "trade"},
        {"note": "x" * 2_000},
    ],
)
def test_both_sets_agree_on_trades(more: dict[str, Any]) -> None:
    opening = [wire(book(token, [("0.4", "5")], [("0.6", "7")])) for token in TOKENS[:1]]
    said = wire(trade(**more))
    assert_same([*opening, said, said, wire(change(entry())), said, wire(change(entry())), wire(trade(TOKENS[1]))])
    assert_same([*opening, wire(trade("unknown", **more)), said.replace(b'"side"', b'"side":"SELL","side"')])


@needs_compiled
def test_the_compiled_set_reads_trades_of_wanted_tokens() -> None:
    assert speedups is not None
    made, told = codec(fast_decoder.PYTHON), list[tuple[Trade, str]]()

    def is_new(event: Trade, transaction: str) -> bool:
        told.append((event, transaction))
        return len(told) == 1

    reader, out = speedups.NativeChangeReader({}, made.subscribed, is_new, 3, False), list[MarketEvent]()
    frames = [wire(trade()), wire(trade()), wire(trade("unknown"))]
    pending: list[Any] = []
    assert reader.read(frames, 0, NOW, out, pending) == 2
    expected: list[MarketEvent] = []
    made.decode(frames, NOW, expected)
    assert out == [told[0][0]] == expected
    assert (told[0], pending) == (told[1], frames[:2])
    assert told[0][1] == "0x7f"


@needs_compiled
def test_the_compiled_set_reads_books_of_tokens_that_have_one() -> None:
    assert speedups is not None
    made = codec(fast_decoder.PYTHON)
    usual = book(TOKENS[0], [("0.4", "5"), ("0.41", "0")], [("0.7", "1"), ("0.6", "7")])
    del usual["tick_size"], usual["last_trade_price"]
    frames = [wire(usual), wire(change(entry())), wire(usual | {"tick_size": "0.01"})]
    for live, taken in ((made.subscribed, 2), ({}, 0)):
        reader = speedups.NativeChangeReader(live, made.subscribed, lambda *_: True, 3, True)
        out, pending = list[MarketEvent](), list[Any]()
        assert reader.read(frames, 0, NOW, out, pending) == taken
        assert pending == frames[:taken]
        assert [type(event) for event in out] == [PackedBook, LevelChanges][:taken]
        assert reader.book(frames[1], NOW) is None
        alone = reader.book(frames[2], NOW)
        assert alone is not None
        assert [*alone] == made_of(frames[:1])[-1:]


def made_of(frames: list[bytes]) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    codec(fast_decoder.PYTHON).decode(frames, NOW, out)
    return out


def unusual() -> list[bytes]:
    """Price changes that the compiled reader refuses and Python does not."""
    plain = change(entry(), entry(TOKENS[1]))
    texts = [
        change(entry() | {"neg_risk": False}),
        change(entry() | {"note": None}),
        change(entry(), stamp=int(STAMP)),
        change(entry(), stamp="179119997000"),
        change(entry(), stamp="17911999700000000"),
        change(entry(size="5.")),
        change(entry(size="5.0000000")),
        change(*[entry(price=f"0.{number:03d}") for number in range(1, 66)]),
        plain | {"market": "é"},
    ]
    spaced = [json.dumps(plain).encode(), wire(plain).replace(b'"market":"0x1"', b'"market":"0x1\\u0041"')]
    return [wire(text) for text in texts] + [frame.replace(b": ", b":") for frame in spaced]


@needs_compiled
@pytest.mark.parametrize("frame", unusual())
def test_a_repeated_message_that_only_python_reads_is_decoded_once(frame: bytes) -> None:
    opening = [wire(book(token, [], [])) for token in TOKENS[:2]]
    usual = wire(change(entry(), entry(TOKENS[1])))
    for order in ([frame, frame], [usual, frame, frame, usual], [frame, usual, usual, frame], [frame, b"PONG", frame]):
        assert_same(opening + order)
    assert fast_decoder.COMPILED is not None
    _, out, *_ = decoded(fast_decoder.COMPILED, [*opening, frame, frame])
    assert out[2:], "Python reads it"
    assert len(out) == len(decoded(fast_decoder.COMPILED, [*opening, frame])[1])


@pytest.mark.parametrize("readers", [fast_decoder.PYTHON, pytest.param(fast_decoder.COMPILED, marks=needs_compiled)])
def test_nesting_without_end_is_malformed(readers: fast_decoder.ChangeReaders) -> None:
    deep = wire(change(entry())).replace(b'{"market"', b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b',"market"', 1)
    _, out, *_ = decoded(readers, [wire(book(TOKENS[0], [], [])), deep])
    assert [type(event).__name__ for event in out] == ["MarketChange", "BookSnapshot", "Malformed", "Gap"]


@needs_compiled
def test_tokens_of_any_length_are_read() -> None:
    long = "7" * 300
    key = InstrumentKey(VenueName("polymarket"), MarketId("0x1"), InstrumentId(long))
    assert fast_decoder.COMPILED is not None
    made, out = PolymarketCodec(3, readers=fast_decoder.COMPILED), list[MarketEvent]()
    made.requests(frozenset({key}), frozenset())
    made.decode([wire(book(long, [], [])), wire(change(entry(long), entry("9" * 100_000)))], NOW, out)
    assert [type(event) for event in out] == [MarketChange, BookSnapshot, BookDelta]


@needs_compiled
def test_both_sets_agree_on_repeated_messages_and_keys() -> None:
    opening = wire(book(TOKENS[0], [], []))
    one, other = entry(size="1"), entry(size="2")
    repeated = [wire(change(one, other)), wire(change(other, one)), wire(change(one, one)), wire(change(other, other))]
    twice = wire(change(one)).replace(b'"size":"1"', b'"size":"1","size":"2"')
    assert_same([opening, *repeated, repeated[0], twice])


@needs_compiled
def test_the_compiled_set_reads_the_frequent_messages() -> None:
    assert fast_decoder.COMPILED is not None
    made, out = codec(fast_decoder.COMPILED), list[MarketEvent]()
    made.decode([wire(book(TOKENS[0], [("0.01", "0"), ("0.4", "5.25")], [("0.6", "7")]))], NOW, out)
    assert speedups is not None
    reader = speedups.NativeChangeReader(made._live, made.subscribed, lambda *_: True, 3, False)
    frames = [wire(change(entry(), entry(side="SELL", price="0.999", size="503.32")))] * 2 + [b"PONG"]
    assert reader.read(frames, 0, NOW, out, None) == 2
    assert reader.before() == frames[0]
    assert not reader.remember(b"PONG")
    assert reader.before() is None
    (key,) = made._live.values()
    stamp = int(STAMP) * 1_000_000
    assert isinstance(out.pop(0), MarketChange)
    assert out == [
        BookSnapshot(key, NOW, stamp, 3, None, ((400_000, 5_250_000),), ((600_000, 7_000_000),)),  # type: ignore[arg-type]
        BookDelta(key, NOW, stamp, 3, None, "bid", 500_000, 1_000_000),  # type: ignore[arg-type]
        BookDelta(key, NOW, stamp, 3, None, "ask", 999_000, 503_320_000),  # type: ignore[arg-type]
    ]


@needs_compiled
def test_the_compiled_set_refuses_what_is_no_list_of_frames() -> None:
    assert fast_decoder.COMPILED is not None
    assert speedups is not None
    kind = speedups.NativeChangeReader
    reader = kind({}, {}, lambda *_: True, 3, False)
    with pytest.raises(TypeError):
        reader.read((), 0, NOW, [], None)
    with pytest.raises(TypeError):
        kind.__new__(kind).read([], 0, NOW, [], None)
    assert reader.read(["text", None], 0, NOW, [], None) == 0
    assert reader.book("text", NOW) is None
    with pytest.raises(TypeError):
        kind.__new__(kind).book(b"{}", NOW)


@needs_compiled
def test_changes_are_put_together_for_who_asks() -> None:
    assert fast_decoder.COMPILED is not None
    made, out = codec(fast_decoder.COMPILED, packed=True), list[PackedEvent]()
    opening = [wire(book(token, [("0.4", "5")], [])) for token in TOKENS[:2]]
    spaced = json.dumps(change(entry(TOKENS[1], size="3")), separators=(", ", ": ")).encode()
    spaced = spaced.replace(b'"event_type": "price_change"', b'"event_type":"price_change"')
    changes = [wire(change(entry(), entry(TOKENS[2]), entry("unknown"))), wire(change(entry(size="2"))), spaced]
    made.decode([*opening, *changes, b"PONG", changes[0]], NOW, out)  # type: ignore[arg-type]
    assert [type(event) for event in out[2:]] == [PackedBook, LevelChanges, LevelChanges]
    run, last = (event for event in out if isinstance(event, LevelChanges))
    first, other = (made._live[token] for token in TOKENS[:2])
    assert [(each.key, each.size) for each in run] == [(first, 1_000_000), (first, 2_000_000), (other, 3_000_000)]
    assert [(each.key, each.size) for each in last] == [(first, 1_000_000)]
    assert (run.ts_recv, run.ts_venue) == (NOW, int(STAMP) * 1_000_000)


@needs_compiled
def test_no_more_changes_than_a_batch_of_the_log_holds_are_put_together() -> None:
    assert fast_decoder.COMPILED is not None
    made, out = codec(fast_decoder.COMPILED, packed=True), list[PackedEvent]()
    frames = [wire(change(*[entry(size=str(number)) for _ in range(40)])) for number in range(60)]
    made.decode([wire(book(TOKENS[0], [], [])), *frames], NOW, out)  # type: ignore[arg-type]
    assert [len(event) for event in out if isinstance(event, LevelChanges)] == [CHANGES_MAX, CHANGES_MAX, 352]
