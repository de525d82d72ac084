"""Integrity of data files by digest, checked before they are given to a reader that does not check.

polars ignores page checksums, and no reader detects a flipped bit in a Parquet footer; the digest in the
manifest covers both. Reading a file once more costs little beside processing it.
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
"""How often a listing that turned out to be stale is read again."""

_Result = TypeVar("_Result")


def check_intact(layout: Layout, files: Iterable[Path], date: str | None = None) -> None:
    """Raise IntegrityError naming the first of ``files``, all of ``date`` (YYYY-MM-DD), that is damaged.

    A file that no manifest lists yet is read completely and its page checksums are compared. Raises
    FileNotFoundError when a file was merged or removed meanwhile.
    """
    check_listed(layout, files, manifest.read_by_path(layout.manifest, date))


def check_listed(layout: Layout, files: Iterable[Path], sealed: Mapping[str, SealedFile]) -> None:
    """Raise as ``check_intact``, where the manifests list ``sealed`` by path."""
    for path in files:
        wrong = _damage(layout, path, sealed)
        if wrong is not None:
            raise IntegrityError(f"{path} is damaged ({wrong}): see 'predsurv verify'; move it elsewhere to do without")


def split_damaged(layout: Layout, files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the intact and the damaged of ``files``; raises FileNotFoundError when one was merged or removed."""
    sealed = manifest.read_by_path(layout.manifest)
    intact: list[Path] = []
    damaged: list[Path] = []
    for path in files:
        (intact if _damage(layout, path, sealed) is None else damaged).append(path)
    return intact, damaged


def retry_if_replaced(read: Callable[[], _Result]) -> _Result:
    """Return what ``read`` returns, calling it again when a file that it had listed was merged or removed meanwhile.

    Raises FileNotFoundError after TRIES_MAX calls.
    """
    for _ in range(TRIES_MAX - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def _damage(layout: Layout, path: Path, sealed: Mapping[str, SealedFile]) -> str | None:
    """Return what is wrong with the file at ``path``, None when it is intact."""
    listed = sealed.get(layout.relative(path))
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
