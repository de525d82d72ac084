"""External k-way merge of sorted data files in bounded memory, and digests that prove the rows are the same.

Every part is sorted by key, (instrument, market), then by time. Each is read piece by piece into a buffer.
``safe_key`` is the least of the last buffered keys, over all parts that have more to read. Invariant: no part
can still deliver a key below ``safe_key``, so the buffered rows below it are complete; they are sorted and
written. Rows of ``safe_key`` itself may continue in the next piece of a part and stay buffered. When no row
is below ``safe_key``, the parts that end in it read on: only a key larger than a piece costs more memory.

Two parts, a letter for the key, a digit for the time, two rows a piece:

    part 1: A1 A3 | B1 C1         part 2: A2 B2 | B3 D1
    buffers A1 A3         A2 B2       safe_key = min(A, B) = A     nothing below A: part 1 reads on
    buffers A1 A3 B1 C1   A2 B2       safe_key = min(C, B) = B     write A1 A2 A3
    buffers B1 C1         B2 B3 D1    safe_key = min(C, D) = C     write B1 B2 B3
    buffers C1            D1          no part has more to read     write C1 D1
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.store.conform import common_schema, conformed
from predsurv.store.layout import parse_file
from predsurv.store.schema import dictionary_array
from predsurv.store.seal.parquet_writer import ROW_GROUP_ROWS, ParquetSink
from predsurv.store.seal.runs import is_sorted

STEP_BYTES: Final = 32 << 20
"""Bytes of rows in all buffers together; more only where one instrument has more."""

STEP_ROWS_MIN: Final = 512
STEP_ROWS_MAX: Final = 16_384
"""Bounds of the rows in the buffer of each file, whatever STEP_BYTES allows."""

BUFFER_BYTES: Final = 1 << 16
"""Bytes of a column read at a time."""

GROUP_BYTES_MAX: Final = 64 << 20
"""Most bytes of rows collected for one row group."""

_IDS: Final = ("instrument_id", "market_id")
_DICTIONARY_COLUMNS: Final = ("kind", "side", "taker_side", "state", "reason", "trades", "lifecycle")
_Key = tuple[str, str]
_EMPTY: Final = pa.scalar("")
RowTransform = Callable[[Any], Any]
"""Takes a table of rows and returns the rows to keep, possibly changed; it must keep their order."""


def keep_all(table: Any) -> Any:
    """Return ``table`` unchanged."""
    return table


def merged_schema(parts: Sequence[Path]) -> Any:
    """Return the schema of a file with the rows of ``parts``, None when no table has the columns of all.

    Raises IntegrityError when one is damaged or lacks a column.
    """
    schemas = []
    for part in parts:
        with _open(part) as file:
            schemas.append(file.schema_arrow)
    return common_schema(parts, schemas, (*_IDS, *_DICTIONARY_COLUMNS))


class MergeSummary(Struct, frozen=True):
    """Number of rows of a merged file; ``lo``, ``hi``: their least and greatest time, ns UTC."""

    rows: int
    lo: int
    hi: int


class _SortedPart:
    """A sorted file and its buffer: ``rows`` are read and not yet taken; ``exhausted``: there is no more to read."""

    def __init__(self, file: Any, transform: RowTransform, step: int) -> None:
        self._batches = _batches(file, transform, step)
        self._step = step
        self.rows: Any = None
        self.exhausted = False
        self.fill()

    def fill(self) -> None:
        """Read until a step's rows are buffered."""
        while not self.exhausted and self.buffered < self._step:
            self.read_piece()

    def read_piece(self) -> None:
        """Append the next piece to the buffer, or set ``exhausted``."""
        piece = next(self._batches, None)
        self.exhausted = piece is None
        if piece is not None:
            self.rows = piece if self.rows is None else pa.concat_tables([self.rows, piece])

    @property
    def buffered(self) -> int:
        """Number of buffered rows."""
        return 0 if self.rows is None else int(self.rows.num_rows)

    def key(self, row: int) -> _Key:
        return self.rows["instrument_id"][row].as_py() or "", self.rows["market_id"][row].as_py() or ""

    def take_below(self, safe_key: _Key | None) -> Any:
        """Remove and return the buffered rows of keys less than ``safe_key`` (None: all); None when there are none."""
        count = self.buffered if safe_key is None else self._bisect(safe_key)
        if not count:
            return None
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken

    def _bisect(self, key: _Key) -> int:
        lo, hi = 0, self.buffered
        while lo < hi:
            middle = (lo + hi) // 2
            if self.key(middle) < key:
                lo = middle + 1
            else:
                hi = middle
        return lo


