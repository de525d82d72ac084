"""Days of both simulated venues recorded in minutes: the venues in a process of their own, one clock that is sped up.

Markets are listed and settled all the time, and each one's life is noted; what the recording knows of them is judged by
the proofs that use this.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
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
from predsurv.store.remote.object_store import Bucket
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
START: Final = 1_793_556_000 * S
"""2026-11-01 18:00 UTC: the first of the midnights comes after six hours."""
PATIENCE: Final = 8
"""Factor of the time-outs of connections."""
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
GROUPS_MAX: Final = 19_000
"""Groups of markets that are listed in all, below what a simulated exchange has room for."""


class SimulatedVenues(Struct, frozen=True):
    """What both venues do: ``markets`` at the start, level changes a second (``rate``), scripts of faults.

    ``lives``: seconds that a market lives at most that is listed later; ``listed_every``: seconds from one listing to
    the next, from and below.
    """

    markets: int = 60
    rate: int = 8
    lives: int = 300
    listed_every: tuple[int, int] = (8, 14)
    polymarket_faults: str = ""
    kalshi_faults: str = ""


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
        """Take in that a market was ``activated`` or ``closed`` at ``ts`` (ns UTC)."""
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


class PatientKey(ThrowawayKey):
    """A key whose signatures may be old: real time for a request is minutes of the clocks here."""

    def accepts(self, headers: Mapping[str, str], method: str, path: str, now: int) -> bool:
        return "kalshi-access-key" in headers


async def serve(venues: SimulatedVenues, clock: PacedClock, folder: Path) -> None:
    """Serve both venues until SIGTERM, then write every market's life to ``folder``."""

    def short_lived(seed: int, index: int, shape: GroupShape, rank: int) -> GroupSpec:
        return replace(draft_group(seed, index, shape, rank), closes_at=venues.lives * S)

    schedule.draft_group = short_lived  # type: ignore[attr-defined]
    schedule.LISTED_EVERY = venues.listed_every  # type: ignore[misc]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    markets, rate = venues.markets, venues.rate
    polymarket = WatchedPolymarket(
        PolymarketSimulatorSettings(markets=markets, rate=rate, faults=venues.polymarket_faults), clock
    )
    key = PatientKey("ed25519")
    key.write(folder / "key.pem")
    underlying = MockVenue(MockConfig(enabled=True, markets=markets, rate=rate), clock)
    kalshi = KalshiSimulator(underlying, clock, KalshiSimulatorSettings(key=key, faults=venues.kalshi_faults))
    await polymarket.start()
    await kalshi.start()
    tape, lives = underlying.clocked_exchange.subscribe(), Lives("kalshi")
    environment = polymarket.environment() | kalshi_environment(kalshi.port, key, folder / "key.pem")
    (folder / "environment.draft").write_text(json.dumps(environment))
    (folder / "environment.draft").replace(folder / "environment.json")
    running = [asyncio.create_task(each) for each in (polymarket.run(), kalshi.run(), clock.keep_pace())]
    while not stop.is_set() and not any(task.done() for task in running):
        await asyncio.sleep(0.05)
        while tape:
            for event in tape.get():
                _note(lives, event, kalshi)
    for task in running:
        if task.done():
            task.result()
        task.cancel()
    found = [*polymarket.lives.by_id.values(), *lives.by_id.values()]
    (folder / "lives.json").write_bytes(msgspec.json.encode(found))
    await polymarket.aclose()
    await kalshi.aclose()


def _note(lives: Lives, event: TapeEvent, kalshi: KalshiSimulator) -> None:
    if isinstance(event, TapeLifecycle):
        for ticker in kalshi.markets.tickers_by_market.get(event.market.market_id, ()):
            lives.note(ticker, event.kind, event.ts)


@contextmanager
def served(venues: SimulatedVenues, clock: PacedClock, folder: Path) -> Iterator[dict[str, str]]:
    """Run ``serve`` in a process of its own; yield the environment that leads to its venues."""
    command = [sys.executable, "-m", "tests.proofs.simulated_days", "--serve", str(folder)]
    command += ["--clock", str(clock.path), "--venues", msgspec.json.encode(venues).decode()]
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


