"""One pair on the terminal: both texts side by side, differences marked, the evidence of every field above them."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, chop_cells
from rich.text import Text

from predsurv.core.mapping import ApprovedMapping
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.mapping.approved_terms import ApprovedRecord, in_words
from predsurv.mapping.candidate_file import QueuedPair
from predsurv.mapping.findings import Finding, Status
from predsurv.store.universe import iso_second, iso_time

RULES_CHARS_MAX: Final = 16_384
_GAP: Final = 3
_ALIGNED_WORDS_MAX: Final = 800
_DIFFERS: Final = "bold yellow"
_STYLES: Final[dict[Status, str]] = {
    "agree": "green",
    "conflict": "bold red",
    "unknown": "yellow",
    "likely": "yellow",
    "opposite": "magenta",
    "narrower": "magenta",
    "wider": "magenta",
    "overlap": "magenta",
}
"""Styles by status; a field that concerns neither side is not shown."""


class ReviewPair(Struct, frozen=True):
    """A pair to decide on, with both markets as they are listed now.

    ``candidate``: its row of the queue; of a pair that is suspended or not there, as compared now. ``suspended``: the
    approved mapping, where the terms of a market changed since; ``records``: of those markets. ``prices``: how their
    prices moved, "" where nothing tells.
    """

    candidate: QueuedPair
    first: Market
    second: Market
    suspended: ApprovedMapping | None = None
    records: tuple[ApprovedRecord, ...] = ()
    prices: str = ""


class _Word(Struct, frozen=True):
    text: str
    differs: bool


def page(pair: ReviewPair, width: int) -> list[Text]:
    """Return the lines that show a pair in ``width`` cells, each at most that wide; nothing of a venue is raw."""
    column = (width - _GAP) // 2
    lines = [*_suspended(pair, width, column), *_candidate(pair.candidate, width)]
    if pair.prices:
        lines += _wrapped(f"prices, which prove nothing: {pair.prices}", width, "dim")
    lines.append(Text("─" * width, style="dim"))
    lines += _beside((pair.first.venue, pair.second.venue), column, bold=True)
    lines += _beside((pair.first.market_id, pair.second.market_id), column)
    lines += _beside((pair.first.question, pair.second.question), column)
    lines += _beside((_close(pair.first), _close(pair.second)), column)
    lines.append(Text("─" * width, style="dim"))
    return lines + _beside((_rules(pair.first), _rules(pair.second)), column)


def _candidate(each: QueuedPair, width: int) -> Iterator[Text]:
    place = f"score {each.score:.3f} · candidate {each.rank} of its market" if each.rank else "not in the queue"
    head = f"{each.relation} · {place}"
    yield Text(sanitise(head, width), style="bold")
    yield from _findings(each.evidence, width)
    if each.union:
        yield from _wrapped(f"equals these together: {', '.join(each.union)}", width, "magenta")


def _suspended(pair: ReviewPair, width: int, column: int) -> Iterator[Text]:
    """Yield what changed of an approved pair since: in words, and the rules as approved beside those of now."""
    if pair.suspended is None:
        return
    head = f"suspended · approved by {pair.suspended.approved_by} at {iso_second(pair.suspended.approved_at)}"
    yield from _wrapped(head, width, "bold red")
    for words in in_words(pair.records):
        yield from _wrapped(words, width, "magenta")
    for each in pair.records:
        if each.approved is not None and each.approved.rules_hash != each.listed.rules_hash:
            before, now = f"{each.listed.market_id} as approved", f"{each.listed.market_id} now"
            yield Text("─" * width, style="dim")
            yield from _beside((before, now), column, bold=True)
            old = each.approved.description or "the text of these rules is not kept"
            yield from _beside((old, _rules(each.listed)), column)
    yield Text("─" * width, style="dim")


def _findings(evidence: Sequence[Finding], width: int) -> Iterator[Text]:
    for each in evidence:
        if each.status == "absent":
            continue
        sides = f": {each.first or '–'} | {each.second or '–'}" if each.first or each.second else ""
        yield from _wrapped(f"{each.status:>9} {each.field}{sides}", width, _STYLES[each.status])


def _wrapped(text: str, width: int, style: str) -> list[Text]:
    return [Text(line, style=style) for line in chop_cells(sanitise(text, RULES_CHARS_MAX), width)]


def _close(market: Market) -> str:
    return "no close stated" if market.close_time is None else f"closes {iso_time(market.close_time)}"


def _rules(market: Market) -> str:
    return market.description or "no rules stated"


def _beside(texts: tuple[str, str], column: int, *, bold: bool = False) -> list[Text]:
    """Return two texts in two columns with the words that only one of them has marked."""
    words = tuple(sanitise(" ".join(text.split()), RULES_CHARS_MAX).split(" ") for text in texts)
    left, right = (list(_lines(marked, column)) for marked in _marked(*words))
    found = []
    for index in range(max(len(left), len(right))):
        one = left[index] if index < len(left) else Text("")
        other = right[index] if index < len(right) else Text("")
        line = one + Text(" " * (column - one.cell_len + _GAP // 2) + "│" + " ") + other
        line.stylize("bold" if bold else "")
        found.append(line)
    return found


def _marked(left: list[str], right: list[str]) -> tuple[list[_Word], list[_Word]]:
    folded = [[word.casefold().strip(".,;:\"'“”()") for word in words] for words in (left, right)]
    # Exact for texts of usual length; for long ones common words are not aligned, which bounds the work.
    match = SequenceMatcher(None, folded[0], folded[1], autojunk=max(len(left), len(right)) > _ALIGNED_WORDS_MAX)
    shared: tuple[set[int], set[int]] = (set(), set())
    for block in match.get_matching_blocks():
        shared[0].update(range(block.a, block.a + block.size))
        shared[1].update(range(block.b, block.b + block.size))
    one, other = (
        [_Word(word, index not in same) for index, word in enumerate(words)]
        for words, same in zip((left, right), shared, strict=True)
    )
    return one, other


def _lines(words: Sequence[_Word], column: int) -> Iterator[Text]:
    """Yield lines of at most ``column`` cells; a word that is longer is cut into several."""
    line = Text("")
    for word in words:
        for part in chop_cells(word.text, column):
            if line.cell_len and line.cell_len + 1 + cell_len(part) > column:
                yield line
                line = Text("")
            if line.cell_len:
                line.append(" ")
            line.append(part, style=_DIFFERS if word.differs else "")
    yield line
