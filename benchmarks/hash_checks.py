"""What verifying every Polymarket book by its hash costs: decode → book → rows with checks and without.

``python -m benchmarks.hash_checks``. The frames state the hash that the venue's recipe gives (SHA-1 over the JSON of
the book summary), computed here on its own, so every check has to succeed.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

from benchmarks import figures, rounds
from benchmarks.figures import Comparison, Figure
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.state.book import Book
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.hash_budget import HashCheckCounts
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState

TOKENS = 200
LEVELS = 40
"""Levels on each side of a book."""
FRAMES = 20_000
READ_FRAMES = 20
"""Frames that arrive together."""
RATE = 3_000
"""Messages a second of a busy day."""
MARKET = "0x" + "ab" * 32
START_MS = 1_790_000_000_000

_S = 1_000_000_000


class HashedBook:
    """One token's book of 100 ticks in the venue's words, with its hash."""

    def __init__(self, name: str, rng: Random) -> None:
        self.name = name
        self.rng = rng
        self.sides = {
            "BUY": {tick: self._size() for tick in range(50 - LEVELS, 50)},
            "SELL": {tick: self._size() for tick in range(51, 51 + LEVELS)},
        }

    def summary(self, now_ms: int) -> dict[str, Any]:
        """Return the book as REST has it."""
        made = {
            "market": MARKET,
            "asset_id": self.name,
            "timestamp": str(now_ms),
            "hash": "",
            "bids": [_level(tick, size) for tick, size in sorted(self.sides["BUY"].items())],
            "asks": [_level(tick, size) for tick, size in sorted(self.sides["SELL"].items(), reverse=True)],
            "min_order_size": "5",
            "tick_size": "0.01",
            "neg_risk": False,
            "last_trade_price": "",
        }
        return {**made, "hash": hashlib.sha1(_wire(made), usedforsecurity=False).hexdigest()}

    def opening(self) -> dict[str, Any]:
        """Return the book as the stream opens with it."""
        kept = self.summary(START_MS)
        del kept["min_order_size"], kept["neg_risk"]
        return {**kept, "event_type": "book"}

    def change(self, now_ms: int) -> bytes:
        """Change one level and return the frame that says so."""
        side = self.rng.choice(("BUY", "SELL"))
        levels = self.sides[side]
        tick = self.rng.randrange(1, 50) if side == "BUY" else self.rng.randrange(51, 100)
        if tick in levels and len(levels) > 3 and self.rng.random() < 0.4:
            del levels[tick]
        else:
            levels[tick] = self._size()
        entry = {"asset_id": self.name, "price": _price(tick), "size": levels.get(tick, "0"), "side": side}
        entry |= {"hash": self.summary(now_ms)["hash"]}
        entry |= {"best_bid": _price(max(self.sides["BUY"])), "best_ask": _price(min(self.sides["SELL"]))}
        body = {"market": MARKET, "price_changes": [entry], "timestamp": str(now_ms), "event_type": "price_change"}
        return _wire(body)

    def _size(self) -> str:
        return f"{self.rng.randrange(500, 500_000) / 100:.2f}".rstrip("0").rstrip(".")


class VerifyingPipeline:
    """Frames to events, books and rows, with checks after every read or without."""

    def __init__(self) -> None:
        rng = Random(1)
        books = [HashedBook(f"1{number:05}", rng) for number in range(TOKENS)]
        self.keys = frozenset(InstrumentKey(VENUE, MarketId(MARKET), InstrumentId(book.name)) for book in books)
        self.opening = _wire([book.opening() for book in books])
        self.frames = [rng.choice(books).change(START_MS + number) for number in range(1, FRAMES + 1)]
        self.checks = HashCheckCounts()

    def run(self, interval: int | None) -> None:
        """Process everything; a message takes ``interval`` ns to come, None for no checks."""
        memory = PolymarketSharedState()
        codec, books = PolymarketCodec(1, memory), {one: Book(one) for one in self.keys}
        codec.requests(self.keys, frozenset())
        rows: list[MarketEvent] = []
        _take(codec, [self.opening], books, rows)
        for start in range(0, len(self.frames), READ_FRAMES):
            _take(codec, self.frames[start : start + READ_FRAMES], books, rows)
            if interval is not None:
                codec.audit(start, start * interval, rows)
        self.checks = memory.counts


def _take(
    codec: PolymarketCodec, frames: Sequence[bytes], books: dict[InstrumentKey, Book], rows: list[MarketEvent]
) -> None:
    events: list[MarketEvent] = []
    codec.decode(frames, 0, events)
    for event in events:
        if type(event) is BookDelta:
            books[event.key].change(event)
        elif type(event) is BookSnapshot:
            books[event.key].apply(event)
    rows += events


def measure(words: Sequence[str]) -> list[Comparison]:  # noqa: ARG001  it has none
    """Compare, and say what a message takes with checks and without."""
    rounds.pin()
    pipeline = VerifyingPipeline()
    intervals = {"without": None, "all checked": _S // RATE, "as time allows": 4_000}
    found: dict[str, HashCheckCounts] = {}

    def contender(name: str) -> None:
        pipeline.run(intervals[name])
        found[name] = pipeline.checks

    taken = rounds.interleave({name: partial(contender, name) for name in intervals})
    plain = taken["without"].median_s / FRAMES
    shown = []
    for name, timing in taken.items():
        each, checks = timing.median_s / FRAMES, found[name]
        told = "" if name == "without" else f" ({checks.matched:,} matched)"
        shown.append(Figure(what=f"{name}{told}", value=each * 1e6, unit="µs a message", ratio=each / plain))
        if name != "without":
            share = (each - plain) * RATE * 100
            shown.append(Figure(what=f"{name}, at {RATE:,} messages/s", value=share, unit="% of a core more"))
    wrong = found["all checked"].mismatched
    return [
        Comparison(
            title=f"Verifying books by their hashes: {FRAMES:,} changes of {TOKENS} books of {2 * LEVELS} levels",
            method=f"CPU time of one process on one core, in interleaved rounds; {READ_FRAMES} frames to a read",
            rounds=rounds.ROUNDS,
            ratio="times without",
            figures=tuple(shown),
            failed=f"{wrong} hashes of right books differ" if wrong else "",
        )
    ]


def _wire(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _price(tick: int) -> str:
    return f"{tick / 100:.2f}".rstrip("0")


def _level(tick: int, size: str) -> dict[str, str]:
    return {"price": _price(tick), "size": size}


if __name__ == "__main__":
    sys.exit(figures.main(measure))
