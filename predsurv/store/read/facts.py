"""What universe files and recordings state of markets, as statements with a time.

Every reader of recordings asks here: which name, tick, fee and status a market had at an instant is a fold of these
(see ``predsurv.state.market_facts``).
"""

from array import array
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from functools import partial
from hashlib import blake2b
from heapq import merge
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.events import MarketChange, MarketFact, MarketResolved
from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.state.market_facts import MarketFacts
from predsurv.store.layout import NS_DAY, Layout, Partition, date_of, day_files, start_of
from predsurv.store.listing_history import facts_of_line, statement, versions
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import read_events
from predsurv.store.read.verify_digests import retry_if_replaced
from predsurv.store.universe import (
    LINE_BYTES_MAX,
    UNREADABLE,
    date_in_force,
    line_ids,
    parse_iso,
    parse_line,
    universe_files,
)

LISTS_BEFORE: Final = 3 * NS_DAY
"""How long (ns) before the span lists and rows are read although a newer list is older than the span.

A list that repeats itself leaves what a row has stated since, so that a change is forgotten when all lists that are
read are later: a venue's list has caught up by then.
"""

NEIGHBOUR_FILES_MAX: Final = 7
"""Universe files before and after those of the span in which a market is looked for that none of them has."""

LOOKBACK_DAYS_MAX: Final = 31
"""Days before the span in whose lifecycle rows such a market is looked for."""

_EVENT_OF_RECORD: Final = (
    r'"market":\{"venue":"[^"]*","market_id":"(?:[^"\\]|\\.)*","event_id":"(?P<event>(?:[^"\\]|\\.)*)"'
)
_DIGEST_BYTES: Final = 8
_ENCODER: Final = msgspec.msgpack.Encoder()


class FactsQuery(Struct, frozen=True):
    """Which statements to read: of ``markets`` of ``venue`` (None: all), from ``start`` to before ``end`` (ns UTC)."""

    venue: VenueName
    start: int
    end: int
    markets: AbstractSet[MarketId] | None = None


class ListingCount(Struct, frozen=True):
    """How many of the ``recorded`` instruments are ``unlisted``: nothing ever stated the record of their market."""

    recorded: int
    unlisted: int

    def __str__(self) -> str:
        """``12 of 369 recorded instruments have no listing``"""
        verb = "has" if self.unlisted == 1 else "have"
        return f"{self.unlisted:,} of {self.recorded:,} recorded instruments {verb} no listing"


def count_unlisted(recorded: Iterable[InstrumentKey], known: Container[MarketId]) -> ListingCount:
    """Return how many of the ``recorded`` instruments belong to none of the ``known`` markets."""
    keys = frozenset(recorded)
    return ListingCount(len(keys), sum(key.market_id not in known for key in keys))


def known_markets(facts: MarketFacts) -> frozenset[MarketId]:
    """Return the markets whose whole record something stated."""
    return frozenset(market_id for market_id in facts.market_ids() if facts.at(market_id, 0) is not None)


def read_facts(data_dir: Path, query: FactsQuery) -> Iterator[MarketFact]:
    """Yield what is stated of markets, in the order of receipt.

    Everything stated from ``query.start`` to before its end, and before it as far back as is needed to know what held
    then: from the newest universe file of an earlier day on, and at least ``LISTS_BEFORE``. Where no file is that
    old, and for ``query.markets`` that none of these has, also what the nearest other files say
    (``NEIGHBOUR_FILES_MAX``), and older rows: their statements may be of a time after the end. A list that repeats
    itself states nothing.

    Raises IntegrityError naming a damaged line or file.
    """
    layout = Layout(data_dir)
    files = universe_files(data_dir, query.venue)
    needed = _needed_dates(files, query)
    begin = _begin(query, needed)
    span = replace(query, start=begin)
    with ExitStack() as stack:
        index = _ListingIndex(query.markets, stack)
        for date in needed:
            index.add(files[date])
        missing = _without_record(layout, span, index.found)
        if missing:
            for date in sorted(_neighbours(files, needed)):  # what says the same as the file before it is no statement
                index.add(files[date], missing)
        earlier = replace(query, start=begin - LOOKBACK_DAYS_MAX * NS_DAY, end=begin, markets=missing)
        yield from merge(
            index.facts(),
            _lifecycle(layout, span),
            _lifecycle(layout, earlier) if missing else (),
            key=lambda fact: fact.ts_recv,
        )


