"""The compiled reader of level changes says what the codec says without it, whatever comes."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.core.events import BookDelta, MarketEvent
from predsurv.core.level_changes import CHANGES_MAX, LevelChanges, each_event
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from tests.kit.kalshi_frames import EPOCH, NOW, SIDS, A, B, delta, key, snapshot, wire
from tests.kit.kalshi_mutants import mutants
from tests.kit.payloads import Payloads

needs_compiled = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")


def decoded(
    frames: Sequence[bytes], *, compiled: bool, packed: bool = False, wanted: Sequence[Any] = ()
) -> tuple[Any, ...]:
    """Return what a codec says of ``frames``, read together, and everything that it knows afterwards."""
    shared = KalshiSharedState()
    if packed:
        shared.pack()
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(native, "speedups", None)
        codec = KalshiCodec(EPOCH, shared)
    codec.requests({*(wanted or (key(A), key(A, no=True), key(B)))}, frozenset())
    out: list[MarketEvent] = []
    data = codec.decode(frames, NOW, out)
    assert packed or not any(isinstance(event, LevelChanges) for event in out)
    books = {ticker: (book.bids.levels(), book.asks.levels(), book.live) for ticker, book in codec._books.items()}
    return data, each_event(out), books, dict(codec._last), codec.awaiting(), codec.take_lost()


def assert_same(frames: Sequence[bytes], wanted: Sequence[Any] = ()) -> None:
    expected = decoded(frames, compiled=False, wanted=wanted)
    assert expected == decoded(frames, compiled=True, wanted=wanted)
    assert expected == decoded(frames, compiled=True, packed=True, wanted=wanted)


def opening(*tickers: str) -> list[bytes]:
    """Return what a venue sends first: answers and a book of each of ``tickers``, numbered from 1."""
    answers = [
        wire({"type": "subscribed", "id": 1, "msg": {"channel": name, "sid": sid}}) for name, sid in SIDS.items()
    ]
    books = [
        snapshot(ticker, seq, [["0.4000", "10.00"]], [["0.5000", "10.00"]]) for seq, ticker in enumerate(tickers, 1)
    ]
    return answers + books


prices = st.sampled_from(
    ["0.4000", "0.4", "0.5000", "0.0100", "0.9999", "0", "1.0000", "0.12345", "0.1234567", "", None, "x"]
)
amounts = st.sampled_from(
    [
        "1.00",
        "-1.00",
        "-10.00",
        "10",
        "0.00",
        "-0.00",
        "-0",
        "--1",
        "+1",
        ".5",
        "5.",
        "-100000.00",
        "999999999999.999999",
        "1e3",
        "",
    ]
)
odd: dict[str, st.SearchStrategy[Any]] = {
    "market_ticker": st.sampled_from([A, B, "KXUNKNOWN", "", "é", None, 5]),
    "side": st.sampled_from(["yes", "no", "YES", None, 1]),
    "ts_ms": st.sampled_from([0, None, 1, 1_787_838_983_996, 2**40, 10**17, 10**20, -5, "1787838983996", 1.5]),
    "price": st.sampled_from([40, -1, None, "40"]),
    "delta": st.sampled_from([-54, 54, None]),
    "ts": st.just("2026-08-27T13:56:23.996443Z"),
    "client_order_id": st.sampled_from(["a", None, 'a"b']),
    "subaccount": st.sampled_from([3, 0, None]),
}
envelopes: dict[str, st.SearchStrategy[Any]] = {
    "sending_ts_ms": st.sampled_from([0, 1_787_838_983_990, None, -1]),
    "type": st.sampled_from(["orderbook_delta", "trade", "new"]),
    "sid": st.sampled_from([1, 1, 2, 9, None, "1", 10**20]),
    "note": st.sampled_from(["", 5, None]),
}
separators = st.sampled_from([(",", ":"), (",", ":"), (", ", ": "), (" ,", " : "), ("\n,", ":")])
drawn = st.lists(
    st.tuples(
        st.sampled_from([A, A, B]),
        prices,
        amounts,
        st.sampled_from(["yes", "no"]),
        st.fixed_dictionaries({}, optional=odd) | st.just({}),
        st.fixed_dictionaries({}, optional=envelopes) | st.just({}),
        st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2, -3]),  # how far the number goes on
        separators,
    ),
    max_size=12,
)


def frames_of(rows: Sequence[Any]) -> list[bytes]:
    frames, seq = [], 2
    for ticker, price, amount, side, body, envelope, step, how in rows:
        seq += step
        sound = json.loads(delta(ticker, seq, price, amount, side))
        frame = {**sound, **envelope, "msg": {**sound["msg"], **body}}
        frames.append(json.dumps(frame, separators=how).encode())
    return frames


@needs_compiled
@given(drawn)
def test_whatever_comes_both_say_the_same(rows: list[Any]) -> None:
    assert_same(opening(A, B) + frames_of(rows))


@needs_compiled
@given(drawn, st.data())
def test_of_broken_frames_both_say_the_same(rows: list[Any], data: st.DataObject) -> None:
    broken = []
    for frame in frames_of(rows):
        at, length = data.draw(st.integers(0, len(frame))), data.draw(st.integers(0, 20))
        junk = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"[", b",", b":", b"\x00", b"\xff", b"9", b"0", b"-"])
        )
        broken.append(frame[:at] + junk + frame[at + length :])
    assert_same(opening(A, B) + broken)


@needs_compiled
@pytest.mark.parametrize(
    "said",
    [
        b'"side":"yes","side":"no"',
        b'"side":"yes","ts_ms":1787838983996,"ts_ms":1787838983997',
        b'"side":"yes","price":1,"price":2',
        b'"side":"yes","delta":1,"delta":2',
        b'"side":"yes","price_dollars":"0.3000"',
        b'"side":"yes","delta_fp":"2.00"',
        b'"side":"yes","market_ticker":"KXB-26"',
        b'"side":"yes","ts_ms":01',
        b'"side":"yes"',
    ],
)
def test_what_is_said_twice_means_the_same_to_both(said: bytes) -> None:
    frame = delta(A, 3).replace(b'"side":"yes"', said)
    assert_same([*opening(A, B), frame, delta(A, 4)])
    for name in (b'"sid":1', b'"seq":3', b'"type":"orderbook_delta"', b'"msg":{}'):
        assert_same([*opening(A, B), frame[:-1] + b"," + name + b"}", delta(A, 4)])


@needs_compiled
def test_mutants_of_payloads_mean_the_same_to_both(payloads: Payloads) -> None:
    frames = [frame for name, frame in payloads.kalshi_frames() if "orderbook" in name]
    tickers = {str(frame["msg"].get("market_ticker")) for frame in frames if isinstance(frame.get("msg"), dict)}
    wanted = [key(ticker) for ticker in sorted(tickers)]
    rng = random.Random(5)
    for _ in range(60):
        run = [body for _, body in mutants(rng, [("frame", frame) for frame in frames], 5)]
        sound = [wire(frame) for frame in rng.sample(frames, min(5, len(frames)))]
        mixed = run + sound
        rng.shuffle(mixed)
        assert_same(opening(*sorted(tickers)[:3]) + mixed, wanted)


@needs_compiled
def test_the_usual_change_is_read_compiled_and_put_together_for_who_asks() -> None:
    assert native.speedups is not None
    shared = KalshiSharedState()
    shared.pack()
    codec, out = KalshiCodec(EPOCH, shared), list[Any]()
    codec.requests({key(A), key(A, no=True)}, frozenset())
    changes = [delta(A, 2, "0.3000", "5.00"), delta(A, 3, "0.3000", "-5.00"), delta(A, 4, "0.2000", "1.50", "no")]
    codec.decode([*opening(A), *changes], NOW, out)
    run = out[-1]
    assert isinstance(run, LevelChanges)
    assert [type(event) for event in out].count(LevelChanges) == 1
    stamp = 1_787_838_983_996_000_000
    yes, no = key(A), key(A, no=True)
    rows: list[Any] = [
        (yes, 2, "bid", 300_000, 5_000_000),
        (no, 2, "ask", 700_000, 5_000_000),
        (yes, 3, "bid", 300_000, 0),
        (no, 3, "ask", 700_000, 0),
        (yes, 4, "ask", 800_000, 1_500_000),
        (no, 4, "bid", 200_000, 1_500_000),
    ]
    assert [*run] == [BookDelta(each[0], NOW, stamp, EPOCH, *each[1:]) for each in rows]
    many = [delta(A, seq, "0.1000", "1.00") for seq in range(5, 5 + CHANGES_MAX)]
    out = []
    codec.decode(many, NOW, out)
    assert [len(event) for event in out] == [CHANGES_MAX, CHANGES_MAX]


@needs_compiled
def test_the_compiled_reader_refuses_what_is_not_of_a_codec() -> None:
    assert native.speedups is not None
    kind: Any = native.speedups.NativeDeltaReader
    with pytest.raises(TypeError):
        kind({}, {}, "1", False)
    with pytest.raises(TypeError):
        kind.__new__(kind).read([], 0, NOW, [])
    frame = delta(A, 1)
    with pytest.raises(TypeError):
        kind({}, {1: 0}, 1, False).read((), 0, NOW, [])
    with pytest.raises(TypeError):
        kind({}, {1: 0}, 1, False).read([frame], "0", NOW, [])
    with pytest.raises(TypeError):
        kind({A: "no book"}, {1: 0}, 1, False).read([frame], 0, NOW, [])
    with pytest.raises(TypeError):
        kind({}, {1: "0"}, 1, False).read([frame], 0, NOW, [])
    last = {1: 0}
    assert kind({}, last, 1, False).read([frame, "text", frame], 0, NOW, []) == 1
    assert last == {1: 1}
    last = {1: 2**70}
    assert kind({}, last, 1, False).read([frame], 0, NOW, []) == 0
