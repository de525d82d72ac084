"""Record simulated days in which markets are born and settled all the time, and account for every one of them.

``python -m tests.proofs.births [--days 2] [--speed 96] [--places 90] [--keep FOLDER]``: both simulated venues list
markets every ten seconds or so that live five minutes at most, in a process of their own; all clocks run up to
``speed`` times as fast as real time, and each venue has ``places`` instruments to record. Every market that lived a
minute or longer has to be recorded, or to be in the coverage dataset with the reason why it was not; ``mine`` names
every row, ``backtest`` reads every recorded instrument, and the collector's memory stays level.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec
import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config, MockConfig
from predsurv.config import load as load_config
from predsurv.core.errors import TransientError
from predsurv.core.ids import VenueName
from predsurv.exchange import schedule
from predsurv.exchange.tape import TapeEvent, TapeLifecycle
from predsurv.exchange.world import GroupShape, GroupSpec, draft_group
from predsurv.net.clock import system_random
from predsurv.ports import MarketQuery, Venue
from predsurv.simulate.kalshi.simulator import KalshiSimulator, KalshiSimulatorSettings
from predsurv.simulate.kalshi.simulator import environment as kalshi_environment
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.polymarket.simulator import environment as polymarket_environment
from predsurv.store import allocator
from predsurv.store.universe import latest_universe
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.kalshi.auth import load_signer
from predsurv.venues.kalshi.venue import KalshiVenue
from predsurv.venues.mock import MockVenue
from predsurv.venues.polymarket.venue import POLICY, PolymarketVenue
from predsurv.venues.registry import open_venue
from predsurv.venues.streaming.policy import StreamPolicy
from tests.proofs.paced_clock import PacedClock

S: Final = 1_000_000_000
DAY: Final = 86_400
LIVED: Final = 60 * S
START: Final = 1_793_556_000 * S
"""2026-11-01 18:00 UTC: the first of the midnights comes after six hours."""
MARKETS: Final = 60
RATE: Final = 8
LIVE_AT_MOST: Final = 300
"""Seconds that a market lives that was listed after the start."""
PATIENCE: Final = 8
"""Factor of the time-outs of connections."""
SHOWN_MAX: Final = 20
"""Markets without account that are named."""
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
SLOPE_MB_MAX: Final = 2.0
"""Most growth of memory in a simulated day after the first third, MB."""


class Life(Struct):
    """One market as the venue knows it; times ns UTC, ``closed`` None while it is open."""

    venue: str
    market_id: str
    opened: int
    closed: int | None = None

    def lived(self, since: int, until: int) -> int:
        """Return for how long (ns) it was open between two instants."""
        return min(self.closed or until, until) - max(self.opened, since)


class Lives:
    """The lives of the markets that a venue listed since its start, by its own name of each."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.by_id: dict[str, Life] = {}

    def note(self, market_id: str, kind: str, ts: int) -> None:
        if kind == "activated" and market_id not in self.by_id:
            self.by_id[market_id] = Life(self.venue, market_id, ts)
        elif kind == "closed" and market_id in self.by_id:
            self.by_id[market_id].closed = ts


class WatchedPolymarket(PolymarketSimulator):
    """The simulator, with a note of every market that opens or closes."""

    def __init__(self, settings: PolymarketSimulatorSettings, clock: PacedClock) -> None:
        super().__init__(settings, clock)
        self.lives = Lives("polymarket")

    def publish(self, events: list[TapeEvent]) -> None:
        super().publish(events)
        for event in events:
            if isinstance(event, TapeLifecycle):
                for row in self.catalog.update(event.market):
                    self.lives.note(row.condition, event.kind, event.ts)


def _short_lived(seed: int, index: int, shape: GroupShape, rank: int) -> GroupSpec:
    return replace(draft_group(seed, index, shape, rank), closes_at=LIVE_AT_MOST * S)


class PatientKey(ThrowawayKey):
    """A key whose signatures may be old: real time for a request is minutes of the clocks here."""

    def accepts(self, headers: Mapping[str, str], method: str, path: str, now: int) -> bool:
        return "kalshi-access-key" in headers


