"""Battery: the disk of a running collector is filled up at random moments, and freed again.

It needs a small file system of its own: a tmpfs, which takes the right to mount.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final

from predsurv.config import Config
from predsurv.store.layout import FOLDERS
from tests.proofs import witness
from tests.proofs.fault_kill import end, heard

DISK_BYTES: Final = 96_000_000
CALM_S: Final = (0.1, 1.5)
FULL_S: Final = (0.05, 2.5)
RESUME_S_MAX: Final = 10.0
STOPS_EVERY: Final = 10
"""For so many fillings, one collector is stopped while the disk is full, and one started."""
_RETURN_S: Final = 12.0
_BLOCK: Final = 1 << 20


def full(folder: Path, rounds: int, seed: int) -> list[str]:
    """Fill the disk ``rounds`` times; return the findings, and print the figures."""
    disk = folder / "disk"
    disk.mkdir()
    with mounted(disk):
        return _full(folder, disk, rounds, random.Random(seed))


@contextmanager
def mounted(disk: Path) -> Iterator[None]:
    """Have a small file system at ``disk``."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _full(folder: Path, disk: Path, rounds: int, rng: random.Random) -> list[str]:
    config = witness.configured(disk / "data")
    asyncio.run(witness.scan(config))
    truths = [folder / f"truth-{number:04d}" for number in range(2 * (rounds // STOPS_EVERY) + 2)]
    found, freed = _recorded_full(config, truths[0], disk, rounds, rng)
    refused = 0
    for number in range(rounds // STOPS_EVERY):
        refused += _stopped_full(config, truths[2 * number + 1 : 2 * number + 3], disk, found)
    child = witness.start(config, truths[-1])
    if not heard(child, b"f") or not end(child, signal.SIGTERM):
        found.append("the last collector did not record and stop")
    resumed = list(_resumptions(truths[0], freed))
    if not resumed or max(resumed) > RESUME_S_MAX:
        found.append(f"rows came again after {max(resumed, default=0):.1f} s; {RESUME_S_MAX} s are allowed")
    from tests.proofs.verdict import judge  # polars has threads: not before the last fork

    verdict = judge(config.data_dir, truths, allowed=frozenset({"disk_full"}))
    print(
        f"full: {rounds} fillings, {len(resumed)} noticed; first row {median(resumed or [0]):.2f} s (median), "
        f"{max(resumed, default=0):.2f} s (max) after space returned; {2 * (rounds // STOPS_EVERY)} stops and starts "
        f"on a full disk, {refused} refused; {verdict}"
    )
    return found + verdict.wrong


def _recorded_full(
    config: Config, truth: Path, disk: Path, rounds: int, rng: random.Random
) -> tuple[list[str], list[tuple[int, int]]]:
    """Record through all fillings; return the findings and when each began and ended (monotonic ns)."""
    found: list[str] = []
    freed: list[tuple[int, int]] = []
    child = witness.start(config, truth)
    if not heard(child, b"f"):
        return ["the collector did not come up"], []
    for number in range(rounds):
        _wait(child, rng.uniform(*CALM_S))
        began = time.monotonic_ns()
        with filled(disk):
            _wait(child, rng.uniform(*FULL_S))
            found += (f"filling {number}: {what}" for what in strange(config.data_dir))
        freed.append((began, time.monotonic_ns()))
        deadline = time.monotonic() + _RETURN_S
        while time.monotonic() < deadline and not heard(child, b"f"):
            pass
        if os.waitpid(child.pid, os.WNOHANG)[0]:
            return [*found, f"filling {number}: the collector ended"], freed
    _wait(child, 2.0)
    if not end(child, signal.SIGTERM):
        found.append("the collector did not stop in good order")
    return found, freed


def _wait(child: witness.Child, seconds: float) -> None:
    """Wait, and listen meanwhile: a pipe that nobody reads from would hold the collector up."""
    os.set_blocking(child.commits, False)
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.02))
        with suppress(BlockingIOError):
            os.read(child.commits, 1 << 16)
    os.set_blocking(child.commits, True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no byte free on ``disk`` for the time being."""
    path = disk / "filler"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for block in (_BLOCK, 1 << 12):
            with suppress(OSError):
                while os.write(fd, bytes(block)):
                    pass
        yield
    finally:
        os.close(fd)
        path.unlink()


def strange(data_dir: Path) -> Iterator[str]:
    """Yield what a reader that opens the datasets right now could stumble over."""
    import pyarrow.parquet as pq  # after the fork

    for dataset in FOLDERS.values():
        for path in (data_dir / dataset).rglob("*"):
            if path.is_dir():
                continue
            try:
                rows = pq.ParquetFile(path, page_checksum_verification=True).read().num_rows
            except (OSError, ValueError) as error:
                yield f"{path} is visible and cannot be read: {error}"
                continue
            if path.suffix != ".parquet" or not rows:
                yield f"{path} is visible with {rows} rows"


def _stopped_full(config: Config, truths: list[Path], disk: Path, found: list[str]) -> int:
    """Stop a collector on a full disk and start one there; return how many refused, saying so."""
    child = witness.start(config, truths[0])
    if not heard(child, b"f"):
        found.append("the collector did not come up again")
        return 0
    _wait(child, 1.2)
    with filled(disk):
        codes = [_end_code(child)]
        child = witness.start(config, truths[1])
        _wait(child, 0.5)
        codes.append(_end_code(child))
    found += (f"a full disk at stop or start ended with {code}" for code in codes if code not in (0, 3, 4))
    return sum(code != 0 for code in codes)


def _end_code(child: witness.Child) -> int:
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGTERM)
    _, status = os.waitpid(child.pid, 0)
    os.close(child.commits)
    return os.waitstatus_to_exitcode(status)


def _resumptions(truth: Path, freed: list[tuple[int, int]]) -> Iterator[float]:
    """Yield for each filling that was noticed how many seconds after its end a row was committed."""
    told = [each for each in witness.testimony(truth) if each.at]
    for began, ended in freed:
        if any(each.paused and began <= each.at <= ended for each in told):
            first = min((each.at for each in told if each.flushed and each.at >= ended), default=None)
            yield float("inf") if first is None else (first - ended) / 1e9
