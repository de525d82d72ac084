"""A recording to replay: its events, what was stated meanwhile, and what it lacks."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import Gap, MarketChange, MarketEvent, MarketFact
from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.ports import Venue
from predsurv.state.market_cache import MarketCache
from predsurv.state.market_facts import MarketFacts
from predsurv.store.layout import NS_DAY, Dataset, Layout, Partition, date_of, day_files, how_to_record
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.facts import FactsQuery, count_unlisted, read_facts, related_markets
from predsurv.store.read.missing import MissingFile, missing_files
from predsurv.store.read.recorded import RecordedTime, recorded_time
from predsurv.store.read.recording_summary import RecordingSummary
from predsurv.store.read.replay import read_events, replay_query

PHASE_LOOKBACK: Final = NS_DAY
"""How long (ns) before the recording a phase of the whole venue may have begun that still holds: pauses last hours."""

_READ: Final[tuple[Dataset, ...]] = ("deltas", "trades", "coverage", "lifecycle")

_EVENTS: Final[tuple[Dataset, ...]] = ("deltas", "trades")
"""Either is something to replay: a feed without books has trades alone."""


EARLIEST: Final = 31 * NS_DAY
LATEST: Final = 84_006 * NS_DAY
"""Between these times (ns UTC) data can have been recorded: 1970-02-01 to 2199-12-31."""


class ReplaySpan(Struct, frozen=True):
    """The part of a recording to go through: from ``start`` to before ``end``, ns UTC."""

    start: int
    end: int

    def dates(self) -> tuple[str, ...]:
        """Return its days, YYYY-MM-DD."""
        return tuple(date_of(day) for day in range(self.start // NS_DAY * NS_DAY, self.end, NS_DAY))


class RecordedStretch(Struct, frozen=True):
    """Recorded days in one piece. ``without``: by collector the instruments of which another one's rows count."""

    span: ReplaySpan
    without: Mapping[str, frozenset[InstrumentKey]]


class Recording(Struct, frozen=True, kw_only=True):
    """What to replay.

    ``begin``, ``end`` (ns UTC): the first and the last moment at which any instrument was recorded. ``books``: the
    instruments with books; ``markets``: those whose changes are told. ``stretches``: the recorded days.
    ``statements``: what was stated after ``begin`` and is no row of the recording, and the gaps of missing files, in
    order.
    """

    layout: Layout
    venue: VenueName
    begin: int
    end: int
    books: frozenset[InstrumentKey]
    markets: frozenset[MarketId]
    stretches: tuple[RecordedStretch, ...]
    statements: tuple[MarketEvent, ...]
    summary: RecordingSummary

    def events(self) -> Iterator[MarketEvent]:
        """Yield what was recorded and stated, in order; raises IntegrityError and TransientError as ``replay``."""
        return _merged(self._recorded(), self.statements)

    def queries(self) -> tuple[ReplayQuery, ...]:
        """Return what is read of the files, in the order of time."""
        return tuple(
            ReplayQuery(
                self.venue, each.span.start, each.span.end, self.books, life_of=self.markets, without=each.without
            )
            for each in self.stretches
        )

    def _recorded(self) -> Iterator[MarketEvent]:
        for query in self.queries():
            yield from replay_query(self.layout, query)


