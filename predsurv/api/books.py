"""The exact recorded book of an instrument at a moment. Imports no polars, so that one is shown quickly."""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.api.fetching import fetch_span
from predsurv.api.recorded import coverage_pieces, markets_known
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.events import BookDelta, BookSnapshot, Gap, GapReason, Level
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import complement
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.state.book import Book
from predsurv.store.layout import NS_DAY, NS_HOUR
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.read.replay import replay
from predsurv.venues.registry import open_venue


class BookAt(Struct, frozen=True):
    """The whole book of an instrument at ``at``; levels are (price, size) in micros, best first.

    ``ts``: receive time of its last event (ns UTC), 0 before any; the beginning of the hour, which every hour's files
    state as a whole book, where nothing changed since. ``trusted``: it was known then, and not crossed;
    ``reason``: of the gap where it was not known, None otherwise.
    """

    key: InstrumentKey
    at: int
    ts: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    trusted: bool
    reason: GapReason | None


class _Traded(NamedTuple):
    """An instrument, and the one in whose book it trades."""

    key: InstrumentKey
    primary: InstrumentKey


def book_at(config: Config, venue: str, instrument: str | InstrumentKey, ts: int) -> BookAt:
    """Return the exact book of an instrument at ``ts`` (ns UTC); of the second outcome of a mirrored market the mirror.

    Raises ConfigError for an instrument that was not recorded on that day.
    """
    span = ReplaySpan(ts - ts % NS_HOUR, ts + 1)  # every hour begins with the whole book
    fetch_span(config, venue, span)
    traded = _traded(config, venue, instrument, ts)
    book, reason = Book(traded.primary), None
    events = replay(config.data_dir, VenueName(venue), span.start, span.end, frozenset({traded.primary}))
    for event in events:
        if isinstance(event, BookSnapshot | Gap | BookDelta) and event.key == traded.primary:
            book.apply(event)
            reason = event.reason if isinstance(event, Gap) else reason
    trusted, missing = book.trusted and not book.crossed(), None if book.trusted else reason
    levels = book.bids.levels(), book.asks.levels()
    found = BookAt(traded.primary, ts, book.ts_recv, *levels, trusted, missing)
    return found if traded.key == traded.primary else _mirrored(found, traded.key)


def recorded_key(config: Config, venue: str, instrument: str | InstrumentKey, span: ReplaySpan) -> InstrumentKey:
    """Return the key of an instrument; raises ConfigError for an id that was not recorded on the days of ``span``."""
    if isinstance(instrument, InstrumentKey):
        return instrument
    day = span.start - span.start % NS_DAY
    days = ReplaySpan(day, max(span.end, day + NS_DAY))
    fetch_span(config, venue, days)
    found = next(coverage_pieces(config.data_dir, venue, days, "instrument_id", instrument), None)
    if found is None:
        raise ConfigError(f"{sanitise(venue, 40)}: {sanitise(instrument, 80)} was not recorded in that time")
    return InstrumentKey(VenueName(venue), MarketId(found.market_id), InstrumentId(instrument))


def _traded(config: Config, venue: str, instrument: str | InstrumentKey, ts: int) -> _Traded:
    name = instrument.instrument_id if isinstance(instrument, InstrumentKey) else instrument
    for market in markets_known(config.data_dir, venue, ts, later=True):
        key = next((each for each in market.keys() if each.instrument_id == name), None)  # noqa: SIM118
        if key is not None:
            mirrored = open_venue(venue, config, SystemClock()).traits.complementary_outcomes
            return _Traded(key, market.primary_of(key, mirrored=mirrored))
    key = recorded_key(config, venue, instrument, ReplaySpan(ts, ts + 1))
    return _Traded(key, key)


def _mirrored(book: BookAt, key: InstrumentKey) -> BookAt:
    bids = tuple((complement(price), size) for price, size in book.asks)
    asks = tuple((complement(price), size) for price, size in book.bids)
    return replace(book, key=key, bids=bids, asks=asks)
