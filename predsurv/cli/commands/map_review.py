"""The review: one pair after another on the terminal, decided by a key, written down at once."""

import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from predsurv.cli.commands.map_prices import ComparedMarkets, price_words
from predsurv.cli.output.mapping_review import ReviewPair, page
from predsurv.config.mapping_decisions import add_approved, add_rejected
from predsurv.core.errors import ConfigError
from predsurv.core.mapping import ApprovedMapping, MappedMarket, terms_fingerprint
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.mapping.approved_terms import ApprovedRecord, approved_record
from predsurv.mapping.build import compared_anew
from predsurv.mapping.precedents import Precedents, read_precedents
from predsurv.mapping.queue import DecidedPair, listed_markets
from predsurv.ports import Clock

Decision = Literal["approve", "approve-inverse", "approve-again", "reject"]

WIDTH_MIN: Final = 40
_KEYS: Final = "a approve  r reject  s skip  b back  space more  u up  q quit"
_UNIONS: Final = frozenset({"union-equal", "subset", "superset"})
_FRAME_LINES: Final = 3
_QUESTION_CHARS_MAX: Final = 400


class Deciding(Protocol):
    """Writes a decision down."""

    def __call__(self, pair: ReviewPair, decision: Decision) -> None:
        """Write ``decision`` on ``pair`` down; raises ConfigError if it contradicts another one."""


class DecisionFile:
    """The file of mappings, in which one person writes down decisions as of now."""

    def __init__(self, path: Path, person: str, clock: Clock) -> None:
        self._path = path
        self._person = person
        self._clock = clock

    def __call__(self, pair: ReviewPair, decision: Decision) -> None:
        """Write ``decision`` down with both fingerprints; raises ConfigError if it contradicts another one."""
        first, second = mapped(pair.first), mapped(pair.second)
        now = self._clock.now()
        if decision == "approve-again":
            one, other = _renewed(pair)
            add_approved(self._path, ApprovedMapping(one, other, self._person, now))
            return
        if decision == "reject":
            add_rejected(self._path, first, second, by=self._person, at=now)
            return
        if decision == "approve-inverse":
            second = replace(second, outcomes=second.outcomes[::-1])
        add_approved(self._path, ApprovedMapping(first, second, self._person, now))


def _renewed(pair: ReviewPair) -> Iterator[MappedMarket]:
    """Yield the sides of a suspended pair with the terms of now; raises ConfigError where an outcome is another one."""
    listed = {(each.venue, each.market_id): each for each in (pair.first, pair.second)}
    for side in pair.suspended.sides() if pair.suspended is not None else ():
        renewed = replace(side, terms=terms_fingerprint(listed[side.venue, side.market_id]))
        if not renewed.holds_for(listed[side.venue, side.market_id]):
            raise ConfigError(f"the outcomes of {sanitise(side.market_id, 60)} are others now: reject the pair")
        yield renewed


def mapped(market: Market) -> MappedMarket:
    """Return a market as a mapping names it, with the terms that it has now."""
    yes, no = market.outcomes
    ids = yes.instrument_id, no.instrument_id
    return MappedMarket(market.venue, market.market_id, ids, terms_fingerprint(market))


def review_pairs(data_dir: Path, waiting: Sequence[DecidedPair]) -> list[ReviewPair]:
    """Return the pairs with both markets as listed now; those that are not listed any more are left out."""
    listed = listed_markets(data_dir, [side for each in waiting for side in _sides(each)])
    precedents = Precedents(read_precedents(data_dir))
    found = []
    for each in waiting:
        first, second = (listed.get(side) for side in _sides(each))
        if first is not None and second is not None:
            candidate = each.candidate
            if candidate is None or each.state == "suspended" or (each.precedent and each.mapping is not None):
                candidate = compared_anew(first, second, candidate, precedents)
            found.append(ReviewPair(candidate, first, second, *_approval(data_dir, each, (first, second))))
    prices = price_words(data_dir, [compared(each) for each in found])
    return [replace(each, prices=words) for each, words in zip(found, prices, strict=True)]


def compared(pair: ReviewPair) -> ComparedMarkets:
    """Return the markets of a pair, and whether the first outcomes are opposite, as approved or as the relation is."""
    inverse = pair.candidate.relation == "inverse"
    if pair.suspended is not None:
        firsts = {each.outcomes[0].instrument_id for each in (pair.first, pair.second)}
        inverse = len(firsts & {side.outcomes[0] for side in pair.suspended.sides()}) == 1
    return ComparedMarkets(pair.first, pair.second, inverse)