def merge(parts: Sequence[Path], sink: ParquetSink, transform: RowTransform = keep_all) -> MergeSummary:
    """Write the rows of ``parts`` to ``sink``, sorted by instrument, time, segment and arrival.

    ``parts``: in the order of their segments. ``transform`` is applied to every piece of every file.
    Raises IntegrityError when a part is damaged, OSError when the disk refuses.
    """
    rows, times = 0, list[int]()
    group: list[Any] = []
    schema = merged_schema(parts)
    for piece in _sorted_pieces(parts, schema, transform):
        rows += piece.num_rows
        times += _time_bounds(piece)
        group.append(piece)
        if sum(each.num_rows for each in group) >= ROW_GROUP_ROWS or _bytes(group) >= GROUP_BYTES_MAX:
            sink.write(pa.concat_tables(group))
            group.clear()
    if group or not rows:
        sink.write(pa.concat_tables(group or [schema.empty_table()]))
    return MergeSummary(rows, min(times, default=0), max(times, default=0))


def _bytes(tables: Sequence[Any]) -> int:
    return sum(int(table.get_total_buffer_size()) for table in tables)


def _sorted_pieces(paths: Sequence[Path], schema: Any, transform: RowTransform) -> Iterator[Any]:
    """Yield the rows of all files in order, table by table; see the module's docstring."""
    with ExitStack() as files:
        opened = [files.enter_context(_open(path)) for path in paths]
        step = _step_rows(opened)
        parts = [
            _SortedPart(file, in_schema(path, schema, transform), step)
            for path, file in zip(paths, opened, strict=True)
        ]
        while parts:
            for part in parts:  # all of them, else every turn advances only the part that ends first
                part.fill()
            unfinished = [part for part in parts if not part.exhausted and part.buffered]
            safe_key = min((part.key(-1) for part in unfinished), default=None)
            pieces = [piece for part in parts if (piece := part.take_below(safe_key)) is not None]
            if pieces:
                yield _sort_rows(pieces)
            else:
                for part in unfinished:
                    if part.key(-1) == safe_key:
                        part.read_piece()
            parts = [part for part in parts if part.buffered or not part.exhausted]


def _step_rows(files: Sequence[Any]) -> int:
    """Return how many rows of each of ``files`` to buffer."""
    widths = (4 if pa.types.is_dictionary(kind) else 8 for kind in files[0].schema_arrow.types)
    return min(max(STEP_BYTES // (sum(widths) * len(files)), STEP_ROWS_MIN), STEP_ROWS_MAX)


def _sort_rows(pieces: Sequence[Any]) -> Any:
    """Return the rows of ``pieces``, each of them sorted, as one sorted table."""
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    rank = _key_ranks(table)
    time = _time_of(table)
    spans = [_time_bounds(piece) for piece in pieces]
    if all(one[1] < other[0] for one, other in pairwise(spans)):
        # The rows of each key are in order already, and Arrow sorts small integers by counting.
        return table if is_sorted(rank) else table.take(pc.sort_indices(rank)).combine_chunks()
    names = [time, *(name for name in ("segment", "arrival") if name in table.column_names)]
    keys = pa.table([rank, *(table[name] for name in names)], names=["rank", *names])
    return table.take(pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]))


