"""Find markets by what people remember of them: words of the title, a ticker, the end of a link.

Reads the fields that a search needs of each line of a universe file, not the whole record: lists are long.
"""

import heapq
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.market import MarketStatus, Outcome
from predsurv.core.num import parse_micros
from predsurv.core.text import sanitise
from predsurv.scan.eligibility import OVER
from predsurv.store.universe import LINE_BYTES_MAX, UNREADABLE, universe_files, universe_venues

LISTS_READ_MAX: Final = 31
"""Universe files of a venue, newest first, in which closed markets are looked for."""

_WORD: Final = re.compile(r"\w+")
_NAMED: Final = 5
_EXACT, _WORDS, _STARTS, _WITHIN, _ELSEWHERE = range(5)


class SearchLine(Struct, frozen=True):
    """What a search needs of a line of universe.jsonl; decimals and times as they are there."""

    venue: VenueName
    market_id: str
    event_id: str
    question: str
    outcomes: tuple[Outcome, ...]
    status: MarketStatus
    tradable: bool
    fetched_at: str
    tags: tuple[str, ...] = ()
    category: str | None = None
    series_id: str | None = None
    url: str | None = None
    volume_24h: str | None = None
    liquidity: str | None = None
    close_time: str | None = None
    last_seen: str | None = None
    tick_size: str | None = None

    @property
    def slug(self) -> str:
        """The last part of the market's address, empty where it has none."""
        return (self.url or "").rstrip("/").rpartition("/")[2]

    @property
    def is_over(self) -> bool:
        """Whether it is closed or settled, or the venue's list has it no more."""
        return self.status in OVER or self.last_seen is not None


class MarketSearch(Struct, frozen=True, kw_only=True):
    """What to look for: every word of ``text`` in a market of ``venues`` (none: all), of ``category`` if any is given.

    ``closed``: also those that are over, in older lists as well. ``top``: most of them to return.
    """

    text: str = ""
    venues: Sequence[str] = ()
    category: str | None = None
    closed: bool = False
    top: int = 20


class SearchResult(Struct, frozen=True):
    """The best ``markets`` of ``found``, best first; ``over``: those left out because they are over.

    ``searched``: markets looked at. ``exact``: how many of the first are named by the text itself, as an id or slug.
    """

    markets: tuple[SearchLine, ...]
    found: int
    over: int
    searched: int
    exact: int


class _Found(NamedTuple):
    rank: tuple[int, bool, int, str, str]
    line: SearchLine


_DECODER: Final = msgspec.json.Decoder(SearchLine)


def search(data_dir: Path, wanted: MarketSearch) -> SearchResult:
    """Return the markets that match, from the lists in ``data_dir``.

    Ranked by how they match: an id or slug that is the text; words of the title; beginnings of its words; parts of it;
    anything else of it (ids, outcomes, category, tags). Then by whether it trades, and by the volume of 24 hours.
    Raises ConfigError when nothing is listed, IntegrityError naming a line that cannot be read.
    """
    venues = wanted.venues or universe_venues(data_dir)
    files = {name: list(universe_files(data_dir, VenueName(name)).values()) for name in venues}
    if not any(files.values()):
        of = f" of {', '.join(sanitise(each, 40) for each in wanted.venues)}" if wanted.venues else ""
        raise ConfigError(f"no list of markets{of} in {data_dir}; run 'predsurv scan' first")
    counts = dict.fromkeys(("found", "over", "searched", "exact"), 0)
    lines = _counted(_lines(files.values(), closed=wanted.closed), counts)
    best = heapq.nsmallest(wanted.top, _matches(lines, wanted, counts), key=attrgetter("rank"))
    return SearchResult(tuple(each.line for each in best), **counts)


def find_one(data_dir: Path, text: str, venues: Sequence[str] = ()) -> SearchLine:
    """Return the one market that ``text`` names, closed or not, or is in the title of.

    Raises ConfigError when there is none, or when there are several, naming some.
    """
    found = search(data_dir, MarketSearch(text=text, venues=venues, closed=True, top=_NAMED))
    shown = sanitise(text, 60)
    if found.exact == 1 or found.found == 1:
        return found.markets[0]
    if not found.found:
        raise ConfigError(f"no market is called {shown!r}; 'predsurv markets TEXT' searches the lists")
    names = "; ".join(f"{sanitise(each.market_id, 80)} ({sanitise(each.question, 60)})" for each in found.markets)
    more = f"; {found.found - _NAMED:,} more" if found.found > _NAMED else ""
    raise ConfigError(f"{found.found:,} markets have {shown!r}; say more of it, or give an id: {names}{more}")


def level_of(line: SearchLine, text: str) -> int | None:
    """Return how well ``text`` matches a market, 0 best, None when a word of it is nowhere in it."""
    wanted = plain(text)
    names = [plain(each) for each in (line.market_id, line.slug, *(each.instrument_id for each in line.outcomes))]
    if wanted and wanted in names:
        return _EXACT
    words = _WORD.findall(wanted)
    title = plain(line.question)
    if all(word in title for word in words):
        told = _WORD.findall(title)
        if all(word in told for word in words):
            return _WORDS
        starts = all(any(each.startswith(word) for each in told) for word in words)
        return _STARTS if starts else _WITHIN
    rest = (
        line.event_id,
        line.series_id or "",
        line.category or "",
        *line.tags,
        *(each.label for each in line.outcomes),
    )
    everything = " ".join([title, *names, *map(plain, rest)])
    return _ELSEWHERE if all(word in everything for word in words) else None


def plain(text: str) -> str:
    """Return ``text`` without case and accents, as it is typed on any keyboard."""
    if text.isascii():
        return text.lower()
    return "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))


def _matches(lines: Iterable[SearchLine], wanted: MarketSearch, counts: dict[str, int]) -> Iterator[_Found]:
    category = None if wanted.category is None else wanted.category.casefold()
    for line in lines:
        level = level_of(line, wanted.text)
        if level is None or category not in (None, (line.category or "").casefold()):
            continue
        if line.is_over and not wanted.closed:
            counts["over"] += 1
            continue
        counts["found"] += 1
        counts["exact"] += level == _EXACT
        yield _Found((level, not line.tradable or line.is_over, -_volume(line), line.venue, line.market_id), line)


def _volume(line: SearchLine) -> int:
    try:
        return parse_micros(line.volume_24h or "0")
    except ValueError:  # what cannot be read ranks last
        return 0


def _counted(lines: Iterable[SearchLine], counts: dict[str, int]) -> Iterator[SearchLine]:
    for line in lines:
        counts["searched"] += 1
        yield line


def _lines(venues: Iterable[Sequence[Path]], *, closed: bool) -> Iterator[SearchLine]:
    """Yield each market of each venue by its newest line: of the newest lists, with ``closed`` of older ones too."""
    for paths in venues:
        seen = set[str]()
        for path in [*reversed(paths)][: LISTS_READ_MAX if closed else 1]:
            yield from _new_lines(path, seen if closed else None)


def _new_lines(path: Path, seen: set[str] | None) -> Iterator[SearchLine]:
    with path.open("rb") as file:
        number = 0
        while text := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            try:
                line = _DECODER.decode(text)
            except UNREADABLE as error:
                raise IntegrityError(f"{path}, line {number}: {error}; run 'predsurv scan' again") from error
            if seen is None:
                yield line
            elif line.market_id not in seen:
                seen.add(line.market_id)
                yield line
