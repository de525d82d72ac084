"""Books compared with what REST says of them, as both move.

Kept apart from asking (``probing``) because the join of a snapshot with a stream that is ahead of
it or behind it is the hard part, and can be tested without either. A snapshot is found again by its
hash among the states that the stream went through: one that never turns up was missed.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.venues.polymarket.book_hash import HashedBook, HashInputs
from predsurv.venues.polymarket.hash_verifier import HashCheckCounts, HashVerifier
from predsurv.venues.polymarket.wire import WireLevel

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
    witness: HashVerifier
    line: HashedBook
    since: int
    asked_at: int = 0
    summary: BookSummary | None = None


class RestComparisons:
    """The comparisons under way; times are monotonic, ns."""

    def __init__(self, checks: HashCheckCounts) -> None:
        self._checks = checks
        self._open: dict[str, _Comparison] = {}

    def __contains__(self, token: str) -> bool:
        return token in self._open

    def begin(self, witness: HashVerifier, token: str) -> bool:
        """Remember every state of ``token`` from now on; return False when its book is not followed."""
        line = witness.lines.get(token)
        if line is None or token in self._open:
            return False
        line.trail, line.calm = [line.hash], True
        self._open[token] = _Comparison(witness, line, line.stamp)
        return True

    def answer(self, summaries: Mapping[str, BookSummary], asked_at: int) -> set[str]:
        """Take what REST said to a question of ``asked_at``; return the tokens that it agrees about at once."""
        agreed = set()
        for token, summary in summaries.items():
            trial = self._open.get(token)
            if trial is not None and trial.summary is None:
                trial.summary, trial.asked_at = summary, asked_at
                if self._agrees(trial):
                    agreed.add(token)
                    self._learn(trial)
                    self._end(token, trial)
                    self._checks.probed += 1
        return agreed

    def settle(self, now: int) -> None:
        """Judge what can be judged by now; who is wrong beyond doubt is accused before its witness."""
        for token, trial in list(self._open.items()):
            if trial.witness.lines.get(token) is not trial.line:
                self._end(token, trial)
            elif trial.summary is not None and self._agrees(trial):
                self._end(token, trial)
                self._checks.probed += 1
            elif trial.summary is not None and now - trial.asked_at >= GRACE:
                self._end(token, trial)
                if trial.summary.timestamp < trial.since:
                    self._checks.stale += 1
                else:
                    self._checks.differed += 1
                    trial.witness.accuse(token, "probe_mismatch")

    def abandon(self) -> None:
        """End what was begun and not answered: settled tokens have no book any more."""
        for token, trial in list(self._open.items()):
            if trial.summary is None:
                self._end(token, trial)

    def _agrees(self, trial: _Comparison) -> bool:
        summary, line = trial.summary, trial.line
        if summary is None:
            return False
        if summary.hash and line.trail is not None and summary.hash in line.trail:
            return True
        return _sides(summary) == (line.bids.levels, line.asks.levels)

    def _learn(self, trial: _Comparison) -> None:
        """Take what the stream does not say, when it is about the very state that the stream is in."""
        said, line = trial.summary, trial.line
        if said is not None and said.min_order_size and said.tick_size and said.hash == line.hash and not line.proven:
            line.inputs = HashInputs(said.min_order_size, said.tick_size, said.neg_risk, said.last_trade_price)
            line.hopeless = False

    def _end(self, token: str, trial: _Comparison) -> None:
        del self._open[token]
        trial.line.trail = None


def _sides(summary: BookSummary) -> tuple[dict[str, str], dict[str, str]]:
    return ({step.price: step.size for step in summary.bids}, {step.price: step.size for step in summary.asks})
