"""The key of a roll-up: a digest of all that its numbers depend on. A roll-up with another key counts for nothing.

What an hour is measured from are its files, and of the rest of the day what was observed in it, the book that held when
it began, the trades as they are placed, the ticks; and this very program.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import polars as pl

from predsurv.core import native
from predsurv.store.layout import Layout
from predsurv.store.manifest import SealedFile

_DIGEST_BYTES: Final = 32
_DEFAULTS: Final[Mapping[type[pl.DataType], object]] = {pl.String: "", pl.Boolean: False}


class KeyDigest:
    """Adds up what a key is made of, in order."""

    def __init__(self) -> None:
        self._state = blake2b(program_digest().encode(), digest_size=_DIGEST_BYTES)

    def add_text(self, text: str) -> None:
        """Add a text."""
        content = text.encode()
        self._state.update(f"{len(content)} ".encode())
        self._state.update(content)

    def add_frame(self, frame: pl.DataFrame) -> None:
        """Add the rows of ``frame`` in their order; values below nulls do not count."""
        self.add_text(repr(dict(frame.schema)) + f" {frame.height}")
        for column in frame.iter_columns():
            self._add_column(column)

    def key(self) -> str:
        """Return the key, hex."""
        return self._state.hexdigest()

    def _add_column(self, column: pl.Series) -> None:
        if column.null_count():
            self._add_column(column.is_null())
            column = column.fill_null(_DEFAULTS.get(column.dtype.base_type(), 0))
        if column.dtype == pl.String:
            self.add_text("\0".join(column))
            return
        array = column.cast(pl.UInt8 if column.dtype == pl.Boolean else column.dtype).rechunk().to_arrow()
        content = array.buffers()[1]
        width = array.type.bit_width // 8
        if content is not None:
            self._state.update(memoryview(content)[array.offset * width : (array.offset + len(array)) * width])


def file_lines(layout: Layout, files: Iterable[Path], sealed: Mapping[str, SealedFile]) -> str | None:
    """Return the names and digests of ``files`` as the manifests list them; None when one is not as these have it.

    Only sizes are compared; raises FileNotFoundError when one was merged or removed meanwhile.
    """
    lines = []
    for path in files:
        listed = sealed.get(layout.relative(path))
        if listed is None or path.stat().st_size != listed.bytes:
            return None
        lines.append(f"{listed.path} {listed.blake2b}")
    return "\n".join(sorted(lines))


@cache
def program_digest() -> str:
    """Return a digest of the sources that measure, and of the compiled module that does it."""
    state = blake2b(digest_size=_DIGEST_BYTES)
    compiled = [] if native.speedups is None else [Path(str(native.speedups.__file__))]
    for path in [*sorted(Path(__file__).parent.rglob("*.py")), *compiled]:
        state.update(path.read_bytes())
    return state.hexdigest()