def lives_in(folder: Path) -> list[Life]:
    """Return the lives that the venues of ``folder`` wrote down."""
    return msgspec.json.decode((folder / "lives.json").read_bytes(), type=list[Life])


class Sample(NamedTuple):
    """What the collector held: simulated seconds since the start, resident MB without mapped files, descriptors, tasks,
    bytes of its state folder.
    """

    at: float
    mb: float
    descriptors: int
    tasks: int
    state: int


def own_mb() -> float:
    """Return the resident memory of this process without mapped files, MB."""
    rss, files = (int(pages) * PAGE / 1e6 for pages in Path("/proc/self/statm").read_text().split()[1:3])
    return rss - files


def size_of(folder: Path) -> int:
    """Return the bytes of the files in ``folder``, which may come and go."""
    sizes = 0
    for path, _, names in os.walk(folder):  # which goes on where a folder is gone
        for name in names:
            with suppress(FileNotFoundError):
                sizes += os.stat(os.path.join(path, name)).st_size
    return sizes


class Recording(NamedTuple):
    """Samples of what the collector held, and from when to when (ns UTC) it recorded."""

    samples: list[Sample]
    since: int
    until: int


async def record(config: Config, clock: PacedClock, days: float, bucket: Bucket | None = None) -> Recording:
    """Scan and record both venues."""
    venues: list[Venue] = [
        PolymarketVenue(config, clock, system_random, _patient(POLICY)),
        KalshiVenue(config, clock, system_random, load_signer(clock), _patient(StreamPolicy())),
    ]

    async def scan(name: VenueName) -> ListedUniverse:
        return ListedUniverse(await asyncio.to_thread(_listed, config, clock, name), whole=True)

    pace = asyncio.create_task(clock.keep_pace())
    for venue in venues:
        await scan(venue.name)
    job = Collector(config, venues, clock, CollectorDeps(scan=scan, bucket=bucket))
    running, samples, since = asyncio.create_task(job.run(round(days * DAY) * S)), list[Sample](), 0
    began = clock.monotonic()
    while not running.done():
        await asyncio.wait([running], timeout=1)
        at, state = (clock.monotonic() - began) / S, size_of(config.data_dir / "state")
        descriptors = len(os.listdir("/proc/self/fd"))
        samples.append(Sample(at, own_mb(), descriptors, len(asyncio.all_tasks()), state))
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


def _listed(config: Config, clock: PacedClock, name: VenueName) -> Path:
    """Have the catalogue of a venue read in a process of its own, as ``collect`` does; return its universe file."""
    command = [sys.executable, "-m", "tests.proofs.simulated_days", "--list", name, str(config.data_dir)]
    command += ["--clock", str(clock.path)]
    if subprocess.run(command, check=False).returncode:
        raise TransientError(f"{name} could not be listed")
    path = latest_universe(config.data_dir, name)
    assert path is not None
    return path


async def _list_markets(name: str, data_dir: str, clock: PacedClock) -> None:
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


def command(*words: str, data_dir: Path) -> list[dict[str, object]]:
    """Run a command and return its rows; raises RuntimeError when it fails."""
    run = [sys.executable, "-m", "predsurv", *words, "--format", "jsonl"]
    done = subprocess.run(run, env=os.environ | {"PREDSURV_DATA_DIR": str(data_dir)}, capture_output=True, check=False)
    if done.returncode:
        print(done.stderr.decode(), file=sys.stderr)
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def recorded_dates(data_dir: Path) -> Sequence[str]:
    """Return the days of which there is coverage, YYYY-MM-DD."""
    return sorted({path.name.removeprefix("date=") for path in (data_dir / "coverage").glob("venue=*/date=*")})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.simulated_days", description=__doc__)
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--list", nargs=2)
    parser.add_argument("--venues", default="{}")
    parser.add_argument("--clock", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        made_up = msgspec.json.decode(arguments.venues, type=SimulatedVenues)
        asyncio.run(serve(made_up, PacedClock(arguments.clock, seat=1), arguments.serve))
    else:
        venue_name, listed_in = arguments.list
        asyncio.run(_list_markets(venue_name, listed_in, PacedClock(arguments.clock)))
