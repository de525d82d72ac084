"""Plain messages are cut out exactly; anything else is left where it starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from predsurv.core import native
from predsurv.net.frame_scanner import FrameScan, frame_size, plain_messages, python_plain_messages

MAX = 70_000


def raw(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=False)


PAYLOADS = st.one_of(st.binary(max_size=200), st.sampled_from([125, 126, 127, 65_535, 65_536]).map(bytes))


@given(st.lists(st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), PAYLOADS), max_size=6), st.data())
def test_any_cut_of_any_messages_gives_the_same_messages(
    frames: list[tuple[Opcode, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(raw(opcode, payload) for opcode, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    out: list[bytes] = []
    rest = b""
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        rest += stream[start:stop]
        scan = plain_messages(rest, 0, MAX, out)
        assert scan.need > len(rest) - scan.pos
        rest = rest[scan.pos :]
    assert rest == b""
    assert out == [payload for _, payload in frames]


@pytest.mark.parametrize(
    "frame",
    [
        raw(Opcode.PING, b"x"),
        raw(Opcode.CLOSE, b""),
        raw(Opcode.TEXT, b"x", fin=False),
        raw(Opcode.CONT, b"x"),
        b"\x81\x81\x01\x02\x03\x04y",
        raw(Opcode.TEXT, bytes(MAX + 1))[:10],
        b"\xc1\x00",
        b"\x81\xff",
        b"\x83\x00",
    ],
)
def test_the_scan_stops_at_a_frame_that_is_not_plain(frame: bytes) -> None:
    first = raw(Opcode.TEXT, b"first")
    out: list[bytes] = []
    assert plain_messages(first + frame, 0, MAX, out) == FrameScan(len(first), 0)
    assert out == [b"first"]


@given(PAYLOADS, st.integers(0, 20))
def test_frame_size_is_exact_or_the_bytes_needed_to_know_it(payload: bytes, seen: int) -> None:
    frame = raw(Opcode.TEXT, payload)
    size, length = frame_size(frame[:seen], 0)
    assert length in (0, len(payload))
    assert size <= len(frame)
    assert size > seen or size == len(frame)
    assert frame_size(b"xx" + frame, 2) == (len(frame), len(payload))


ODD = st.sampled_from([raw(Opcode.PING, b"x"), raw(Opcode.TEXT, b"x", fin=False), b"\x81\xff", b"\x81\x7f" + bytes(9)])
STREAMS = st.lists(st.one_of(PAYLOADS.map(lambda payload: raw(Opcode.TEXT, payload)), ODD, st.binary(max_size=12)))


@pytest.mark.skipif(native.speedups is None, reason="there is no compiled twin")
@given(STREAMS.map(b"".join), st.integers(0, 40), st.integers(0, 70_000), st.integers(0, 300))
def test_the_compiled_twin_finds_the_same(data: bytes, cut: int, bytes_max: int, pos: int) -> None:
    data = data[: len(data) - cut]
    pos = min(pos, len(data))
    ours: list[bytes] = []
    theirs: list[bytes] = []
    assert plain_messages(data, pos, bytes_max, ours) == python_plain_messages(data, pos, bytes_max, theirs)
    assert ours == theirs


@pytest.mark.skipif(native.speedups is None, reason="there is no compiled twin")
@pytest.mark.parametrize(("pos", "bytes_max"), [(-1, 5), (4, 5), (0, -1), (0, 2**63 - 1)])
def test_the_compiled_twin_refuses_what_is_out_of_bounds(pos: int, bytes_max: int) -> None:
    assert native.speedups is not None
    with pytest.raises(ValueError, match="not so many bytes"):
        native.speedups.plain_messages(b"abc", pos, bytes_max)