def open_recording(data_dir: Path, venue: Venue, span: ReplaySpan, cache: MarketCache) -> Recording:
    """Return what was recorded of ``venue`` in ``span``, and fold into ``cache`` what was known when it began.

    Raises IntegrityError when there is no coverage, or a file is damaged, and ConfigError when nothing ever stated
    a market that was recorded.
    """
    layout, dates, recorded = Layout(data_dir), span.dates(), _recorded(data_dir, venue.name, span)
    first = _first_recorded(recorded)
    begin = min(first.values(), default=span.start)
    known = _know(data_dir, FactsQuery(venue.name, begin, span.end, frozenset(first)), cache)
    assumed = known.assumed(first)
    for each in assumed:
        if each.ts_recv <= begin:
            cache.apply(each)
    missing = missing_files(layout, venue.name, dates, _READ)
    keys = recorded.keys()
    books = _books(venue, keys, known)
    if not books:
        raise ConfigError(
            f"{venue.name}: of the {len(keys):,} instruments recorded from {dates[0]} to {dates[-1]} none has a "
            f"listing; run 'predsurv scan {venue.name}'"
        )
    told: list[MarketEvent] = [*known.later, *(each for each in assumed if each.ts_recv > begin)]
    whole = ReplaySpan(begin, span.end)
    gaps = [*_gaps(missing, recorded, books), *_gaps_of_days(whole, recorded, books)]
    gaps += [*_gaps_of_changes(whole, recorded, books), *_gaps_of_ends(recorded, books)]
    told += [replace(each, ts_recv=max(each.ts_recv, begin)) for each in gaps]
    last = max(each.last for each in recorded.spans)
    before = {each.market_id for each in assumed}
    return Recording(
        layout=layout,
        venue=venue.name,
        begin=begin,
        end=last,
        books=books,
        markets=frozenset(known.markets),
        stretches=tuple(_stretches(span, begin, recorded)),
        statements=tuple(sorted((each for each in told if each.ts_recv <= last), key=_time)),
        summary=RecordingSummary(
            listed=count_unlisted(keys, known.markets),
            assumed=sum(key.market_id in before for key in keys),
            without_trades=len(recorded.without_trades()),
            not_recorded=tuple(date for date in dates if date not in recorded.dates),
            missing=tuple(missing),
            polled=len(recorded.polled()),
            repeated=len(recorded.several()),
            loaded=_loaded(recorded),
            without_books=len(recorded.without_books()),
        ),
    )


def require_possible(data_dir: Path, venue: VenueName, span: ReplaySpan) -> None:
    """Raise ConfigError, naming the days that were recorded, for a time that nothing can have been recorded in."""
    if span.start < EARLIEST or span.end > LATEST:
        raise _not_recorded(data_dir, venue, f"days can be from {date_of(EARLIEST)} to {date_of(LATEST - 1)}")


def require_recorded(data_dir: Path, venue: VenueName, span: ReplaySpan) -> None:
    """Raise ConfigError, naming the days that were recorded, when none of ``span`` was."""
    require_possible(data_dir, venue, span)
    if not any(day_files(data_dir, name, venue, date) for date in span.dates() for name in _EVENTS):
        raise _not_recorded(data_dir, venue, "these days were not recorded")


def _not_recorded(data_dir: Path, venue: VenueName, what: str) -> ConfigError:
    folders = [Layout(data_dir).folder(Partition(name, venue, "", None)).parent for name in _EVENTS]
    days = sorted({path.name.removeprefix("date=") for folder in folders for path in folder.glob("date=*")})
    there = f"nothing of it; {how_to_record(venue)}"
    if days:
        there = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return ConfigError(f"{venue}: {what}; in {data_dir} there is {there}")


def _loaded(recorded: RecordedTime) -> int:
    """Return how long (ns) any instrument was recorded, from its first to its last covered moment."""
    total, until = 0, 0
    for each in sorted(recorded.spans, key=lambda span: span.first):
        total += max(0, each.last - max(each.first, until))
        until = max(until, each.last)
    return total


def _recorded(data_dir: Path, venue: VenueName, span: ReplaySpan) -> RecordedTime:
    """Return what was recorded in ``span``; raises IntegrityError when there is no coverage, or a file is damaged."""
    recorded, dates = recorded_time(data_dir, venue, span.start, span.end), span.dates()
    if not recorded.dates:
        raise IntegrityError(
            f"{venue}: no coverage of {dates[0]} to {dates[-1]} in {data_dir}, so that quiet time cannot be told "
            "from time that was not observed; see 'predsurv verify'"
        )
    return recorded


