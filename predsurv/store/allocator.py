"""Memory allocators: limit what glibc and Arrow keep unused in a process that runs for months."""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

import pyarrow as pa

HEAPS_MAX: Final = 2
"""One for the event loop, one shared by all worker threads, which reuse each other's free memory."""

LARGE_BYTES: Final = 1 << 20
"""Allocations of this size and more are mapped separately and unmapped when freed.

Above the 256 KB that the event loop reads at once: mapping every read would cost more than it saves.
"""

# <malloc.h> of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def limit_heaps() -> None:
    """Limit the number of heaps of the C library and the unused memory it keeps.

    By default glibc opens a heap for every thread and raises its mapping threshold with every large allocation.
    Call it before threads start; without glibc nothing happens.
    """
    with suppress(OSError, AttributeError):
        mallopt = _libc().mallopt
        mallopt(_M_ARENA_MAX, HEAPS_MAX)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES)


def release_memory() -> None:
    """Return unused memory of Arrow and the C library to the operating system; call it after a large task.

    A seal allocates tens of megabytes in pieces of every size on some worker thread. Without this, fragmentation
    of the threads' heaps grows by some megabytes an hour.
    """
    release_columns()
    trim = _trim()
    if trim is not None:
        trim(0)


def release_columns() -> None:
    """Return what Arrow keeps of columns that are gone: 40 to 50 MB after some batches of a file, in 0.2 to 0.4 ms."""
    pa.default_memory_pool().release_unused()


@cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``; None where the C library has none."""
    trim: Callable[[int], int] | None = None
    with suppress(OSError, AttributeError):
        trim = _libc().malloc_trim
    return trim


def _libc() -> Any:
    return ctypes.CDLL(None)
