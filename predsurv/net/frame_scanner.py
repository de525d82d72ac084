"""Find plain messages in a WebSocket byte stream, without I/O.

The hottest loop of reading: a whole unfragmented text or binary frame is extracted here, and
everything else (control frames, fragments, errors) is left to the websockets library, which parses
a frame about six times slower but knows every rule.
"""

from collections.abc import MutableSequence
from typing import Final, NamedTuple

from predsurv.core import native

_FIN_TEXT: Final = 0x81
_FIN_BINARY: Final = 0x82
_HEADER_64: Final = 10


class FrameScan(NamedTuple):
    """Where the scan stopped.

    ``need``: number of bytes from ``pos`` on that must be there to continue; 0 when the frame that
    starts at ``pos`` is not a plain message.
    """

    pos: int
    need: int


def plain_messages(data: bytes, pos: int, bytes_max: int, out: MutableSequence[bytes]) -> FrameScan:
    """Append each whole plain message of ``data`` from ``pos`` on to ``out``, in order.

    Stops at the first frame that is incomplete, or not plain: masked, longer than ``bytes_max``,
    fragmented, a control frame, or with reserved bits set.
    """
    if native.speedups is None:
        return python_plain_messages(data, pos, bytes_max, out)
    found, stop, need = native.speedups.plain_messages(data, pos, bytes_max)
    out.extend(found)
    return FrameScan(stop, need)


def python_plain_messages(data: bytes, pos: int, bytes_max: int, out: MutableSequence[bytes]) -> FrameScan:
    """Do what ``plain_messages`` does, which has a compiled twin (``csrc/frames.c``)."""
    end = len(data)
    while end - pos >= 2:
        first, length = data[pos], data[pos + 1]
        if first != _FIN_TEXT and first != _FIN_BINARY:
            return FrameScan(pos, 0)
        start = pos + 2
        if length > 125:
            if length > 127:
                return FrameScan(pos, 0)
            start = pos + (4 if length == 126 else _HEADER_64)
            if start > end:
                return FrameScan(pos, start - pos)
            length = int.from_bytes(data[pos + 2 : start], "big")
        if length > bytes_max:
            return FrameScan(pos, 0)
        stop = start + length
        if stop > end:
            return FrameScan(pos, stop - pos)
        out.append(data[start:stop])
        pos = stop
    return FrameScan(pos, 2)


class FrameSize(NamedTuple):
    """Length of a frame and of its payload in bytes.

    While the header is incomplete, ``size`` is the number of bytes needed to read on, and
    ``payload`` is 0.
    """

    size: int
    payload: int


def frame_size(data: bytes, pos: int) -> FrameSize:
    """Return the size of the frame at ``pos``.

    A masked frame is counted without its mask: servers must not send any, so the library closes
    the connection as soon as it sees the header.
    """
    if len(data) - pos < 2:
        return FrameSize(2, 0)
    length = data[pos + 1] & 0x7F
    if length < 126:
        return FrameSize(2 + length, length)
    header = 4 if length == 126 else _HEADER_64
    if len(data) - pos < header:
        return FrameSize(header, 0)
    length = int.from_bytes(data[pos + 2 : pos + header], "big")
    return FrameSize(header + length, length)