def _sides(pair: DecidedPair) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return venue and id of both markets, in the order in which they are shown."""
    each = pair.candidate
    if each is None:
        return pair.name.first, pair.name.second
    return (each.first_venue, each.first_market), (each.second_venue, each.second_market)


def _approval(
    data_dir: Path, pair: DecidedPair, markets: tuple[Market, Market]
) -> tuple[ApprovedMapping | None, tuple[ApprovedRecord, ...]]:
    """Return the mapping of a suspended pair with what changed of its markets."""
    if pair.mapping is None or pair.state != "suspended":
        return None, ()
    listed = {(each.venue, each.market_id): each for each in markets}
    sides = ((side, listed[side.venue, side.market_id]) for side in pair.mapping.sides())
    changed = ((side, market) for side, market in sides if not side.holds_for(market))
    return pair.mapping, tuple(approved_record(data_dir, side, market) for side, market in changed)


class ReviewCounts(Struct):
    """How many pairs of a review were decided how."""

    approved: int = 0
    rejected: int = 0
    skipped: int = 0


def require_terminal() -> None:
    """Raise ConfigError where nobody can press a key or see a page."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("map review asks a person and needs a terminal; 'predsurv map list' prints the queue")


def read_key() -> str:
    """Return the next key, an arrow as its whole sequence; "q" where the terminal is gone. Ctrl-C interrupts."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)  # keys pressed ahead are kept
        return os.read(descriptor, 8).decode(errors="replace") or "q"
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class ReviewSession:
    """Shows pairs and takes keys until all are decided or skipped, or the person quits."""

    def __init__(self, target: Console, key: Callable[[], str], decide: Deciding) -> None:
        self._target = target
        self._key = key
        self._decide = decide
        self.counts = ReviewCounts()

    def run(self, pairs: Sequence[ReviewPair]) -> ReviewCounts:
        """Review ``pairs`` in order and return how they were decided."""
        index = 0
        while index < len(pairs):
            step = self._one(pairs[index], f"{index + 1} of {len(pairs)}")
            if step is None:
                break
            index = max(index + step, 0)
        return self.counts

    def _one(self, pair: ReviewPair, where: str) -> int | None:
        """Show one pair until it is decided; return 1 to go on, −1 to go back, None to end."""
        lines, top, note = page(pair, max(self._target.width, WIDTH_MIN)), 0, ""
        while True:
            height = max(self._target.height - _FRAME_LINES, 4)
            self._show(lines[top : top + height], where, note)
            key, note = self._key(), ""
            if key in ("q", "Q", "\x04"):
                return None
            if key in (" ", "\x1b[B", "\x1b[6~", "u", "\x1b[A", "\x1b[5~"):
                up = key in ("u", "\x1b[A", "\x1b[5~")
                top = max(min(top + (-height if up else height), len(lines) - height), 0)
                continue
            if key == "b":
                return -1
            if key == "s":
                self.counts.skipped += 1
                return 1
            note = self._decided(pair, key)
            if note == "":
                return 1

    def _decided(self, pair: ReviewPair, key: str) -> str:
        """Carry out a decision and return "", or why there is none."""
        if key == "r":
            self._decide(pair, "reject")
            self.counts.rejected += 1
            return ""
        if key != "a":
            return "no such key"
        if pair.candidate.veto == "precedent":
            return "precedent: earlier markets of these series paid differently; only equal markets can be approved"
        doubts = ", ".join(each.field for each in pair.candidate.evidence if each.status not in ("agree", "absent"))
        if pair.suspended is not None:
            changed = ", ".join(each.listed.market_id for each in pair.records)
            question = f"approve again as before; changed since: {changed}; not certain: {doubts or 'nothing'}"
            return self._confirmed(pair, "approve-again", question)
        relation = pair.candidate.relation
        if relation in _UNIONS:
            return f"{relation}: only equal markets can be approved"
        decision: Decision = "approve-inverse" if relation == "inverse" else "approve"
        return self._confirmed(pair, decision, f"approve as {_name(relation)}; not certain: {doubts or 'nothing'}")

    def _confirmed(self, pair: ReviewPair, decision: Decision, question: str) -> str:
        """Ask once more and approve; return "", or why there is no approval."""
        self._target.print(Text(sanitise(f"{question}; y to confirm", _QUESTION_CHARS_MAX)))
        if self._key() != "y":
            return "not approved"
        try:
            self._decide(pair, decision)
        except ConfigError as error:
            return str(error)
        self.counts.approved += 1
        return ""

    def _show(self, lines: Sequence[Text], where: str, note: str) -> None:
        self._target.clear()
        for line in lines:
            self._target.print(line, no_wrap=True, overflow="crop")
        self._target.print(Text(f"{where}  {note}" if note else where, style="bold"), no_wrap=True, overflow="ellipsis")
        self._target.print(Text(_KEYS, style="dim"), no_wrap=True, overflow="ellipsis")


def _name(relation: str) -> str:
    return "the inverse (YES of one is NO of the other)" if relation == "inverse" else "the same contract"
