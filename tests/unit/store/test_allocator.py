"""Threads share few heaps after ``limit_heaps``, and ``release_memory`` is safe anywhere."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.store import allocator
from tests.kit.patience import PATIENCE_S

_HEAPS = """
import ctypes, sys, threading
from predsurv.store import allocator

if sys.argv[2] == "settled":
    allocator.limit_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(8)


def work():
    libc.malloc(100_000)
    barrier.wait()  # all threads live at once, each with a heap where it may have one


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def heaps(folder: Path, how: str) -> int:
    report = folder / f"{how}.xml"
    subprocess.run([sys.executable, "-c", _HEAPS, str(report), how], check=True, timeout=PATIENCE_S)
    return report.read_text().count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not glibc")
def test_threads_share_few_heaps(tmp_path: Path) -> None:
    assert heaps(tmp_path, "as-it-is") > allocator.HEAPS_MAX
    assert heaps(tmp_path, "settled") <= allocator.HEAPS_MAX


def test_releasing_memory_is_harmless_at_any_time() -> None:
    allocator.release_memory()
    allocator.release_memory()
