"""Recorded data for reading: what ``predsurv.open`` returns."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from predsurv.api.fetching import fetch_span
from predsurv.api.frames import market_frame, markets_known, recorded_rows, with_names
from predsurv.api.times import Time, to_ns, to_span
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.events import BookDelta, BookSnapshot, Gap, GapReason, Level, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import complement
from predsurv.core.text import path_component, sanitise
from predsurv.net.clock import SystemClock
from predsurv.state.book import Book
from predsurv.store.layout import NS_DAY, NS_HOUR, Dataset, date_of
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.read.replay import replay
from predsurv.venues.registry import open_venue

Instruments = Iterable[str | InstrumentKey]
"""Instruments by id or key."""


class BookAt(Struct, frozen=True):
    """The whole book of an instrument at ``at``; levels are (price, size) in micros, best first.

    ``ts``: receive time of its last event (ns UTC), 0 before any. ``trusted``: it was known then, and not crossed;
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


class Data:
    """What was recorded in a data folder, or in a bucket, whose files are fetched as they are needed.

    Methods raise IntegrityError for a damaged file, and ConfigError for a venue or a time that cannot be understood.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def markets(self, venue: str, at: Time | None = None) -> pl.DataFrame:
        """Return every market of a venue as known at ``at`` (default: now), one row each, in the order of their ids.

        Prices, sizes and money in dollars and shares; null where nobody stated it. ``outcomes``: a list of
        (instrument_id, label). ``assumed``: the columns that hold an assumption.
        """
        ts = SystemClock().now() if at is None else to_ns(at)
        fetch_span(self.config, venue, ReplaySpan(ts, ts + 1))
        return market_frame(markets_known(self.config.data_dir, venue, ts))

    def book(self, venue: str, instrument: str | InstrumentKey, at: Time) -> BookAt:
        """Return the exact book of an instrument at ``at``; of the second outcome of a mirrored market the mirror.

        Raises ConfigError for an instrument that was not recorded on that day.
        """
        ts = to_ns(at)
        span = ReplaySpan(ts - ts % NS_HOUR, ts + 1)  # every hour begins with the whole book
        fetch_span(self.config, venue, span)
        traded = self._traded(venue, instrument, ts)
        book, reason = Book(traded.primary), None
        events = replay(self.config.data_dir, VenueName(venue), span.start, span.end, frozenset({traded.primary}))
        for event in events:
            if isinstance(event, BookSnapshot | Gap | BookDelta) and event.key == traded.primary:
                book.apply(event)
                reason = event.reason if isinstance(event, Gap) else reason
        trusted, missing = book.trusted and not book.crossed(), None if book.trusted else reason
        levels = book.bids.levels(), book.asks.levels()
        found = BookAt(traded.primary, ts, book.ts_recv, *levels, trusted, missing)
        return found if traded.key == traded.primary else _mirrored(found, traded.key)

    def events(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None
    ) -> Iterator[MarketEvent]:
        """Yield what was recorded from ``start`` to before ``end`` as events, in the order of receipt.

        See ``predsurv.core.events``: prices and sizes in micros, times in ns. Of several collectors all rows.
        """
        span = to_span(start, end)
        fetch_span(self.config, venue, span)
        wanted = None if instruments is None else frozenset(self._key(venue, each, span) for each in instruments)
        return replay(self.config.data_dir, VenueName(venue), span.start, span.end, wanted)

    def snapshots(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None, *, names: bool = False
    ) -> pl.LazyFrame:
        """Return the recorded tops of books; columns as in docs/data-files.md, ``question`` and ``outcome`` with names.

        Like all of these frames: rows from ``start`` to before ``end``; prices in dollars, sizes in shares; lazy, so
        that only what is asked for is read; without rows where nothing was recorded.
        """
        return self._rows("snapshots", venue, to_span(start, end), instruments, names=names)

    def deltas(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None, *, names: bool = False
    ) -> pl.LazyFrame:
        """Return every recorded change of a book, as ``snapshots`` does."""
        return self._rows("deltas", venue, to_span(start, end), instruments, names=names)

    def trades(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None, *, names: bool = False
    ) -> pl.LazyFrame:
        """Return the recorded public trades, as ``snapshots`` does."""
        return self._rows("trades", venue, to_span(start, end), instruments, names=names)

    def coverage(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None, *, names: bool = False
    ) -> pl.LazyFrame:
        """Return what was observed and what was not, as ``snapshots`` does: the pieces that overlap the span, uncut."""
        return self._rows("coverage", venue, to_span(start, end), instruments, names=names)

    def stats(self, venue: str, day: Time) -> pl.DataFrame:
        """Return the statistics of a day, one row for each instrument; raises ConfigError when it was not mined."""
        text = date_of(to_ns(day))
        folder = self.config.data_dir / "stats" / f"venue={path_component(venue)}" / f"date={text}"
        if not (folder / "stats.parquet").is_file():
            raise ConfigError(f"no statistics of {sanitise(venue, 40)} on {text}; run 'predsurv mine' for that day")
        return pl.read_parquet(folder / "stats.parquet", hive_partitioning=False)

    def _rows(
        self, dataset: Dataset, venue: str, span: ReplaySpan, instruments: Instruments | None, *, names: bool
    ) -> pl.LazyFrame:
        fetch_span(self.config, venue, span)
        rows = recorded_rows(self.config.data_dir, dataset, venue, span)
        if instruments is not None:
            rows = rows.filter(pl.col("instrument_id").is_in([_id(each) for each in instruments]))
        return with_names(rows, markets_known(self.config.data_dir, venue, span.end, later=True)) if names else rows

    def _key(self, venue: str, instrument: str | InstrumentKey, span: ReplaySpan) -> InstrumentKey:
        """Return the key of a recorded instrument."""
        if isinstance(instrument, InstrumentKey):
            return instrument
        day = span.start - span.start % NS_DAY
        rows = self._rows("coverage", venue, ReplaySpan(day, max(span.end, day + NS_DAY)), [instrument], names=False)
        found = rows.select(pl.col("market_id").cast(pl.String)).first().collect()
        if found.is_empty():
            raise ConfigError(f"{sanitise(venue, 40)}: {sanitise(instrument, 80)} was not recorded in that time")
        return InstrumentKey(VenueName(venue), MarketId(found.item()), InstrumentId(instrument))

    def _traded(self, venue: str, instrument: str | InstrumentKey, ts: int) -> _Traded:
        name = _id(instrument)
        for market in markets_known(self.config.data_dir, venue, ts, later=True):
            key = next((each for each in market.keys() if each.instrument_id == name), None)  # noqa: SIM118
            if key is not None:
                mirrored = open_venue(venue, self.config, SystemClock()).traits.complementary_outcomes
                return _Traded(key, market.primary_of(key, mirrored=mirrored))
        key = self._key(venue, instrument, ReplaySpan(ts, ts + 1))
        return _Traded(key, key)


def open_data(location: str | Path = "data", config: str | Path | None = None) -> Data:
    """Return the data of a folder, or of a bucket (``s3://…``); nothing is read yet.

    ``config``: the configuration whose other settings hold, looked up as ``--config`` is. Raises ConfigError.
    """
    loaded = load(config, flags={"data_dir": str(location)}).config
    if not loaded.bucket and not loaded.data_dir.is_dir():
        raise ConfigError(f"{loaded.data_dir}: no such folder; record something with 'predsurv collect', or try demo")
    return Data(loaded)


def _id(instrument: str | InstrumentKey) -> str:
    return instrument.instrument_id if isinstance(instrument, InstrumentKey) else instrument


def _mirrored(book: BookAt, key: InstrumentKey) -> BookAt:
    bids = tuple((complement(price), size) for price, size in book.asks)
    asks = tuple((complement(price), size) for price, size in book.bids)
    return replace(book, key=key, bids=bids, asks=asks)
