"""Polymarket frames to events, books and delta rows, against bare decoding of the same frames."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import cast

import msgspec
from msgspec import Struct

from benchmarks.frames import Load, generate
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import PackedEvent, PackedRecord
from predsurv.core.num import MICROS
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.fast_decoder import BEST, ChangeReaders
from predsurv.venues.polymarket.shared_state import PolymarketSharedState

VENUE = VenueName("polymarket")
Tops = dict[str, tuple[int | None, int | None]]
"""Best bid and ask in micros by token."""


class _Change(Struct):
    asset_id: str
    price: str
    size: str
    side: str


class _PriceChange(Struct, tag_field="event_type", tag="price_change"):
    price_changes: list[_Change]
    timestamp: str


class _Level(Struct):
    price: str
    size: str


class _Book(Struct, tag_field="event_type", tag="book"):
    asset_id: str
    bids: list[_Level]
    asks: list[_Level]
    timestamp: str


class _Trade(Struct, tag_field="event_type", tag="last_trade_price"):
    asset_id: str
    price: str
    size: str
    side: str
    timestamp: str


def bare(load: Load) -> Callable[[], None]:
    """Return the limit: msgspec decodes the used fields of every frame and forgets them."""
    decode = msgspec.json.Decoder(_PriceChange | _Book | _Trade).decode

    def run() -> None:
        for frame in load.frames:
            decode(frame)

    return run


READ_FRAMES = 64
"""Frames that one read of the socket brings under load: 64 KiB hold a hundred of these."""


POLICY = RecordingPolicy(snapshot_interval=1 << 60, heartbeat_interval=1 << 60)
"""No rows of best levels after the first of each book."""


class Pipeline:
    """The recorder from a frame to the records of books, changes and trades: decode, fold, hand on.

    ``flush`` gets the records of each read, as the log does; without one they are let go. All frames of
    a read carry the time of the first. Hashes are not verified, as when there is no time for it: what
    those cost is measured apart (``benchmarks.hash_checks``).
    """

    def __init__(
        self,
        load: Load,
        flush: Callable[[list[PackedRecord]], object] = len,
        read_frames: int = READ_FRAMES,
        readers: ChangeReaders = BEST,
    ) -> None:
        self.readers = readers
        self.flush = flush
        self.read_frames = read_frames
        self.frames = load.frames
        self.arrivals = load.arrivals
        self.keys = [InstrumentKey(VENUE, MarketId(m), InstrumentId(a)) for m, a in load.tokens]
        self.recorder = Recorder(POLICY)

    def run(self) -> None:
        """Process every frame from an empty state."""
        shared = PolymarketSharedState()
        shared.pack()  # as the collector has it
        codec = PolymarketCodec(1, shared, readers=self.readers)
        codec.requests(frozenset(self.keys), frozenset())
        codec.verifier.venue_books.suspend()
        codec.audit(0, 0, [])
        self.recorder = recorder = Recorder(POLICY)
        recorder.advance(self.arrivals[0])
        recorder.want(dict.fromkeys(self.keys, MICROS), dict.fromkeys(self.keys))
        for start in range(0, len(self.frames), self.read_frames):
            events: list[MarketEvent] = []
            codec.decode(self.frames[start : start + self.read_frames], self.arrivals[start], events)
            self.flush(recorder.apply(cast("list[PackedEvent]", events)))

    def tops(self) -> Tops:
        """Return the final best prices of every token."""
        found: Tops = {}
        for key, instrument in self.recorder.instruments.items():
            bid, ask = instrument.book.best_bid(), instrument.book.best_ask()
            found[key.instrument_id] = (bid and bid[0], ask and ask[0])
        return found


def prepare(count: int) -> tuple[Load, Tops]:
    """Return frames and the best prices they lead to."""
    load = generate(count)
    return load, reference(load)


def reference(load: Load) -> Tops:
    """Return the final best prices by the plainest code there is: json, Decimal-free, dicts."""
    sides: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for frame in load.frames:
        message = json.loads(frame)
        if message["event_type"] == "book":
            sides[message["asset_id"]] = (
                {level["price"]: level["size"] for level in message["bids"]},
                {level["price"]: level["size"] for level in message["asks"]},
            )
        for change in message.get("price_changes", ()):
            ladder = sides[change["asset_id"]][change["side"] == "SELL"]
            if change["size"] == "0":
                ladder.pop(change["price"], None)
            else:
                ladder[change["price"]] = change["size"]

    def micros(text: str) -> int:
        return int(Fraction(text) * 1_000_000)

    return {
        asset: (
            max(map(micros, bids), default=None),
            min(map(micros, asks), default=None),
        )
        for asset, (bids, asks) in sides.items()
    }