async def serve(clock: PacedClock, folder: Path) -> None:
    """Serve both venues until SIGTERM, then write every market's life to ``folder``."""
    schedule.draft_group = _short_lived  # type: ignore[attr-defined]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    polymarket = WatchedPolymarket(PolymarketSimulatorSettings(markets=MARKETS, rate=RATE), clock)
    key = PatientKey("ed25519")
    key.write(folder / "key.pem")
    underlying = MockVenue(MockConfig(enabled=True, markets=MARKETS, rate=RATE), clock)
    kalshi = KalshiSimulator(underlying, clock, KalshiSimulatorSettings(key=key))
    await polymarket.start()
    await kalshi.start()
    tape, lives = underlying.clocked_exchange.subscribe(), Lives("kalshi")
    environment = polymarket_environment(polymarket.port) | kalshi_environment(kalshi.port, key, folder / "key.pem")
    (folder / "environment.draft").write_text(json.dumps(environment))
    (folder / "environment.draft").replace(folder / "environment.json")
    running = [asyncio.create_task(each) for each in (polymarket.run(), kalshi.run(), clock.keep_pace())]
    while not stop.is_set() and not any(task.done() for task in running):
        await asyncio.sleep(0.05)
        while tape:
            for event in tape.get():
                if isinstance(event, TapeLifecycle):
                    for ticker in kalshi.markets.tickers_by_market.get(event.market.market_id, ()):
                        lives.note(ticker, event.kind, event.ts)
    for task in running:
        if task.done():
            task.result()
        task.cancel()
    found = [*polymarket.lives.by_id.values(), *lives.by_id.values()]
    (folder / "lives.json").write_bytes(msgspec.json.encode(found))
    await polymarket.aclose()
    await kalshi.aclose()


