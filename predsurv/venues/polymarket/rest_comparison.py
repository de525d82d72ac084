"""Comparisons of our books with REST's, while both move.

REST may be ahead of the stream or behind it. Its snapshot is identified by its hash among the states
that the stream went through: a state that never turns up on the stream was missed.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.venues.polymarket.book_hash import BookLevels, HashedBook, HashInputs, RecentStates
from predsurv.venues.polymarket.hash_budget import HashCheckCounts
from predsurv.venues.polymarket.hash_states import PROVEN, Evidence
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts, fine_part
from predsurv.venues.polymarket.wire import WireBook, WireLevel

_S: Final = 1_000_000_000

GRACE: Final = 4 * _S
"""How long (ns) a state that REST knows may take to turn up on the stream; 1.1 s were seen."""


class BookSummary(Struct, gc=False):
    """A book as REST has it: ``{"market":"0x…","asset_id":"…","timestamp":"1703…","hash":"…","bids":[…],
    "asks":[…],"min_order_size":"5","tick_size":"0.01","neg_risk":false,"last_trade_price":"0.500"}``.
    """

    asset_id: str
    timestamp: int
    bids: list[WireLevel]
    asks: list[WireLevel]
    market: str = ""
    hash: str = ""
    min_order_size: str = ""
    tick_size: str = ""
    neg_risk: bool = False
    last_trade_price: str = ""


_read = msgspec.json.Decoder(list[BookSummary], strict=False).decode


def read_summaries(body: bytes) -> dict[str, BookSummary]:
    """Return the books of an answer by token; raises ValueError or RecursionError."""
    return {summary.asset_id: summary for summary in _read(body)}


class _Comparison(Struct):
    """One book under comparison; ``since``: its venue timestamp (ms) at the start."""

    verifier: HashVerifier
    book: HashedBook
    since: int
    requested_at: int = 0
    summary: BookSummary | None = None


class RestComparisons:
    """The open comparisons by token; times are monotonic, ns."""

    def __init__(self, counts: HashCheckCounts, texts: LastTradeTexts) -> None:
        self._counts = counts
        self._texts = texts
        self._open: dict[str, _Comparison] = {}

    def __contains__(self, token: str) -> bool:
        return token in self._open

    def begin(self, verifier: HashVerifier, token: str) -> bool:
        """Record every state of ``token`` from now on; return False when it has no book or is compared already."""
        book = verifier.books.get(token)
        if book is None or token in self._open:
            return False
        book.recent, book.notify = RecentStates(), True
        book.recent.add(book)
        self._open[token] = _Comparison(verifier, book, book.timestamp)
        return True

    def answer(self, summaries: Mapping[str, BookSummary], requested_at: int) -> set[str]:
        """Take REST's answer to a request at ``requested_at``; return the tokens whose books agree at once."""
        agreed = set()
        for token, summary in summaries.items():
            if summary.tick_size and summary.tick_size not in self._texts.settled:
                _learn_text(summary, self._texts)
            comparison = self._open.get(token)
            if comparison is not None and comparison.summary is None:
                comparison.summary, comparison.requested_at = summary, requested_at
                if _agrees(comparison, summary):
                    agreed.add(token)
                    _learn_inputs(comparison.book, summary)
                    self._end(token, comparison)
                    self._counts.probed += 1
        return agreed

    def decide(self, now: int) -> None:
        """Close the comparisons that are decided by ``now``; flag the books that differ to their verifier."""
        for token, comparison in list(self._open.items()):
            summary = comparison.summary
            if comparison.verifier.books.get(token) is not comparison.book:
                self._end(token, comparison)
            elif summary is not None and _agrees(comparison, summary):
                self._end(token, comparison)
                self._counts.probed += 1
            elif summary is not None and now - comparison.requested_at >= GRACE:
                self._end(token, comparison)
                if summary.timestamp < comparison.since:
                    self._counts.stale += 1
                else:
                    self._counts.differed += 1
                    comparison.verifier.flag(token, "probe_mismatch")

    def close_unanswered(self) -> None:
        """Close the comparisons without an answer: settled tokens have no book any more."""
        for token, comparison in list(self._open.items()):
            if comparison.summary is None:
                self._end(token, comparison)

    def _end(self, token: str, comparison: _Comparison) -> None:
        del self._open[token]
        comparison.book.recent = None


def _agrees(comparison: _Comparison, summary: BookSummary) -> bool:
    """Return whether REST's book is one of ours since the start, or equals the present one."""
    book, levels = comparison.book, _levels(summary)
    if summary.hash and book.recent is not None and book.recent.contains(summary.hash, levels):
        return True
    return BookLevels(book.bids.levels, book.asks.levels).same(levels)


def _learn_inputs(book: HashedBook, summary: BookSummary) -> None:
    """Take from REST what the hash covers besides the levels, if REST's book is in the very state of ours."""
    if summary.min_order_size and summary.tick_size and summary.hash == book.hash and book.state not in PROVEN:
        book.inputs = HashInputs(summary.min_order_size, summary.tick_size, summary.neg_risk, summary.last_trade_price)
        book.apply(Evidence.REST_INPUTS)


def _learn_text(summary: BookSummary, texts: LastTradeTexts) -> None:
    """Take from REST's book and its own hash how the venue writes its last trade price."""
    tick, price = summary.tick_size, summary.last_trade_price
    bids, asks = summary.bids, summary.asks
    book = HashedBook(summary.asset_id)
    book.replace(WireBook(summary.asset_id, bids, asks, summary.timestamp, summary.market, summary.hash))
    book.inputs = HashInputs(summary.min_order_size, tick, summary.neg_risk, price)
    book.other_texts = texts.renderings(price, tick)
    if book.check() is Evidence.HASH_MATCH:
        texts.learn(tick, book.inputs.last_trade, fine_part(price))


def _levels(summary: BookSummary) -> BookLevels:
    sides = (summary.bids, summary.asks)
    return BookLevels(*({level.price: level.size for level in side} for side in sides))