def listed_markets(data_dir: Path, query: FactsQuery) -> frozenset[MarketId]:
    """Return those of ``query.markets`` whose record anything states that ``read_facts`` reads; cheaper than that.

    Raises IntegrityError naming a damaged file.
    """
    wanted = frozenset(query.markets or ())
    missing = set(wanted)
    files = universe_files(data_dir, query.venue)
    needed = _needed_dates(files, query)
    for date in [*reversed(needed), *_neighbours(files, needed)]:
        if missing:
            missing.difference_update(ids.market_id for ids in _ids_of_lines(files[date]))
    begin = _begin(query, needed) - LOOKBACK_DAYS_MAX * NS_DAY
    rest = replace(query, start=begin, markets=frozenset(missing))
    return wanted - _without_record(Layout(data_dir), rest, frozenset())


def related_markets(data_dir: Path, query: FactsQuery) -> frozenset[MarketId]:
    """Return ``query.markets`` and every market that belongs to an event of theirs, as far as anything states it.

    Raises IntegrityError naming a damaged file.
    """
    wanted = frozenset(query.markets or ())
    members: dict[EventId, set[MarketId]] = {}
    for market_id, event_id in _ids_of_records(data_dir, query):
        members.setdefault(event_id, set()).add(market_id)
    return wanted.union(*(each for each in members.values() if not wanted.isdisjoint(each)))


class _RecordIds(NamedTuple):
    market_id: MarketId
    event_id: EventId


def _ids_of_records(data_dir: Path, query: FactsQuery) -> Iterator[_RecordIds]:
    files = universe_files(data_dir, query.venue)
    needed = _needed_dates(files, query)
    for date in needed:
        yield from _ids_of_lines(files[date])
    for day in range(_begin(query, needed), query.end, NS_DAY):
        yield from retry_if_replaced(partial(_ids_of_rows, data_dir, query.venue, date_of(day)))


def _ids_of_rows(data_dir: Path, venue: VenueName, date: str) -> list[_RecordIds]:
    """Return the markets of which a lifecycle row of a day has the record; a damaged file is left to ``read_facts``."""
    found = []
    for path in day_files(data_dir, "lifecycle", venue, date):
        with suppress(pa.ArrowInvalid, KeyError):
            rows = pq.read_table(path, columns=["market_id", "value"], partitioning=None)
            rows = rows.filter(pc.match_substring(rows["value"], '"market":{'))
            events = pc.struct_field(pc.extract_regex(rows["value"], _EVENT_OF_RECORD), "event").to_pylist()
            pairs = zip(rows["market_id"].to_pylist(), events, strict=True)
            found += [_RecordIds(market, msgspec.json.decode(f'"{event}"')) for market, event in pairs if event]
    return found


