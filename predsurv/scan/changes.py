"""What became of the markets between two lists: new, closed, re-dated, other fees or ticks, edited rules.

Two universe files are compared market by market; of each only a digest is kept in memory.
"""

from array import array
from collections.abc import Iterator
from difflib import SequenceMatcher
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.scan.eligibility import OVER
from predsurv.store.listing_history import versions
from predsurv.store.universe import LINE_BYTES_MAX, UNREADABLE, FeeLine, MarketLine, line_ids, parse_line

ChangeOfListing = Literal["new", "closed", "gone", "status", "dates", "fee", "tick", "rules", "title", "outcomes"]
"""``closed``: over, by the venue's word; ``gone``: its list has it no more; ``status``: any other new status.
``dates``: it closes, or its game starts, at another time. ``tick``: step of the price, or least size of an order."""

CHANGES: Final[tuple[ChangeOfListing, ...]] = (
    "rules",
    "fee",
    "tick",
    "dates",
    "outcomes",
    "title",
    "status",
    "closed",
    "gone",
    "new",
)
"""Those that a strategy may have to follow come first."""

WORDS_MAX: Final = 4_000
"""Words of a text that are compared; of a longer one only that it changed is told."""

_CONTEXT: Final = 6
"""Words kept on each side of a change."""

_DIGEST_BYTES: Final = 16
_ENCODER: Final = msgspec.msgpack.Encoder()


class ListingChange(Struct, frozen=True):
    """One thing that changed of a market; ``what`` in words, of rules and titles the words: ``[-gone-] {+added+}``."""

    kind: ChangeOfListing
    venue: VenueName
    market_id: str
    event_id: str
    question: str
    what: str
    volume_24h: str | None


def changes(before: Path, after: Path) -> Iterator[ListingChange]:
    """Yield what changed from one universe file to a later one; those of the same file are of its day.

    Raises IntegrityError naming a line that cannot be read, FileNotFoundError.
    """
    if before == after:
        yield from _within(after)
        return
    with before.open("rb") as old:
        index = _Index(old)
        for line in _lines(after):
            place = index.take(line.market_id)
            if place is None:
                if not _is_over(line):
                    yield _change("new", line, _introduced(line))
            elif place.digest != _digest(line):
                yield from _changed(index.line_at(place.offset), line)
        for offset in index.left():
            line = index.line_at(offset)
            if not _is_over(line):
                yield _change("gone", line, f"was {line.status}")


def _within(path: Path) -> Iterator[ListingChange]:
    """Yield what changed within the day of a list, by the history of its lines, which has no texts."""
    for line in _lines(path):
        first = versions(line)[0]
        yield from _changed(replace(first, description=line.description), line)


def word_diff(before: str, after: str) -> str:
    """Return the words that changed with some around them: ``… by [-June-] {+July+} 1 …``; "" where none did."""
    old, new = before.split(), after.split()
    if max(len(old), len(new)) > WORDS_MAX:
        return "" if old == new else f"changed, too long to compare ({len(old):,} and {len(new):,} words)"
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    parts: list[str] = []
    for number, (tag, begin, end, new_begin, new_end) in enumerate(steps):
        if tag == "equal":
            parts += _around(old[begin:end], first=number == 0, last=number == len(steps) - 1)
        if tag in ("replace", "delete"):
            parts.append(f"[-{' '.join(old[begin:end])}-]")
        if tag in ("replace", "insert"):
            parts.append(f"{{+{' '.join(new[new_begin:new_end])}+}}")
    return "" if old == new else " ".join(parts)


def _around(words: list[str], *, first: bool, last: bool) -> list[str]:
    head = [] if first else words[:_CONTEXT]
    tail = [] if last else words[-_CONTEXT:]
    if len(head) + len(tail) >= len(words) and not (first or last):
        return words
    if first:
        return [*(["…"] if len(words) > _CONTEXT else []), *tail]
    return [*head, *(["…"] if len(words) > len(head) else []), *tail]


class _ListedAt(Struct, frozen=True):
    offset: int
    digest: bytes


