"""Read 200,000 markets from a paged server on this machine: time, pages a second, peak memory.

``python -m benchmarks.scan [MARKETS]``. The server is another process, so that its memory is not
counted; it makes rows of the size and shape of recorded ones, gzipped as the venue does.
"""

import asyncio
import gzip
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal, rate
from predsurv.config import Config, PolymarketConfig, VenuesConfig
from predsurv.net.clock import SystemClock, system_random
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import MarketQuery
from predsurv.scan.job import ScanJob, VenueScan, scan_venues
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.venue import PolymarketVenue

MARKETS = 200_000
PAGE_ROWS = 100
ROW_BYTES = 5_800
PEAK_MB_MAX = 100


def measure(words: Sequence[str]) -> list[Comparison]:
    """Scan, and say what it took."""
    markets = int(words[0]) if words else MARKETS
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, markets), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    began, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(prefix="predsurv-scan-") as folder:
        (result,) = asyncio.run(scan(url, Path(folder)))
        wall, cpu = time.perf_counter() - began, time.process_time() - worked
        size = result.path.stat().st_size if result.path else 0
    server.terminate()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found, pages = result.totals.markets, result.pages
    return [
        Comparison(
            title=f"A listing of {markets:,} markets of Polymarket, {pages:,} pages, without a limit of requests",
            method="once; CPU time and the most resident memory of the process, its imports included",
            figures=(
                Figure(what="a market", value=cpu / markets * 1e6, unit="µs of CPU"),
                rate("all of it", pages, wall, "pages/s by the clock"),
                Figure(what="memory", value=peak, unit="MB", goal=Goal("≤", PEAK_MB_MAX, "value")),
                Figure(what="universe.jsonl, a market", value=size / markets, unit="bytes"),
            ),
            failed="" if found == markets else f"{found:,} markets were read, {result.issues_count} not",
        )
    ]


async def scan(url: str, folder: Path) -> list[VenueScan]:
    """Scan the server as the command does, at full speed."""
    clock = SystemClock()
    config = Config(data_location=folder, venues=VenuesConfig(polymarket=PolymarketConfig(gamma_url=url)))
    venue = PolymarketVenue(config, clock, system_random)
    venue.gamma_limiter = TokenBucket(clock, tokens=1_000_000, period=1_000_000_000, burst=1_000)  # no limit here
    try:
        return await scan_venues(
            [venue],
            ScanJob(
                queries={VENUE: MarketQuery()},
                sink=lambda name: UniverseWriter(folder, name, clock.now()),
                clock=clock,
                progress=lambda _: None,
            ),
        )
    finally:
        await venue.aclose()


def serve(pipe: Connection, markets: int) -> None:
    """Serve ``/markets/keyset`` until terminated; sends its port first."""
    asyncio.run(_serve(pipe, markets))


async def _serve(pipe: Connection, markets: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await answer(await reader.readuntil(b"\r\n\r\n"), writer)

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
        body = gzip.compress(page(int(query.get("after_cursor", ["0"])[0]), markets), 1)
        fields = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n" + body)
        await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def page(start: int, markets: int) -> bytes:
    """Return the rows from ``start`` on as the venue answers."""
    stop = min(start + PAGE_ROWS, markets)
    listing: dict[str, Any] = {"markets": [row(number) for number in range(start, stop)]}
    if stop < markets:
        listing["next_cursor"] = str(stop)
    return json.dumps(listing, separators=(",", ":")).encode()


def row(number: int) -> Mapping[str, Any]:
    """Return market ``number`` with the keys that matter, filled up to the usual size."""
    seed = number * 2_654_435_761 % 2**64
    made = {
        "id": str(number),
        "question": f"Will thing {number} happen before it does not?",
        "conditionId": f"0x{seed:064x}",
        "slug": f"will-thing-{number}",
        "endDate": "2027-12-31T00:00:00Z",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.0455", "0.9545"]',
        "clobTokenIds": json.dumps([f"{seed}{number:057}", f"{seed}{number + 1:057}"]),
        "volume": f"{seed % 10**9}.216478",
        "volumeNum": seed % 10**9 / 7,
        "volume24hr": seed % 10**6 / 7,
        "liquidityNum": seed % 10**5 / 7,
        "orderPriceMinTickSize": 0.001,
        "orderMinSize": 5,
        **dict.fromkeys(("active", "enableOrderBook", "acceptingOrders"), True),
        **dict.fromkeys(("closed", "archived", "negRisk"), False),
        "feesEnabled": True,
        "feeSchedule": {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25},
        "events": [{"id": str(number // 5), "slug": f"event-{number // 5}", "title": "An event", "negRisk": False}],
        "tags": [{"id": "1", "label": "Politics", "slug": "politics"}],
        "description": "This market will resolve to Yes if the thing happens. " * 24,
    }
    return {**made, "image": "x" * max(0, ROW_BYTES - len(json.dumps(made)))}


if __name__ == "__main__":
    sys.exit(figures.main(measure))
