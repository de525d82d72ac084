"""Give memory back to the machine after work that took much of it for a moment.

Kept apart because every piece of big work needs it and none should know which allocators there are.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

import pyarrow as pa

HEAPS_MAX: Final = 2
"""One for the event loop, one that all workers share: what one of them leaves unused the next one takes."""

LARGE_BYTES: Final = 1 << 20
"""Pieces from here on are mapped one by one, and given back as soon as they are free.

Above the 256 KB that the event loop reads at once: mapping each read would cost more than it saves.
"""

# <malloc.h> of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def limit_heaps() -> None:
    """Let the C library keep few heaps and little that is unused, in a process that is to run for months.

    Left alone it opens a heap for every thread and learns, from large pieces, to keep ever larger ones. Call it
    before threads start; without glibc nothing happens.
    """
    with suppress(OSError, AttributeError):
        mallopt = _libc().mallopt
        mallopt(_M_ARENA_MAX, HEAPS_MAX)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES)


def release_memory() -> None:
    """Return to the operating system what Arrow and the C library hold unused.

    A seal takes tens of megabytes in pieces of every size, on whichever thread is free. Left alone, each thread's
    heap keeps its most fragmented state: some megabytes more with every hour.
    """
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``; None where the C library has none."""
    trim: Callable[[int], int] | None = None
    with suppress(OSError, AttributeError):
        trim = _libc().malloc_trim
    return trim


def _libc() -> Any:
    return ctypes.CDLL(None)