class _Index:
    """Where the lines of a universe file are, and what they say, in 24 bytes each."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows: dict[str, int] = {}
        self._offsets, self._digests = array("q"), bytearray()
        offset = 0
        for text in iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""):
            line = _parsed(file, text)
            self._rows[line.market_id] = len(self._offsets)
            self._offsets.append(offset)
            self._digests += _digest(line)
            offset += len(text)

    def take(self, market_id: str) -> _ListedAt | None:
        """Return the place of a market's line, once."""
        row = self._rows.pop(market_id, None)
        if row is None:
            return None
        start = row * _DIGEST_BYTES
        return _ListedAt(self._offsets[row], bytes(self._digests[start : start + _DIGEST_BYTES]))

    def left(self) -> list[int]:
        """Return the places of the lines that were not taken, in their order."""
        return [self._offsets[row] for row in sorted(self._rows.values())]

    def line_at(self, offset: int) -> MarketLine:
        """Return the line at a place."""
        self._file.seek(offset)
        return parse_line(self._file.readline(LINE_BYTES_MAX + 1))


def _lines(path: Path) -> Iterator[MarketLine]:
    with path.open("rb") as file:
        for text in iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""):
            yield _parsed(file, text)


def _parsed(file: BinaryIO, text: bytes) -> MarketLine:
    try:
        return parse_line(text)
    except UNREADABLE as error:
        try:
            which = f", market {line_ids(text).market_id[:80]!r}"
        except UNREADABLE:
            which = f", before byte {file.tell():,}"
        raise IntegrityError(f"{file.name}{which}: {error}; run 'predsurv scan' again") from error


def _digest(line: MarketLine) -> bytes:
    fee = replace(line.fee, since=None)
    told = (line.status, line.last_seen is None, line.close_time, line.game_start, fee, line.tick_size, line.bands)
    more = (line.min_order_size, line.question, line.description, line.rules_hash, line.outcomes)
    return blake2b(_ENCODER.encode((told, more)), digest_size=_DIGEST_BYTES).digest()


def _changed(old: MarketLine, new: MarketLine) -> Iterator[ListingChange]:
    if _is_over(new) and not _is_over(old):
        gone = new.status not in OVER
        yield _change("gone" if gone else "closed", new, f"{old.status} → {'not listed' if gone else new.status}")
    elif old.status != new.status:
        yield _change("status", new, f"{old.status} → {new.status}")
    moved = _moves(("closes", old.close_time, new.close_time), ("game starts", old.game_start, new.game_start))
    ticks = _moves(("tick", _ticks(old), _ticks(new)), ("least order", old.min_order_size, new.min_order_size))
    fees = _moves(("fee", _fee(old.fee), _fee(new.fee)))
    labels = _moves(("outcomes", _labels(old), _labels(new)))
    told: dict[ChangeOfListing, str] = {"dates": moved, "tick": ticks, "fee": fees, "outcomes": labels}
    for kind, what in told.items():
        if what:
            yield _change(kind, new, what)
    if title := word_diff(old.question, new.question):
        yield _change("title", new, title)
    rules = word_diff(old.description or "", new.description or "")
    if rules or (old.rules_hash and new.rules_hash and old.rules_hash != new.rules_hash):
        yield _change("rules", new, rules or "changed in what the list does not tell")


def _moves(*told: tuple[str, str | None, str | None]) -> str:
    return "; ".join(f"{name} {old or 'unknown'} → {new or 'unknown'}" for name, old, new in told if old != new)


def _labels(line: MarketLine) -> str:
    return " / ".join(each.label for each in line.outcomes)


def _ticks(line: MarketLine) -> str:
    bands = ", ".join(f"{band.start} to {band.end} by {band.step}" for band in line.bands)
    return bands or line.tick_size


def _fee(fee: FeeLine) -> str:
    if fee.model == "none":
        return "none"
    parts = [f"{fee.model} {fee.rate}"]
    parts += [f"exponent {fee.exponent}"] if fee.exponent is not None else []
    parts += [f"makers {fee.maker_rate}"] if fee.maker_rate else []
    parts += [f"rebate {fee.rebate_rate}"] if fee.rebate_rate else []
    return ", ".join(parts)


def _introduced(line: MarketLine) -> str:
    return f"{line.status}, closes {line.close_time or 'at an unknown time'}"


def _is_over(line: MarketLine) -> bool:
    return line.status in OVER or line.last_seen is not None


def _change(kind: ChangeOfListing, line: MarketLine, what: str) -> ListingChange:
    return ListingChange(
        kind, VenueName(line.venue), line.market_id, line.event_id, line.question, what, line.volume_24h
    )
