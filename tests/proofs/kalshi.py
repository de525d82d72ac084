"""Kalshi's adapter at length: lost frames, hostile input, throughput, and the memory a scan takes.

``python -m tests.proofs.kalshi losses|fuzz|decode|scan``. Kept apart from the tests, which run short
shares of the first two, because these take minutes.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable

import httpx

from predsurv.core.events import MarketEvent
from predsurv.net.clock import SystemClock
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import MarketQuery
from predsurv.venues.kalshi.catalog import KalshiCatalog
from predsurv.venues.kalshi.rest import KalshiRest, RequestBudget
from predsurv.venues.kalshi.wire import read_frame
from tests.kit.kalshi_mutants import fed, mutants, samples
from tests.kit.lossy_kalshi import LossyWire
from tests.kit.payloads import available

SLOW_S = 0.05


def losses(args: argparse.Namespace) -> int:
    """Lose 10,000 frames, then none in a million."""
    began = time.perf_counter()
    noticed = LossyWire(random.Random(1)).run(frames=200_000, losses=10_000, compare_every=10)
    print(f"10,000 frames lost among 200,000: {noticed:,} noticed, books exact ({time.perf_counter() - began:.0f} s)")
    began = time.perf_counter()
    LossyWire(random.Random(2)).run(frames=args.count, losses=0, compare_every=10_000)
    print(f"{args.count:,} frames without a loss: 0 false alarms ({time.perf_counter() - began:.0f} s)")
    return 0


def fuzz(args: argparse.Namespace) -> int:
    """Feed mutated frames and answers to everything that reads them; slow ones and crashes fail."""
    rng = random.Random(3)
    worst, slow, total = 0.0, 0, 0
    before = _peak_mb()
    began = time.perf_counter()
    for name, body in mutants(rng, [sample for source in available() for sample in samples(source)], args.count):
        start = time.perf_counter()
        fed(name, body)
        took = time.perf_counter() - start
        total += 1
        if took > SLOW_S:
            # A shared machine stops anybody now and then: only what is slow every time is slow.
            took = min(took, *(_timed(name, body) for _ in range(3)))
            slow += took > SLOW_S
        worst = max(worst, took)
    spent = time.perf_counter() - began
    print(f"{total:,} mutants: no crash, {slow} over 50 ms (slowest {worst * 1e3:.1f} ms), {total / spent:,.0f}/s")
    print(f"memory: {before:.0f} MB before, {_peak_mb():.0f} MB at most")
    return int(slow > 0)


def decode(args: argparse.Namespace) -> int:
    """Time the codec alone over changes of 500 markets."""
    wire = LossyWire(random.Random(4), [f"KXTEMP-26NOV20-T{number}.5" for number in range(500)])
    frames = [wire.step() for _ in range(args.count)]
    out: list[MarketEvent] = []
    best = float("inf")
    for _ in range(3):
        wire.talk.codec._last[1] = 500
        out.clear()
        start = time.process_time()
        for frame in frames:
            wire.talk.codec.decode([frame], 1, out)
        best = min(best, time.process_time() - start)
        for line in wire.talk.codec._lines.values():
            line.bids.clear()
            line.asks.clear()
    start = time.process_time()
    for frame in frames:
        read_frame(frame)
    bare = time.process_time() - start
    print(f"{len(frames):,} changes: {len(frames) / best:,.0f} frames/s of CPU time, {len(out):,} events")
    print(f"struct decoding alone: {len(frames) / bare:,.0f}/s; ratio {bare / best:.2f}")
    return 0


def scan(args: argparse.Namespace) -> int:
    """Read a listing of ``count`` markets and say how much memory that took."""
    before = _peak_mb()
    began = time.perf_counter()
    markets = asyncio.run(_scan(args.count))
    print(f"{markets:,} markets in {time.perf_counter() - began:.1f} s (no request limit)")
    print(f"memory: {before:.0f} MB before, {_peak_mb():.0f} MB at most")
    return int(_peak_mb() > 300)


async def _scan(count: int) -> int:
    clock = SystemClock()
    pace = RequestBudget(clock)
    pace.limiter = TokenBucket(clock, tokens=1_000_000, period=1, burst=1_000_000)
    http = Http(clock, random.Random(5).random, transport=httpx.MockTransport(_Lists(count)))
    catalog = KalshiCatalog(KalshiRest("https://external-api.kalshi.com/trade-api/v2", http, clock, pace), clock)
    seen = 0
    async for market in catalog.markets(MarketQuery()):
        seen += market.tradable
    await http.aclose()
    return seen


class _Lists:
    """Lists of the size of the venue's: 14,000 series, 12,000 events, ``count`` markets of 2 kB each."""

    def __init__(self, count: int) -> None:
        page = available()[-1].load("kalshi/rest/markets_page_*.json")
        self.rows = page["markets"]
        self.count = count

    def __call__(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.rpartition("/")[2]
        start = int(request.url.params.get("cursor", "c0")[1:])
        if kind == "series":
            rows = [{**_SERIES, "ticker": f"KXS{number}"} for number in range(14_000)]
            return httpx.Response(200, content=json.dumps({"series": rows}).encode())
        if kind not in ("markets", "events"):
            return httpx.Response(404, json={})
        size, total = (1_000, self.count) if kind == "markets" else (200, 12_000)
        stop = min(start + size, total)
        rows = [self._row(kind, number) for number in range(start, stop)]
        return httpx.Response(
            200, content=json.dumps({kind: rows, "cursor": f"c{stop}" if stop < total else ""}).encode()
        )

    def _row(self, kind: str, number: int) -> dict[str, object]:
        event = f"KXS{number % 12_000}-26AUG24"
        if kind == "events":
            title = f"What happens in event number {number}?"
            return {"event_ticker": event, "series_ticker": f"KXS{number}", "title": title, "mutually_exclusive": True}
        return {**self.rows[number % 2], "ticker": f"{event}-T{number}", "event_ticker": event}


_SERIES = {
    "title": "A series of events with a title",
    "category": "Sports",
    "tags": ["Tennis", "Weekly"],
    "fee_type": "quadratic",
    "fee_multiplier": 1,
    "contract_terms_url": "https://assets.kalshi.com/contract_terms/TENNIS.pdf",
    "additional_prohibitions": ["Persons who are employed by any of the Source Agencies. " * 10],
}


def _timed(name: str, body: bytes) -> float:
    start = time.perf_counter()
    fed(name, body)
    return time.perf_counter() - start


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], int]] = {
    "losses": (losses, 1_000_000),
    "fuzz": (fuzz, 1_000_000),
    "decode": (decode, 300_000),
    "scan": (scan, 120_000),
}


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=_COMMANDS)
    parser.add_argument("--count", type=int, default=0)
    args = parser.parse_args()
    command, count = _COMMANDS[args.what]
    args.count = args.count or count
    return command(args)


if __name__ == "__main__":
    sys.exit(main())
