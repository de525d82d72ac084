"""Which data files still are what was sealed, for readers that do not look themselves.

Kept apart because such readers are other people's: polars compares no page checksums, and nobody can
tell a flipped bit in a Parquet footer. A digest tells both, and reading all of a file again costs little
beside what is done with it.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.core.errors import IntegrityError
from predsurv.store import manifest
from predsurv.store.layout import Layout
from predsurv.store.manifest import SealedFile

TRIES_MAX: Final = 5

_Answer = TypeVar("_Answer")


def check_intact(layout: Layout, files: Iterable[Path], date: str = "*") -> None:
    """Raise IntegrityError naming the first of ``files``, all of ``date``, that is damaged.

    One that no manifest lists yet is read whole, its page checksums compared. Raises FileNotFoundError when
    one was merged or removed.
    """
    sealed = _sealed(layout, date)
    for path in files:
        wrong = _damage(layout, path, sealed)
        if wrong is not None:
            raise IntegrityError(f"{path} is damaged ({wrong}): see `predsurv verify`; move it elsewhere to do without")


def intact(layout: Layout, files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return which of ``files`` are whole, and which are damaged; raises FileNotFoundError when one went."""
    sealed = _sealed(layout, "*")
    whole: list[Path] = []
    damaged: list[Path] = []
    for path in files:
        (whole if _damage(layout, path, sealed) is None else damaged).append(path)
    return whole, damaged


def steady(look: Callable[[], _Answer]) -> _Answer:
    """Return what ``look`` returns, looking again when a file that it had listed was merged or removed meanwhile."""
    for _ in range(TRIES_MAX - 1):
        try:
            return look()
        except FileNotFoundError:
            continue
    return look()


def _sealed(layout: Layout, date: str) -> Mapping[str, SealedFile]:
    return {file.path: file for file in manifest.read(layout.manifest, date)}


def _damage(layout: Layout, path: Path, sealed: Mapping[str, SealedFile]) -> str | None:
    listed = sealed.get(path.relative_to(layout.data_dir).as_posix())
    if listed is not None:
        same = path.stat().st_size == listed.bytes and manifest.digest(path) == listed.blake2b
        return None if same else "not what was sealed"
    try:
        file: Any = pq.ParquetFile(path, page_checksum_verification=True)
        with file:
            for _ in file.iter_batches():
                pass
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        return str(error)
    return None