def _first_recorded(recorded: RecordedTime) -> dict[MarketId, int]:
    first: dict[MarketId, int] = {}
    for each in recorded.spans:
        first[each.key.market_id] = min(each.first, first.get(each.key.market_id, each.first))
    return first


def _time(event: MarketEvent) -> int:
    return event.ts_recv


def _know(data_dir: Path, query: FactsQuery, cache: MarketCache) -> "_KnownAtBegin":
    """Fold what is stated of the recorded markets and the others of their events into ``cache``."""
    known = _KnownAtBegin(cache, query.start)
    for fact in read_facts(data_dir, replace(query, markets=related_markets(data_dir, query))):
        known.add(fact)
    phases = ReplayQuery(query.venue, query.start - PHASE_LOOKBACK, query.start, frozenset(), datasets=("lifecycle",))
    for event in read_events(Layout(data_dir), phases):
        cache.apply(event)
    cache.advance(query.start)
    return known


def _books(venue: Venue, recorded: Iterable[InstrumentKey], known: "_KnownAtBegin") -> frozenset[InstrumentKey]:
    """Return the recorded instruments of known markets that have a book of their own."""
    mirrored = venue.traits.complementary_outcomes
    found = ((key, known.markets.get(key.market_id)) for key in recorded)
    return frozenset(
        key for key, market in found if market is not None and market.primary_of(key, mirrored=mirrored) == key
    )


class _KnownAtBegin:
    """Folds statements into ``cache`` up to ``begin`` (ns UTC), and keeps what is stated later.

    ``markets``: those that anything stated, as it first did. ``later``: listings after ``begin``, in order. What the
    recording itself states later is told by its replay.
    """

    def __init__(self, cache: MarketCache, begin: int) -> None:
        self.markets: dict[MarketId, Market] = {}
        self.later: list[MarketChange] = []
        self._cache, self._begin = cache, begin
        self._unknown = MarketFacts()  # of markets that were not known at the beginning
        self._born: dict[MarketId, MarketChange] = {}  # their first whole records

    def add(self, fact: MarketFact) -> None:
        """Add a statement; call in the order of receipt."""
        if isinstance(fact, MarketChange) and fact.market is not None:
            self.markets.setdefault(fact.market_id, fact.market)
        if fact.ts_recv <= self._begin:
            self._cache.apply(fact)
        elif isinstance(fact, MarketChange) and fact.kind == "listed":
            self.later.append(fact)
        if self._cache.market(fact.venue, fact.market_id) is None:
            self._unknown.add(fact)
            if isinstance(fact, MarketChange) and fact.market is not None:
                self._born.setdefault(fact.market_id, fact)

    def assumed(self, recorded: Mapping[MarketId, int]) -> list[MarketChange]:
        """Return what is assumed of markets that were ``recorded`` (since when, ns UTC) before they were stated.

        Where nothing was stated of any market of an event before it was recorded, its other markets come along: a
        set of outcomes must not be taken for complete without them.
        """
        events: dict[EventId, int] = {}
        for market_id, born in self._born.items():
            since, event_id = recorded.get(market_id), _event_of(born)
            if born.kind == "listed" and since is not None and not self._cache.siblings(born.venue, event_id):
                events[event_id] = min(since, events.get(event_id, since))
        assumed = []
        for market_id, born in self._born.items():
            times = [recorded.get(market_id), events.get(_event_of(born)) if born.kind == "listed" else None]
            since = min((each for each in times if each is not None), default=born.ts_recv)
            if since < born.ts_recv:
                assumed.append(self._assume(born, since, was_recorded=market_id in recorded))
        return assumed

    def _assume(self, born: MarketChange, since: int, *, was_recorded: bool) -> MarketChange:
        known = self._unknown.at(born.market_id, since)
        assert known is not None  # noqa: S101 - born has a whole record
        market = known.market
        if was_recorded and "status" in market.assumed:
            market = replace(market, status="active", tradable=True)
        return MarketChange(born.venue, born.market_id, None, since, None, "listed", "", market)