def _ids_of_lines(path: Path) -> Iterator[_RecordIds]:
    """Yield whose lines a universe file has; a damaged one is named when it is read as a whole."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 1):
            with suppress(*UNREADABLE):
                ids = line_ids(line)
                yield _RecordIds(ids.market_id, ids.event_id)


def _needed_dates(dates: Collection[str], query: FactsQuery) -> list[str]:
    """Return the dates of the universe files to read, oldest first."""
    first, last = date_of(query.start), date_of(max(query.end - 1, query.start))
    before = [date for date in dates if date < first]
    recent = [date for date in before if date >= date_of(query.start - LISTS_BEFORE)]
    within = sorted(date for date in dates if first <= date <= last)
    if before:
        return [*(sorted(recent) or [max(before)]), *within]
    nearest = date_in_force(dates, last)
    return within or ([] if nearest is None else [nearest])


def _neighbours(dates: Iterable[str], needed: Collection[str]) -> list[str]:
    """Return the dates beside those ``needed``, the nearest first and later ones before earlier ones."""
    ordered = sorted(dates)
    if not needed:
        return []
    later = [date for date in ordered if date > max(needed)][:NEIGHBOUR_FILES_MAX]
    earlier = [date for date in ordered if date < min(needed)][-NEIGHBOUR_FILES_MAX:]
    return [*later, *reversed(earlier)]


def _begin(query: FactsQuery, needed: Sequence[str]) -> int:
    """Return from when on (ns UTC) rows are read: the day of the oldest of the ``needed`` universe files."""
    recent = (query.start - LISTS_BEFORE) // NS_DAY * NS_DAY
    if not needed:
        return recent
    return min(recent, start_of(Partition("lifecycle", query.venue, needed[0], None)))


def _without_record(layout: Layout, span: FactsQuery, listed: AbstractSet[MarketId]) -> frozenset[MarketId]:
    """Return which of the wanted markets neither ``listed`` nor a lifecycle row of the span has the record of."""
    missing = set((span.markets or frozenset()) - listed)
    if missing:
        for fact in _lifecycle(layout, replace(span, markets=frozenset(missing))):
            if isinstance(fact, MarketChange) and fact.market is not None:
                missing.discard(fact.market_id)
    return frozenset(missing)


def _lifecycle(layout: Layout, query: FactsQuery) -> Iterator[MarketFact]:
    none = None if query.markets is None else frozenset[InstrumentKey]()
    wanted = ReplayQuery(
        query.venue, query.start, query.end, none, datasets=("lifecycle",), life_of=query.markets or frozenset()
    )
    for event in read_events(layout, wanted):
        if isinstance(event, MarketChange | MarketResolved):
            yield event


def _unreadable(path: str, line: int, error: Exception) -> IntegrityError:
    return IntegrityError(f"{path}, line {line}: {error}; run 'predsurv scan' again")


class _ListingIndex:
    """Where universe files state something new: 24 bytes a statement and a digest a market, not the records.

    ``wanted``: None for all markets. ``found``: the markets with a line in a file that was added. The files stay
    open on ``stack``, so that one that a scan replaces meanwhile is read to its end.
    """

    def __init__(self, wanted: AbstractSet[MarketId] | None, stack: ExitStack) -> None:
        self.found: set[MarketId] = set()
        self._wanted, self._stack = wanted, stack
        self._files: list[BinaryIO] = []
        self._said: dict[MarketId, bytes] = {}
        self._since, self._place, self._version = array("q"), array("q"), array("i")

    def add(self, path: Path, only: AbstractSet[MarketId] | None = None) -> None:
        """Enter the statements of a universe file, of ``only`` those markets; raises IntegrityError for a bad line."""
        try:
            file = self._stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            return  # retention removed it since it was listed
        wanted = self._wanted if only is None else only
        number, offset = len(self._files) << 40, 0
        self._files.append(file)
        count = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            count += 1
            try:
                if wanted is None or line_ids(line).market_id in wanted:
                    self._enter(line, number | offset)
            except UNREADABLE as error:
                raise _unreadable(str(path), count, error) from error
            offset += len(line)

    def facts(self) -> Iterator[MarketChange]:
        """Yield the statements in the order of their time; raises IntegrityError for a bad line."""
        for number in sorted(range(len(self._since)), key=self._since.__getitem__):
            place = self._place[number]
            file, offset = self._files[place >> 40], place & ((1 << 40) - 1)
            file.seek(offset)
            try:
                stated = statement(versions(parse_line(file.readline(LINE_BYTES_MAX + 1)))[self._version[number]])
            except UNREADABLE as error:
                file.seek(0)
                raise _unreadable(file.name, file.read(offset).count(b"\n") + 1, error) from error
            yield stated

    def _enter(self, line: bytes, place: int) -> None:
        parsed = parse_line(line)
        market_id = MarketId(parsed.market_id)
        self.found.add(market_id)
        for version, each in enumerate(versions(parsed)):
            says = blake2b(_ENCODER.encode(facts_of_line(each)), digest_size=_DIGEST_BYTES).digest()
            if self._said.get(market_id) == says:
                continue
            self._said[market_id] = says
            self._since.append(parse_iso(each.fetched_at))
            self._place.append(place)
            self._version.append(version)
