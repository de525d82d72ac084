"""A week of recording in about half an hour, with everything that happens to a recorder that is left alone.

``python -m tests.proofs.week [--days 7] [--speed 300] [--bucket] [--memories 64]``: two simulated venues list some five
thousand markets that live up to a day, lose their connections and their REST for minutes, one pauses for two hours a
week; midnights pass, hours are merged and the oldest day is removed (``--bucket``: sealed files are uploaded instead of
merged). Memory, descriptors, tasks, the state folder, files of a day, and the time of a start have to be at the end
what they were in the beginning; every market that lived a minute is accounted for, and ``verify --deep`` finds nothing.
The bounds of what is remembered of ended markets are divided by ``--memories``, as in ``births``.
"""

import argparse
import asyncio
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Final

from predsurv.config import load as load_config
from predsurv.store import allocator
from predsurv.store.remote.object_store import Bucket, BucketLocation, open_bucket
from tests.kit.object_store import BUCKET
from tests.proofs.births import judge_lives, judge_memory, shrink_memories
from tests.proofs.paced_clock import PacedClock
from tests.proofs.simulated_days import DAY, START, S, Sample, SimulatedVenues, lives_in, record, served, size_of

PLACES: Final = 60
HOUR: Final = 3_600
OUTAGES: Final = "drop-all@5h/11h handshake429@5h:7m/11h rest500@5h:7m/11h freeze-all@9h:3m/13h rest429@7h:2m/9h"
WEEKLY: Final = "halt@80h:2h/168h"
VENUES: Final = SimulatedVenues(
    markets=40,
    rate=2,
    lives=6 * HOUR,
    listed_every=(50, 90),
    polymarket_faults=OUTAGES,
    kalshi_faults=f"{OUTAGES} {WEEKLY}",
)
KEPT: Final = "60h"
GROWTH_MAX: Final = 1.25
"""What is level has grown by this factor at most: its median in the last third, over that in the second."""
START_SECONDS_MAX: Final = 1.5


def judge_level(samples: Sequence[Sample]) -> bool:
    """Print how descriptors, tasks and the state folder went; return whether one of them grows."""
    wrong, third = False, len(samples) // 3
    for name in ("descriptors", "tasks", "state"):
        parts = samples[third:-third], samples[-third:]
        before, after = (median(getattr(each, name) for each in part) for part in parts)
        grows = after > GROWTH_MAX * before
        wrong |= grows
        print(f"{name}: {before:,.0f} in the second third, {after:,.0f} in the last{', which grows' if grows else ''}")
    return wrong


def judge_files(data: Path) -> bool:
    """Print how many files each day has; return whether a day that is over has more than those before it."""
    days: dict[str, int] = {}
    for path in data.glob("*/venue=*/date=*/**/*.parquet"):
        date = next(part for part in path.parts if part.startswith("date="))
        days[date] = days.get(date, 0) + 1
    closed = [days[date] for date in sorted(days)][1:-1]
    print(f"files a day: {', '.join(f'{date[-5:]} {days[date]:,}' for date in sorted(days))}")
    return len(closed) > 1 and closed[-1] > GROWTH_MAX * closed[0]


def judge_commands(data: Path) -> bool:
    """Print how a start, ``status`` and ``verify --deep`` go on what was recorded; return whether one does not."""
    wrong = False
    for words in (("collect", "--plan"), ("status",), ("verify", "--deep")):
        began = time.monotonic()
        run = [sys.executable, "-m", "predsurv", *words]
        done = subprocess.run(run, env=os.environ | {"PREDSURV_DATA_DIR": str(data)}, capture_output=True, check=False)
        took = time.monotonic() - began
        print(f"{' '.join(words)}: exit {done.returncode} after {took:.1f} s")
        if done.returncode:
            print(done.stdout.decode()[-2_000:], done.stderr.decode()[-2_000:])
        wrong |= bool(done.returncode) or (words == ("collect", "--plan") and took > START_SECONDS_MAX)
    return wrong


@contextmanager
def stored() -> Iterator[Bucket]:
    """Run an object store in a process of its own, whose memory is not judged; yield its bucket."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ |= {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    with subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            _make_bucket(port)
            yield open_bucket(BucketLocation(f"s3://{BUCKET}", f"http://127.0.0.1:{port}", "us-east-1"))
        finally:
            process.terminate()


def _make_bucket(port: int) -> None:
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("PUT", f"/{BUCKET}")
            if connection.getresponse().status == HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the object store did not start")


def main(days: float, speed: int, keep: Path | None, *, uploads: bool, memories: int) -> int:
    """Run it all; ``keep``: an empty folder for the recording, which is deleted otherwise."""
    shrink_memories(memories)
    flags: dict[str, object] = {
        "collector.max_instruments": 2 * PLACES,
        "collector.rotation_period": "30m",
        "storage.fsync_interval": "60s",
        "storage.seal_interval": "10m",
        "storage.max_age": KEPT,
        "scanner.refresh": "2h",
    }
    allocator.limit_heaps()
    began = time.monotonic_ns()
    with (
        nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="predsurv-") as name,
        stored() if uploads else nullcontext() as bucket,
    ):
        folder, data = Path(name), Path(name) / "data"
        clock = PacedClock.create(folder / "clock", speed, START, processes=2)
        with served(VENUES, clock, folder) as environment:
            os.environ.update(environment)
            config = load_config(flags=flags | {"data_dir": str(data)}, environ=os.environ).config
            recorded = asyncio.run(record(config, clock, days, bucket))
        minutes = (time.monotonic_ns() - began) / 60 / S
        print(f"{days:g} simulated days in {minutes:.1f} minutes, {size_of(data) / 1e6:.1f} MB")
        kept_since = recorded.until - 60 * HOUR * S + DAY * S  # of earlier days the coverage was removed
        known = recorded._replace(since=max(recorded.since, kept_since))
        wrong = [
            judge_lives(lives_in(folder), data, known),
            judge_memory(recorded.samples),
            judge_level(recorded.samples),
            judge_files(data),
            judge_commands(data),
        ]
    return int(any(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.week", description=__doc__)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--speed", type=int, default=300)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--bucket", action="store_true")
    parser.add_argument("--memories", type=int, default=64)
    given = parser.parse_args()
    sys.exit(main(given.days, given.speed, given.keep, uploads=given.bucket, memories=given.memories))