@contextmanager
def served(clock: PacedClock, folder: Path) -> Iterator[dict[str, str]]:
    """Run ``serve`` in a process of its own; yield the environment that leads to its venues."""
    command = [sys.executable, "-m", "tests.proofs.births", "--serve", str(folder)]
    command += ["--clock", str(clock.path)]
    with subprocess.Popen(command) as process:
        try:
            while not (folder / "environment.json").exists():
                if process.poll() is not None:
                    raise RuntimeError("the venues did not start")
                time.sleep(0.05)
            yield json.loads((folder / "environment.json").read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


class Sample(NamedTuple):
    """Memory of the collector: simulated seconds since the start, resident MB without mapped files."""

    at: float
    mb: float


def own_mb() -> float:
    """Return the resident memory of this process without mapped files, MB."""
    rss, files = (int(pages) * PAGE / 1e6 for pages in Path("/proc/self/statm").read_text().split()[1:3])
    return rss - files


class Recording(NamedTuple):
    """Samples of the collector's memory, and from when to when (ns UTC) it recorded."""

    samples: list[Sample]
    since: int
    until: int


async def record(config: Config, clock: PacedClock, days: float) -> Recording:
    """Scan and record both venues."""
    venues: list[Venue] = [
        PolymarketVenue(config, clock, system_random, _patient(POLICY)),
        KalshiVenue(config, clock, system_random, load_signer(clock), _patient(StreamPolicy())),
    ]

    async def scan(name: VenueName) -> ListedUniverse:
        return ListedUniverse(await asyncio.to_thread(listed, config, clock, name), whole=True)

    pace = asyncio.create_task(clock.keep_pace())
    for venue in venues:
        await scan(venue.name)
    job = Collector(config, venues, clock, CollectorDeps(scan=scan))
    running, samples, since = asyncio.create_task(job.run(round(days * DAY) * S)), list[Sample](), 0
    began = clock.monotonic()
    while not running.done():
        await asyncio.wait([running], timeout=1)
        samples.append(Sample((clock.monotonic() - began) / S, own_mb()))
        known = {each.venue: (each.trusted, each.wanted) for each in job.status.venues}
        if not since and all(trusted for trusted, _ in known.values()):
            since = clock.now()
        if len(samples) % 60 == 0:
            print(f"  {samples[-1].at / 3_600:5.1f} h  {samples[-1].mb:6.1f} MB  known of wanted: {known}", flush=True)
    await running
    until = clock.now()
    clock.leave()
    pace.cancel()
    for venue in venues:
        await venue.aclose()
    return Recording(samples, since, until)


def _patient(policy: StreamPolicy) -> StreamPolicy:
    """Return ``policy`` with longer time-outs: the machine is not sped up with the clocks."""
    return replace(
        policy,
        book_timeout=PATIENCE * policy.book_timeout,
        silence=PATIENCE * policy.silence,
        silence_max=PATIENCE * policy.silence_max,
    )


def listed(config: Config, clock: PacedClock, name: VenueName) -> Path:
    """Have the catalogue of a venue read in a process of its own, as ``collect`` does; return its universe file."""
    command = [sys.executable, "-m", "tests.proofs.births", "--list", name, str(config.data_dir)]
    command += ["--clock", str(clock.path)]
    if subprocess.run(command, check=False).returncode:
        raise TransientError(f"{name} could not be listed")
    path = latest_universe(config.data_dir, name)
    assert path is not None
    return path


async def list_markets(name: str, data_dir: str, clock: PacedClock) -> None:
    """Read the catalogue of a venue into its universe file."""
    config = load_config(flags={"data_dir": data_dir}, environ=os.environ).config
    venue = open_venue(name, config, clock)
    catalog = venue.catalog()
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in catalog.markets(MarketQuery()):
            writer.write(market)
        writer.commit()
    await catalog.aclose()
    await venue.aclose()


class Seen(NamedTuple):
    """What the coverage dataset says of a market: when it was covered first (ns UTC), and why it was not."""

    since: int | None
    reasons: frozenset[str]


NEVER: Final = Seen(None, frozenset())


def accounted(data_dir: Path) -> Mapping[tuple[str, str], Seen]:
    """Return what the coverage dataset says of each (venue, market id)."""
    rows = pl.scan_parquet(data_dir / "coverage", hive_partitioning=True).group_by("venue", "market_id").agg(
        pl.col("start").filter(pl.col("state") == "covered").min().cast(pl.Int64).alias("since"),
        pl.col("reason").filter(pl.col("state") == "gap").unique().alias("reasons"),
    )  # fmt: skip
    found = rows.collect().iter_rows()
    return {(venue, market): Seen(since, frozenset(reasons)) for venue, market, since, reasons in found}


def _hours(duration: int) -> str:
    return f"{duration / S / 3_600:.3f} h"


def judge_lives(lives: Sequence[Life], data_dir: Path, recorded: Recording) -> bool:
    """Print what became of the markets that lived a minute; return whether one is not accounted for."""
    seen, missing, (_, since, until) = accounted(data_dir), 0, recorded
    for venue in ("polymarket", "kalshi"):
        lived = [each for each in lives if each.venue == venue and each.lived(since, until) >= LIVED]
        fates = [(life, seen.get((venue, life.market_id), NEVER)) for life in lived]
        others = [each for _, each in fates if each.since is None]
        lost = [life.market_id for life, each in fates if each == NEVER]
        missing += len(lost)
        print(f"{venue}: {len(fates):,} markets lived a minute or more, {len(fates) - len(others):,} were recorded")
        print(f"  of the others: {dict(Counter(reason for each in others for reason in each.reasons))}")
        print(f"  without any reason: {len(lost)}")
        for life in [life for life, each in fates if each == NEVER][:SHOWN_MAX]:
            print(
                f"    {life.market_id[:24]}: {_hours(life.opened - START)} to {_hours((life.closed or until) - START)}"
            )
        born = [(life, each.since) for life, each in fates if life.opened >= since]
        delays = [(covered - life.opened) / S for life, covered in born if covered is not None]
        if delays:
            late = sum(delay > 10 for delay in delays)
            print(
                f"  covered after {median(delays):.1f} s (median), {max(delays):.1f} s at most; {late} later than 10 s"
            )
    return bool(missing)


def judge_reading(data_dir: Path, days: Sequence[str]) -> bool:
    """Mine and backtest the recording; return whether a row has no name or an instrument is missing."""
    wrong = False
    for venue in ("polymarket", "kalshi"):
        for day in days:
            rows = command("mine", venue, day, "--top", "100000", data_dir=data_dir)
            nameless = [row for row in rows if not row["outcome"]]
            wrong |= bool(nameless)
            print(f"mine {venue} {day}: {len(rows):,} rows, {len(nameless)} without a name")
        result = command("backtest", venue, f"{days[0]}..{days[-1]}", "--strategy", "simple", data_dir=data_dir)
        print(f"backtest {venue}: {json.dumps(result[:1])[:600]}")
    return wrong


def command(*words: str, data_dir: Path) -> list[dict[str, object]]:
    """Run a command and return its rows."""
    run = [sys.executable, "-m", "predsurv", *words, "--format", "jsonl"]
    done = subprocess.run(run, env=os.environ | {"PREDSURV_DATA_DIR": str(data_dir)}, capture_output=True, check=False)
    if done.returncode:
        print(done.stderr.decode(), file=sys.stderr)
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge_memory(samples: Sequence[Sample]) -> bool:
    """Print the memory's course; return whether it grows after the first third."""
    for part in range(8):
        some = samples[len(samples) * part // 8 : len(samples) * (part + 1) // 8]
        least = min(each.mb for each in some)
        print(f"  {some[0].at / 3_600:5.1f} h: at least {least:.1f} MB, median {median(each.mb for each in some):.1f}")
    late = samples[len(samples) // 3 :]
    half = len(late) // 2
    before, after = (min(each.mb for each in part) for part in (late[:half], late[half:]))
    growth = (after - before) / ((late[-1].at - late[0].at) / 2 / DAY)
    print(f"memory: {growth:+.1f} MB a simulated day after the first third")
    return growth > SLOPE_MB_MAX


def main(days: float, speed: int, places: int, keep: Path | None = None) -> int:
    """Run it all; ``keep``: an empty folder for the recording, which is deleted otherwise."""
    flags: dict[str, object] = {
        "collector.max_instruments": 2 * places,
        "collector.rotation_period": "10m",
        "storage.fsync_interval": "60s",
        "storage.seal_interval": "10m",
        "scanner.refresh": "30m",
    }
    allocator.limit_heaps()
    began = time.monotonic_ns()
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="predsurv-") as name:
        folder = Path(name)
        clock = PacedClock.create(folder / "clock", speed, START, processes=2)
        with served(clock, folder) as environment:
            os.environ.update(environment)
            config = load_config(flags=flags | {"data_dir": str(folder / "data")}, environ=os.environ).config
            recorded = asyncio.run(record(config, clock, days))
        lives = msgspec.json.decode((folder / "lives.json").read_bytes(), type=list[Life])
        size = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
        print(f"{days:g} simulated days in {(time.monotonic_ns() - began) / 60 / S:.1f} minutes, {size / 1e6:.1f} MB")
        data = folder / "data"
        dates = sorted({path.name.removeprefix("date=") for path in (data / "coverage").glob("venue=*/date=*")})
        wrong = [judge_lives(lives, data, recorded), judge_memory(recorded.samples), judge_reading(data, dates)]
    return int(any(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.births", description=__doc__)
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--speed", type=int, default=96)
    parser.add_argument("--places", type=int, default=90)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--list", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--clock", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        asyncio.run(serve(PacedClock(arguments.clock, seat=1), arguments.serve))
    elif arguments.list is not None:
        venue_name, folder = arguments.list
        asyncio.run(list_markets(venue_name, folder, PacedClock(arguments.clock)))
    else:
        sys.exit(main(arguments.days, arguments.speed, arguments.places, arguments.keep))
