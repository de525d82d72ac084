"""A sample of the raw frames of a feed, so that it can be seen later what the venue really sent.

One frame a second at most, the latest ones kept: what a sample costs does not depend on how much a venue sends.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

INTERVAL: Final = 1_000_000_000
"""How often (ns) a frame is kept."""

FRAMES_MAX: Final = 1_000
FRAME_BYTES_MAX: Final = 1 << 15
"""Longer frames are passed over: books of many levels are like those of few."""

BYTES_MAX: Final = 1 << 21
"""Of all frames that are kept; the oldest make room."""


_JSON_STARTS: Final = (b"{", b"[")


class FrameSamples:
    """The sample of one venue's feeds. ``due``: when (ns) the next frame is wanted."""

    def __init__(self) -> None:
        self.due = 0
        self._frames: deque[bytes] = deque()
        self._size = 0

    def take(self, frames: Sequence[bytes], now: int) -> None:
        """Keep the last of the ``frames`` received ``now`` that is JSON and not too long."""
        for frame in reversed(frames):
            if len(frame) <= FRAME_BYTES_MAX and frame[:1] in _JSON_STARTS:
                self._frames.append(bytes(frame))
                self._size += len(frame)
                while len(self._frames) > FRAMES_MAX or self._size > BYTES_MAX:
                    self._size -= len(self._frames.popleft())
                self.due = now + INTERVAL
                return

    def take_out(self) -> list[bytes]:
        """Return the frames kept since the last call, the oldest first, and forget them."""
        frames, self._frames, self._size = list(self._frames), deque(), 0
        return frames