def _event_of(born: MarketChange) -> EventId:
    assert born.market is not None  # noqa: S101 - only whole records are kept
    return born.market.event_id


def _gaps(missing: Iterable[MissingFile], recorded: RecordedTime, books: frozenset[InstrumentKey]) -> Iterator[Gap]:
    """Yield a gap of every instrument that a missing file may have been about, from its first row on."""
    for file in missing:
        if file.dataset == "lifecycle":
            continue
        keys = {
            span.key
            for span in recorded.spans
            if span.collector == file.collector and span.first <= file.hi and span.last >= file.lo
        }
        if file.dataset == "coverage" or not keys:
            keys = set(books)  # who was recorded by whom is not known
        keys -= recorded.repeated.get(date_of(file.lo), {}).get(file.collector, frozenset())
        for key in sorted(keys & books):
            yield Gap(key, file.lo, "file_missing", 0)


def _gaps_of_days(span: ReplaySpan, recorded: RecordedTime, books: frozenset[InstrumentKey]) -> Iterator[Gap]:
    """Yield a gap of every instrument where a day begins of which nothing is known."""
    for day in range(span.start // NS_DAY * NS_DAY, span.end, NS_DAY):
        if date_of(day) not in recorded.dates:
            for key in sorted(books):
                yield Gap(key, day, "file_missing", 0)


def _gaps_of_changes(span: ReplaySpan, recorded: RecordedTime, books: frozenset[InstrumentKey]) -> Iterator[Gap]:
    """Yield a gap at each midnight of those of which another collector's rows may count from then on."""
    for day in range(span.start // NS_DAY * NS_DAY + NS_DAY, span.end, NS_DAY):
        before, after = (recorded.repeated.get(date_of(each), {}) for each in (day - NS_DAY, day))
        if before != after:
            concerned = frozenset[InstrumentKey]().union(*before.values(), *after.values())
            for key in sorted(books & concerned):
                yield Gap(key, day, "subscribing", 0)


def _gaps_of_ends(recorded: RecordedTime, books: frozenset[InstrumentKey]) -> Iterator[Gap]:
    """Yield a gap where a collector observed an instrument last: no row says that it stopped, such as by rotation.

    None at the very end, and none of rows that do not count.
    """
    end = max(each.last for each in recorded.spans)
    for each in recorded.spans:
        left_out = recorded.repeated.get(date_of(each.last - 1), {}).get(each.collector, frozenset())
        if each.key in books and each.key not in left_out and each.last < end:
            yield Gap(each.key, each.last, "rotated_out", 0)


def _stretches(span: ReplaySpan, begin: int, recorded: RecordedTime) -> Iterator[RecordedStretch]:
    """Yield the recorded days of ``span``, adjacent ones in one piece where the rows of the same collectors count."""
    pieces: list[RecordedStretch] = []
    for day in range(span.start // NS_DAY * NS_DAY, span.end, NS_DAY):
        if date_of(day) in recorded.dates:
            start, end = max(day, begin), min(day + NS_DAY, span.end)
            without = recorded.repeated.get(date_of(day), {})
            if pieces and pieces[-1].span.end == start and pieces[-1].without == without:
                start = pieces.pop().span.start
            pieces.append(RecordedStretch(ReplaySpan(start, end), without))
    return iter(pieces)


def _merged(events: Iterator[MarketEvent], statements: Iterable[MarketEvent]) -> Iterator[MarketEvent]:
    """Yield ``events`` with ``statements``, both in order; at the same time statements come first."""
    waiting = iter(statements)
    statement = next(waiting, None)
    for event in events:
        while statement is not None and statement.ts_recv <= event.ts_recv:
            yield statement
            statement = next(waiting, None)
        yield event
        if statement is None:
            yield from events
    if statement is not None:
        yield statement
    yield from waiting
