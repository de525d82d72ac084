"""Many sorted files of a dataset as one, in bounded memory, and the proof that it holds the same rows.

Kept apart from compaction because this knows rows and nothing of folders, locks or crashes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.store.seal.parquet_writer import ROW_GROUP_ROWS, ParquetSink
from predsurv.store.seal.runs import is_sorted

STEP_BYTES: Final = 32 << 20
"""Bytes of rows that are read at a time, of all files together; more only where one instrument has more."""

STEP_ROWS_MIN: Final = 512
STEP_ROWS_MAX: Final = 16_384
"""Rows that are read at a time of each file, whatever that comes to."""

BUFFER_BYTES: Final = 1 << 16
"""Bytes of a column read at a time."""

GROUP_BYTES_MAX: Final = 64 << 20
"""Most bytes of rows gathered for one row group."""

_IDS: Final = ("instrument_id", "market_id")
_WORDS: Final = ("kind", "side", "taker_side", "state", "reason")
_Key = tuple[str, str]
_EMPTY: Final = pa.scalar("")
Clip = Callable[[Any], Any]
"""Takes a table of rows and returns those that are wanted of it."""


def whole(table: Any) -> Any:
    """Want all rows."""
    return table


def alike(parts: Sequence[Path]) -> bool:
    """Return whether ``parts`` have the same columns; raises IntegrityError."""
    schemas = []
    for part in parts:
        with _open(part) as file:
            schemas.append(file.schema_arrow)
    return all(schema.equals(schemas[0]) for schema in schemas)


class MergedTable(Struct, frozen=True):
    """What a merged file holds; ``lo``, ``hi``: least and greatest time, ns UTC."""

    rows: int
    lo: int
    hi: int


class _Part:
    """A sorted file, read piece by piece; ``rows`` are read and not yet taken."""

    def __init__(self, file: Any, clip: Clip, step: int) -> None:
        self._batches = _batches(file, clip, step)
        self._step = step
        self.rows: Any = None
        self.whole = False
        self.fill()

    def fill(self) -> None:
        """Read on until a step's rows wait."""
        while not self.whole and self.waiting < self._step:
            self.grow()

    def grow(self) -> None:
        """Read on; the rows that wait stay. At the end ``whole`` becomes true."""
        piece = next(self._batches, None)
        self.whole = piece is None
        if piece is not None:
            self.rows = piece if self.rows is None else pa.concat_tables([self.rows, piece])

    @property
    def waiting(self) -> int:
        return 0 if self.rows is None else int(self.rows.num_rows)

    def key(self, row: int) -> _Key:
        return self.rows["instrument_id"][row].as_py() or "", self.rows["market_id"][row].as_py()

    def take(self, before: _Key | None) -> Any:
        """Return the rows of keys less than ``before``, or all, and move on; None when there are none."""
        count = self.waiting if before is None else self._bisect(before)
        if not count:
            return None
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken

    def _bisect(self, before: _Key) -> int:
        lo, hi = 0, self.waiting
        while lo < hi:
            middle = (lo + hi) // 2
            if self.key(middle) < before:
                lo = middle + 1
            else:
                hi = middle
        return lo


def merge(parts: Sequence[Path], sink: ParquetSink, clip: Clip = whole) -> MergedTable:
    """Write the rows of ``parts`` to ``sink``, sorted by instrument, time, segment and arrival.

    ``parts``: in the order of their segments. ``clip`` is applied to every piece of every file.
    Raises IntegrityError when a part is damaged, OSError when the disk refuses.
    """
    rows, bounds = 0, list[int]()
    waiting: list[Any] = []
    for piece in _sorted_pieces(parts, clip):
        rows += piece.num_rows
        bounds += _bounds(piece)
        waiting.append(piece)
        if sum(each.num_rows for each in waiting) >= ROW_GROUP_ROWS or _bytes(waiting) >= GROUP_BYTES_MAX:
            sink.write(pa.concat_tables(waiting))
            waiting.clear()
    if waiting or not rows:
        sink.write(pa.concat_tables(waiting or [_nothing(parts[0])]))
    return MergedTable(rows, min(bounds, default=0), max(bounds, default=0))


def _nothing(part: Path) -> Any:
    with _open(part) as file:
        return file.schema_arrow.empty_table()


def _bytes(tables: Sequence[Any]) -> int:
    return sum(int(table.get_total_buffer_size()) for table in tables)


def _sorted_pieces(paths: Sequence[Path], clip: Clip) -> Iterator[Any]:
    with ExitStack() as files:
        opened = [files.enter_context(_open(path)) for path in paths]
        step = _step_rows(opened)
        parts = [_Part(file, clip, step) for file in opened]
        while parts:
            for part in parts:  # all of them, lest each turn is about the one that ends first
                part.fill()
            bound = min((part.key(-1) for part in parts if not part.whole and part.waiting), default=None)
            pieces = [piece for part in parts if (piece := part.take(bound)) is not None]
            if pieces:
                yield _in_order(pieces)
            else:  # whoever ends in the bound may have more of it
                for part in parts:
                    if not part.whole and part.waiting and part.key(-1) == bound:
                        part.grow()
            parts = [part for part in parts if part.waiting or not part.whole]


