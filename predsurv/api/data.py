"""Recorded data for reading: what ``predsurv.open`` returns."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from predsurv.api.books import BookAt, book_at, recorded_key
from predsurv.api.fetching import fetch_span
from predsurv.api.frames import market_frame, recorded_rows, with_names
from predsurv.api.recorded import markets_known
from predsurv.api.times import Time, to_ns, to_span
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.text import path_component, sanitise
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Dataset, date_of
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.read.replay import replay

Instruments = Iterable[str | InstrumentKey]
"""Instruments by id or key."""


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
        return book_at(self.config, venue, instrument, to_ns(at))

    def events(
        self, venue: str, start: Time, end: Time, instruments: Instruments | None = None
    ) -> Iterator[MarketEvent]:
        """Yield what was recorded from ``start`` to before ``end`` as events, in the order of receipt.

        See ``predsurv.core.events``: prices and sizes in micros, times in ns. Of several collectors all rows.
        """
        span = to_span(start, end)
        fetch_span(self.config, venue, span)
        wanted = (
            None
            if instruments is None
            else frozenset(recorded_key(self.config, venue, each, span) for each in instruments)
        )
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
