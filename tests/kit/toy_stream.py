"""A streaming venue of a few words, for tests of sessions and connections."""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from predsurv.core.errors import TransientError
from predsurv.core.events import BookSnapshot, Gap, Malformed, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName

VENUE = VenueName("toy")


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(name), InstrumentId(name))


A, B = key("a"), key("b")


def book(key: InstrumentKey, ts: int) -> BookSnapshot:
    return BookSnapshot(key, ts, None, 1, None, (), ())


class ToyCodec:
    """Speaks ``book a`` and ``bad a``; anything else but ``pong`` is data without meaning."""

    def __init__(self) -> None:
        self.waiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        self.waiting = (self.waiting - drop) | add
        self.lost -= drop | add
        names = [*(f"-{one.instrument_id}" for one in sorted(drop)), *(f"+{one.instrument_id}" for one in sorted(add))]
        return [" ".join(names).encode()] if names else []

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        return [self.one(frame, ts_recv, out) for frame in frames].count(True) > 0

    def one(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        word, _, name = frame.decode().partition(" ")
        if word == "book":
            self.waiting.discard(key(name))
            out.append(book(key(name), ts_recv))
        elif word == "bad":
            out.append(Malformed(VENUE, ts_recv, "bad", ""))
            if key(name) not in self.waiting:
                out.append(Gap(key(name), ts_recv, "decode_error", 1))
                self.waiting.add(key(name))
                self.lost.add(key(name))
        return word != "pong"

    def keepalive(self) -> bytes | None:
        return b"ping"

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        return self.waiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        lost, self.lost = self.lost, set()
        return lost


class ToySocket:
    """Answers each request with books while ``answers``; closing waits for ``closable``."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.closable = asyncio.Event()
        self.closable.set()
        self.closed = False
        self._arrived: asyncio.Queue[list[bytes] | Exception] = asyncio.Queue()

    async def recv_many(self) -> Sequence[bytes]:
        arrived = await self._arrived.get()
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    async def send(self, message: bytes) -> None:
        names = [word[1:] for word in message.decode().split() if word.startswith("+")]
        if self.answers and names:
            self._arrived.put_nowait([f"book {name}".encode() for name in names])

    async def aclose(self) -> None:
        await self.closable.wait()
        self.closed = True

    def fail(self, error: Exception | None = None) -> None:
        """End the connection from the venue's side."""
        self._arrived.put_nowait(error or TransientError("lost"))


class ToyVenue:
    """Accepts connections; ``refusals`` are raised first, and nothing is accepted unless ``accepts``."""

    def __init__(self) -> None:
        self.sockets: list[ToySocket] = []
        self.refusals: list[Exception] = []
        self.answers = True
        self.accepts = asyncio.Event()
        self.accepts.set()

    async def connect(self, url: str, headers: Mapping[str, str] | None) -> ToySocket:
        await self.accepts.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.sockets.append(ToySocket(answers=self.answers))
        return self.sockets[-1]