def _step_rows(files: Sequence[Any]) -> int:
    """Return how many rows of each of ``files`` may be in memory at a time."""
    widths = (4 if pa.types.is_dictionary(kind) else 8 for kind in files[0].schema_arrow.types)
    return min(max(STEP_BYTES // (sum(widths) * len(files)), STEP_ROWS_MIN), STEP_ROWS_MAX)


def _in_order(pieces: Sequence[Any]) -> Any:
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    rank = _ranks(table)
    time = _time_of(table)
    spans = [_bounds(piece) for piece in pieces]
    if all(one[1] < other[0] for one, other in pairwise(spans)):
        # Then rows of one instrument are in order already, and sorting by a small integer is counting.
        return table if is_sorted(rank) else table.take(pc.sort_indices(rank)).combine_chunks()
    names = [time, *(name for name in ("segment", "arrival") if name in table.column_names)]
    keys = pa.table([rank, *(table[name] for name in names)], names=["rank", *names])
    return table.take(pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]))


def _ranks(table: Any) -> Any:
    """Return for each row the rank of its (instrument, market) in the order of files."""
    instruments, markets = (_codes(table[name]) for name in _IDS)
    width = pa.scalar(max(1, len(markets.dictionary)), pa.int64())
    none = pa.scalar(len(instruments.dictionary), pa.int64())
    row = pc.add(
        pc.multiply(pc.fill_null(instruments.indices.cast(pa.int64()), none), width), markets.indices.cast(pa.int64())
    )
    pairs = row.dictionary_encode()
    names, of = [*instruments.dictionary.to_pylist(), ""], markets.dictionary.to_pylist()
    keys = [(names[pair // len(of)], of[pair % len(of)]) for pair in pairs.dictionary.to_pylist()]
    rank = {key: number for number, key in enumerate(sorted(keys))}
    return pa.array([rank[key] for key in keys], pa.int32()).take(pairs.indices)


def _codes(column: Any) -> Any:
    array = column.combine_chunks()
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def _time_of(table: Any) -> str:
    return "start" if "start" in table.column_names else "ts_recv"


def _bounds(table: Any) -> list[int]:
    bounds = pc.min_max(table[_time_of(table)].cast(pa.int64())).as_py()
    return [bounds["min"], bounds["max"]]


def _open(path: Path) -> Any:
    try:
        names = pq.read_schema(path).names
        words = [name for name in (*_IDS, *_WORDS) if name in names]
        return pq.ParquetFile(
            path, page_checksum_verification=True, read_dictionary=words, pre_buffer=False, buffer_size=BUFFER_BYTES
        )
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path.name} is damaged ({error}): run `predsurv verify`") from error


def _batches(file: Any, clip: Clip, step: int = STEP_ROWS_MAX) -> Iterator[Any]:
    batches = file.iter_batches(batch_size=step)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"a data file is damaged ({error}): run `predsurv verify`") from error
        if batch is None:
            return
        piece = clip(pa.table(batch))
        if piece.num_rows:
            yield piece


def digests(path: Path, clip: Clip = whole) -> dict[int, str]:
    """Return a digest of the rows of each log segment in ``path``, in the order they have there.

    Equal for a file and for what it was merged into, since merging keeps the order of a segment's
    rows. Raises IntegrityError.
    """
    states: dict[int, _RowDigest] = {}
    with _open(path) as file:
        for piece in _batches(file, clip):
            segments = piece["segment"].combine_chunks()
            found = pc.unique(segments).to_pylist()
            for segment in found:
                rows = piece if len(found) == 1 else piece.filter(pc.equal(segments, pa.scalar(segment, pa.int64())))
                states.setdefault(segment, _RowDigest()).update(rows)
    return {segment: state.hex() for segment, state in states.items()}


class _RowDigest:
    """A digest of rows that does not depend on how they are cut into pieces: each column's streams apart."""

    def __init__(self) -> None:
        self._streams: dict[str, Any] = {}

    def update(self, table: Any) -> None:
        for name in table.column_names:
            for number, content in enumerate(_contents(table[name].combine_chunks())):
                stream = f"{name}/{number}"
                if stream not in self._streams:
                    self._streams[stream] = blake2b(stream.encode(), digest_size=16)
                self._streams[stream].update(content)

    def hex(self) -> str:
        whole = blake2b(digest_size=32)
        for _, stream in sorted(self._streams.items()):
            whole.update(stream.digest())
        return whole.hexdigest()


def _contents(column: Any) -> Iterator[memoryview]:
    """Yield a column as streams of bytes: what is null, the values, for plain text its lengths first."""
    yield _bytes_of(column.is_valid().cast(pa.int8()))
    if pa.types.is_dictionary(column.type):
        # A word stands for itself by its digest, so that the words are not written out row by row.
        column = pa.array(map(_number_of, column.dictionary.to_pylist()), pa.int64()).take(column.indices)
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


def _number_of(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=7).digest())


def _bytes_of(column: Any) -> memoryview:
    """Return the values of a column of numbers without nulls."""
    width = column.type.bit_width // 8
    return memoryview(column.buffers()[1])[column.offset * width : (column.offset + len(column)) * width]
