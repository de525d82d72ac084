"""Give memory back to the machine after work that took much of it for a moment.

Kept apart because every piece of big work needs it and none should know which allocators there are.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pyarrow as pa


def give_back() -> None:
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
        trim = ctypes.CDLL(None).malloc_trim
    return trim
