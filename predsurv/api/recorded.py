"""What of a recording a span touches: its files, the markets known of it, its coverage. Imports no polars."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.state.market_facts import MarketFacts
from predsurv.store.conform import conformed, expect_columns
from predsurv.store.layout import NS_DAY, Dataset, date_of, day_files, end_of, parse_file, start_of
from predsurv.store.read.facts import FactsQuery, read_facts
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.schema import schema_of

_SCHEMA: Final = schema_of("coverage", 0)


class CoveragePiece(NamedTuple):
    """A row of coverage: what was known of an instrument from ``start`` to before ``end``, ns UTC."""

    market_id: str
    instrument_id: str
    state: str
    reason: str
    start: int
    end: int


_PIECES: Final = pa.schema([_SCHEMA.field(name) for name in CoveragePiece._fields])


def markets_known(data_dir: Path, venue: str, ts: int, *, later: bool = False) -> tuple[Market, ...]:
    """Return the markets of a venue as known at ``ts`` (ns UTC), in the order of their ids.

    ``later``: also those that are known of later statements only, for what does not change: names and outcomes.
    Raises IntegrityError naming a damaged file.
    """
    facts = MarketFacts(read_facts(data_dir, FactsQuery(VenueName(venue), ts, ts + 1)))
    known = (facts.at(market_id, ts) for market_id in sorted(facts.market_ids()))
    return tuple(each.market for each in known if each is not None and (later or each.market.fetched_at <= ts))


def span_files(data_dir: Path, dataset: Dataset, venue: VenueName, span: ReplaySpan) -> list[Path]:
    """Return the files of a dataset whose hours or days a span touches, oldest first."""
    found: list[Path] = []
    for day in range(span.start // NS_DAY * NS_DAY, span.end, NS_DAY):
        for path in day_files(data_dir, dataset, venue, date_of(day)):
            partition = parse_file(path)[0]
            if start_of(partition) < span.end and end_of(partition) > span.start:
                found.append(path)
    return found


def coverage_pieces(data_dir: Path, venue: str, span: ReplaySpan, column: str, text: str) -> Iterator[CoveragePiece]:
    """Yield the rows of coverage that overlap a span and have ``text`` in ``column``, in the order of the files.

    Raises IntegrityError naming a file that is damaged or lacks a column.
    """
    for path in span_files(data_dir, "coverage", VenueName(venue), span):
        yield from _pieces(path, span, column, text)


def _pieces(path: Path, span: ReplaySpan, column: str, text: str) -> list[CoveragePiece]:
    found: list[CoveragePiece] = []
    try:
        with pq.ParquetFile(path) as file:
            expect_columns(path, file.schema_arrow.names, _SCHEMA.names)
            for batch in file.iter_batches(columns=_PIECES.names, use_threads=False):
                found += _of_batch(batch, span, column, text)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path} is damaged ({error}): run 'predsurv verify'") from error
    return found


def _of_batch(batch: Any, span: ReplaySpan, column: str, text: str) -> Iterator[CoveragePiece]:
    rows = conformed(pa.Table.from_batches([batch]), _PIECES, 0)
    rows = rows.filter(pc.equal(rows[column].cast(pa.string()), text))
    # Times as numbers: a time of Arrow's with ns becomes a Python object by way of pandas.
    times = [rows[name].cast(pa.int64()).to_pylist() for name in ("start", "end")]
    texts = [rows[name].cast(pa.string()).to_pylist() for name in CoveragePiece._fields[:-2]]
    for row in zip(*texts, *times, strict=True):
        piece = CoveragePiece(*row)
        if piece.start < span.end and piece.end > span.start:
            yield piece