def _key_ranks(table: Any) -> Any:
    """Return for each row the rank of its (instrument, market) in the order of files, int32."""
    instruments, markets = (dictionary_array(table[name]) for name in _IDS)
    # Rows about a whole market have no instrument, those about the whole venue no market either.
    no_instrument, no_market = (pa.scalar(len(each.dictionary), pa.int64()) for each in (instruments, markets))
    width = pa.scalar(len(markets.dictionary) + 1, pa.int64())
    instrument = pc.fill_null(instruments.indices.cast(pa.int64()), no_instrument)
    market = pc.fill_null(markets.indices.cast(pa.int64()), no_market)
    pairs = pc.add(pc.multiply(instrument, width), market).dictionary_encode()
    instrument_ids, market_ids = [*instruments.dictionary.to_pylist(), ""], [*markets.dictionary.to_pylist(), ""]
    keys = [
        (instrument_ids[pair // len(market_ids)], market_ids[pair % len(market_ids)])
        for pair in pairs.dictionary.to_pylist()
    ]
    rank = {key: number for number, key in enumerate(sorted(keys))}
    return pa.array([rank[key] for key in keys], pa.int32()).take(pairs.indices)


def _time_of(table: Any) -> str:
    return "start" if "start" in table.column_names else "ts_recv"


def _time_bounds(table: Any) -> list[int]:
    """Return the least and the greatest time of the rows, ns UTC."""
    bounds = pc.min_max(table[_time_of(table)].cast(pa.int64())).as_py()
    return [bounds["min"], bounds["max"]]


def _open(path: Path) -> Any:
    try:
        names = pq.read_schema(path).names
        encoded = [name for name in (*_IDS, *_DICTIONARY_COLUMNS) if name in names]
        return pq.ParquetFile(
            path, page_checksum_verification=True, read_dictionary=encoded, pre_buffer=False, buffer_size=BUFFER_BYTES
        )
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path.name} is damaged ({error}): run 'predsurv verify'") from error


def _batches(file: Any, transform: RowTransform, step: int = STEP_ROWS_MAX) -> Iterator[Any]:
    batches = file.iter_batches(batch_size=step)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"a data file is damaged ({error}): run 'predsurv verify'") from error
        if batch is None:
            return
        piece = transform(pa.table(batch))
        if piece.num_rows:
            yield piece


def in_schema(path: Path, schema: Any, transform: RowTransform) -> RowTransform:
    """Return ``transform`` for pieces of the data file ``path``, which get the columns of ``schema`` first."""
    conform = partial(conformed, schema=schema, segment=parse_file(path)[1].segment)
    return lambda table: transform(conform(table))


def segment_digests(path: Path, transform: RowTransform = keep_all) -> dict[int, str]:
    """Return by log segment the digest of its rows in ``path``, in the order they have there.

    Equal for a file, given the schema of the file that it was merged into, and for that file, since merging keeps
    the order of a segment's rows. Raises IntegrityError when the file is damaged.
    """
    states: dict[int, _RowDigest] = {}
    with _open(path) as file:
        for piece in _batches(file, transform):
            segments = piece["segment"].combine_chunks()
            found = pc.unique(segments).to_pylist()
            for segment in found:
                rows = piece if len(found) == 1 else piece.filter(pc.equal(segments, pa.scalar(segment, pa.int64())))
                states.setdefault(segment, _RowDigest()).update(rows)
    return {segment: state.hex() for segment, state in states.items()}


class _RowDigest:
    """A digest of rows that does not depend on how they are split into pieces: one hash per column and stream."""

    def __init__(self) -> None:
        self._streams: dict[str, Any] = {}

    def update(self, table: Any) -> None:
        for name in table.column_names:
            for number, content in enumerate(_column_streams(table[name].combine_chunks())):
                stream = f"{name}/{number}"
                if stream not in self._streams:
                    self._streams[stream] = blake2b(stream.encode(), digest_size=16)
                self._streams[stream].update(content)

    def hex(self) -> str:
        total = blake2b(digest_size=32)
        for _, stream in sorted(self._streams.items()):
            total.update(stream.digest())
        return total.hexdigest()


def _column_streams(column: Any) -> Iterator[memoryview]:
    """Yield a column as byte streams: its validity, then its values, for plain text lengths before content."""
    yield _bytes_of(column.is_valid().cast(pa.int8()))
    if pa.types.is_dictionary(column.type):
        # Each text is represented by a hash, so that texts are not expanded row by row.
        column = pa.array(map(_text_hash, column.dictionary.to_pylist()), pa.int64()).take(column.indices)
    if pa.types.is_string(column.type):
        text = pc.fill_null(column, _EMPTY)
        yield _bytes_of(pc.binary_length(text))
        lengths, content = text.buffers()[1:]
        offsets = memoryview(lengths).cast("i")[text.offset : text.offset + len(text) + 1]
        yield memoryview(content or b"")[offsets[0] : offsets[-1]]
        return
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    yield _bytes_of(pc.fill_null(column, pa.scalar(0, column.type)))


def _text_hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest())


def _bytes_of(column: Any) -> memoryview:
    """Return the values of a numeric column without nulls as bytes."""
    width = column.type.bit_width // 8
    return memoryview(column.buffers()[1])[column.offset * width : (column.offset + len(column)) * width]
