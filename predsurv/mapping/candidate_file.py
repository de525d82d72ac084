"""``mapping/candidates.parquet``: the review queue on disk, one row per pair, best first."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.core.errors import IntegrityError
from predsurv.mapping.findings import Finding
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir, sync_file
from predsurv.store.layout import Layout

SCHEMA_VERSION: Final = b"1"
_COMPRESSION: Final = 3

SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("first_venue", "first_market", "first_title")),
        *(pa.field(name, pa.string(), nullable=False) for name in ("second_venue", "second_market", "second_title")),
        pa.field("relation", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("veto", pa.string(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("union", pa.list_(pa.string()), nullable=False),
        pa.field("first_terms", pa.string(), nullable=False),
        pa.field("second_terms", pa.string(), nullable=False),
    ]
)


class QueuedPair(msgspec.Struct, frozen=True):
    """One row. ``evidence``: a finding per field; ``first_terms``, ``second_terms``: the fingerprints of both
    markets."""

    first_venue: str
    first_market: str
    first_title: str
    second_venue: str
    second_market: str
    second_title: str
    relation: str
    score: float
    rank: int
    veto: str
    evidence: tuple[Finding, ...]
    union: tuple[str, ...]
    first_terms: str
    second_terms: str


def candidates_path(data_dir: Path) -> Path:
    """Return the file of the queue."""
    return data_dir / "mapping" / "candidates.parquet"


def write_candidates(candidates: Sequence[QueuedPair], data_dir: Path) -> Path:
    """Replace the queue atomically and return its path; raises OSError and leaves the old one."""
    path, layout = candidates_path(data_dir), Layout(data_dir)
    staging = layout.staging("map")
    make_dirs(path.parent)
    make_dirs(layout.state, PRIVATE_DIR)
    make_dirs(staging, PRIVATE_DIR)
    draft = staging / f"{os.getpid()}.parquet"
    table = pa.Table.from_pylist(list(_rows(candidates)), schema=SCHEMA)
    try:
        pq.write_table(
            table.replace_schema_metadata({b"predsurv.schema": SCHEMA_VERSION}),
            draft,
            compression="zstd",
            compression_level=_COMPRESSION,
            write_page_checksum=True,
        )
        sync_file(draft)
        replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_dir(path.parent)
    return path


def _rows(candidates: Iterable[QueuedPair]) -> Iterable[dict[str, Any]]:
    for each in candidates:
        row = msgspec.structs.asdict(each)
        yield row | {"evidence": msgspec.json.encode(each.evidence).decode(), "union": list(each.union)}


def read_candidates(data_dir: Path) -> list[QueuedPair]:
    """Return the queue, best first; raises FileNotFoundError without one, IntegrityError for a damaged one."""
    path = candidates_path(data_dir)
    try:
        rows = pq.read_table(path, schema=SCHEMA, page_checksum_verification=True).to_pylist()
        return [msgspec.convert(row | {"evidence": msgspec.json.decode(row["evidence"])}, QueuedPair) for row in rows]
    except (pa.ArrowException, msgspec.MsgspecError, ValueError) as error:
        raise IntegrityError(f"{path}: {error}; run 'predsurv map build' again") from error
