"""Packed runs: the values of one field of many records, as offsets from the least, no wider than the greatest needs.

    items  width  scale   base    offsets
    u32    u8     u8 0 0  i64     items x width bytes, unsigned      value = base + offset * 10**scale

In the machine's byte order. Width is 1, 2, 4 or 8, or 0 when all values are equal: then there are no offsets. Times
lie within milliseconds of each other and venues count in ticks and hundredths, so that a level change takes a
third of what its integers take; writing, checking and reading the log cost by the byte.

``unpack`` and the packing in ``columns_codec`` have compiled twins (``csrc/packed_runs.c``).
"""

import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from predsurv.core.native import speedups

ABSENT: Final = -(2**63)
"""Stands for None."""

MILLISECONDS: Final = 6
HUNDREDTHS: Final = 4
TICKS: Final = 2
"""Scales worth a try: times in ms, sizes in hundredths of a share, prices in ten thousandths of a dollar."""

_SCALES: Final = frozenset({0, TICKS, HUNDREDTHS, MILLISECONDS})
_HEADER: Final = struct.Struct("=IBB2xq")
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SIGNED: Final = {1: "b", 4: "i", 8: "q"}
_MODULUS: Final = 2**64


def pack(values: Sequence[int], scale: int = 0) -> bytes:
    """Return 64-bit ``values`` as a packed run, in units of 10**``scale`` if all are whole ones from the least."""
    lo, hi = (min(values), max(values)) if values else (0, 0)
    if lo == hi:
        return _HEADER.pack(len(values), 0, 0, lo)
    if lo == ABSENT:  # beside a value nothing is near it
        return as_stored(struct.pack(f"{len(values)}q", *values), 8)
    unit = 10**scale
    if scale and any((value - lo) % unit for value in values):
        scale, unit = 0, 1
    width = next(width for width in _CODES if (hi - lo) // unit < 1 << 8 * width)
    offsets = struct.pack(f"{len(values)}{_CODES[width]}", *[(value - lo) // unit for value in values])
    return _HEADER.pack(len(values), width, scale, lo) + offsets


def as_stored(content: bytes, width: int) -> bytes:
    """Return integers of ``width`` bytes, which are not negative if that is less than 8, as a run of just these."""
    return _HEADER.pack(len(content) // width, width, 0, 0) + content


def repeated(value: int, items: int) -> bytes:
    """Return a run of ``items`` equal values."""
    return _HEADER.pack(items, 0, 0, value)


def items_of(run: bytes) -> int:
    """Return how many values ``run`` has; raises struct.error when it is too short for a run."""
    return int(_HEADER.unpack_from(run)[0])


def python_unpack(runs: Sequence[bytes], width: int) -> bytes:
    """Return the values of all ``runs`` as native signed integers of ``width`` bytes (1, 4, 8), back to back.

    Values are taken modulo 2**64, then cut to ``width``. Raises ValueError for what is no packed run.
    """
    try:
        values = list(chain.from_iterable(map(_values, runs)))
    except (struct.error, KeyError) as error:
        raise ValueError("this is no packed run") from error
    wrap = 1 << 8 * width
    return struct.pack(f"{len(values)}{_SIGNED[width]}", *[(v + wrap // 2) % wrap - wrap // 2 for v in values])


def _values(run: bytes) -> Sequence[int]:
    items, width, scale, base = _HEADER.unpack_from(run)
    if scale not in _SCALES:
        raise ValueError("this is no packed run")
    content = run[_HEADER.size :]
    if not width:
        if content:
            raise ValueError("this is no packed run")
        return [int(base)] * items
    unit: int = 10**scale
    return [(base + offset * unit) % _MODULUS for offset in struct.unpack(f"{items}{_CODES[width]}", content)]


Unpack = Callable[[Sequence[bytes], int], bytes]
unpack: Unpack = python_unpack if speedups is None else speedups.unpack_runs
