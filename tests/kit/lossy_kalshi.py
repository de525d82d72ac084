"""A wire that loses numbered frames between an exact book and the codec."""

import itertools
import random
from collections.abc import Sequence

from predsurv.core.events import BookDelta, BookSnapshot, Gap
from predsurv.state.book import Book
from tests.kit.kalshi_frames import CodecConnection, delta, key, snapshot

Levels = dict[tuple[str, int], int]
"""Hundredths of contracts by side and cents."""


class LossyWire:
    """Four markets on one subscription; fails when a loss goes unnoticed, at a false alarm, at a wrong book."""

    def __init__(self, rng: random.Random, tickers: Sequence[str] = ("KX0", "KX1", "KX2", "KX3")) -> None:
        self.rng = rng
        self.truth: dict[str, Levels] = {ticker: {} for ticker in tickers}
        self.connection = CodecConnection(*tickers, live=False)
        self.books = {key(ticker): Book(key(ticker)) for ticker in tickers}
        self.seqs = itertools.count(1)
        for ticker in tickers:
            self.hear(self.whole(ticker))

    def run(self, frames: int, losses: int, compare_every: int = 1) -> int:
        """Send ``frames``, ``losses`` of them into nowhere; return how many losses were noticed."""
        lost = set(self.rng.sample(range(10, frames), losses))
        noticed = 0
        for number in range(frames):
            frame = self.step()
            if number not in lost:
                assert not self.hear(frame), "a false alarm"
            else:
                assert self.hear(self.step()), "a loss went unnoticed"
                noticed += 1
                self.resync()
            if number % compare_every == 0:
                self.compare()
        self.compare()
        return noticed

    def hear(self, frame: bytes) -> bool:
        """Give the codec a frame; return whether it told of a loss."""
        gap = False
        for event in self.connection.receive(frame):
            if isinstance(event, BookSnapshot | BookDelta | Gap):
                self.books[event.key].apply(event)
                gap |= isinstance(event, Gap)
        return gap

    def resync(self) -> None:
        """Answer what the codec asks for."""
        for command in self.connection.resubscribe():
            for ticker in command["params"]["market_tickers"]:
                self.hear(self.whole(ticker))

    def step(self) -> bytes:
        """Change a level somewhere; return its frame."""
        ticker = self.rng.choice([*self.truth])
        levels = self.truth[ticker]
        at = (self.rng.choice(("yes", "no")), self.rng.randrange(1, 50))
        old = levels.pop(at, 0)
        new = 0 if self.rng.random() < 0.3 else self.rng.randrange(1, 10_000)
        if new:
            levels[at] = new
        sign = "-" if new < old else ""
        size = abs(new - old)
        return delta(ticker, next(self.seqs), f"0.{at[1]:02d}00", f"{sign}{size // 100}.{size % 100:02d}", at[0])

    def whole(self, ticker: str) -> bytes:
        """Return the frame of a whole book."""
        told: dict[str, list[list[str]]] = {"yes": [], "no": []}
        for (side, cents), size in sorted(self.truth[ticker].items()):
            told[side].append([f"0.{cents:02d}00", f"{size // 100}.{size % 100:02d}"])
        return snapshot(ticker, next(self.seqs), told["yes"], told["no"])

    def compare(self) -> None:
        """Fail when a trusted book is not the exact one."""
        for wanted, book in self.books.items():
            if book.trusted:
                levels = self.truth[wanted.market_id]
                bids = {cents * 10_000: size * 10_000 for (side, cents), size in levels.items() if side == "yes"}
                asks = {10**6 - cents * 10_000: size * 10_000 for (side, cents), size in levels.items() if side == "no"}
                assert dict(book.bids.levels()) == bids
                assert dict(book.asks.levels()) == asks
