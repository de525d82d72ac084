"""Kalshi's adapter: frames a second of CPU time, and the memory that reading the venue's whole listing takes.

``python -m benchmarks.kalshi [decode] [scan]``; without arguments both. All frames and pages are made here, of the
shape and size that the venue documents.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import httpx

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal, rate
from predsurv.core import native
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.level_changes import count_of
from predsurv.net.clock import SystemClock
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import MarketQuery
from predsurv.venues.kalshi.catalog import KalshiCatalog
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.rest import KalshiRest, RequestBudget
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES
from predsurv.venues.kalshi.wire import read_frame

TICKERS = tuple(f"KXTEMP-26NOV20-T{number}.5" for number in range(500))
FRAMES = 300_000
RUNS = 3
LIMIT_RATIO = 1.5
READ_FRAMES = 64
"""Frames that one read of the socket brings under load."""
MARKETS = 120_000
SERIES = 14_000
EVENTS = 12_000
PEAK_MB_MAX = 300


def decode() -> Comparison:
    """Time the codec alone, as the recorder has it, over changes of 500 markets, beside decoding them into structs."""
    opening, frames = opening_frames(), change_frames(FRAMES)
    spent: dict[int, list[float]] = {0: [], 1: [], READ_FRAMES: []}
    changes = 0
    for _ in range(RUNS):
        for together in (1, READ_FRAMES):
            codec, start, changes = subscribed(opening), time.process_time(), 0
            for at in range(0, len(frames), together):
                out: list[MarketEvent] = []
                codec.decode(frames[at : at + together], 1, out)
                changes += count_of(out)
            spent[together].append(time.process_time() - start)
        start = time.process_time()
        for frame in frames:
            read_frame(frame)
        spent[0].append(time.process_time() - start)
    bare, alone, ours, count = median(spent[0]), median(spent[1]), median(spent[READ_FRAMES]), len(frames)
    goal = Goal("≥", LIMIT_RATIO) if native.speedups is not None else None
    return Comparison(
        title=f"Kalshi's changes: decode → changes ({count:,} frames of 500 markets)",
        method="CPU time of one process, in interleaved rounds",
        rounds=RUNS,
        ratio="of decoding alone",
        figures=(
            rate("msgspec, decoding alone", count, bare, "frames/s", ratio=1.0),
            rate(f"predsurv, {READ_FRAMES} frames a read", count, ours, "frames/s", ratio=bare / ours, goal=goal),
            rate("predsurv, one frame a read", count, alone, "frames/s", ratio=bare / alone),
        ),
        failed="" if changes == count else f"{changes:,} changes of {count:,} frames",
    )


def subscribed(opening: Sequence[bytes]) -> KalshiCodec:
    """Return a codec that has the book of every ticker."""
    shared = KalshiSharedState()
    shared.pack()
    codec = KalshiCodec(1, shared)
    codec.requests({InstrumentKey(VENUE, MarketId(each), InstrumentId(each)) for each in TICKERS}, frozenset())
    codec.decode(opening, 1, [])
    return codec


def opening_frames() -> list[bytes]:
    """Return the answers to the subscriptions and an empty book for each ticker."""
    frames = [
        _wire({"type": "subscribed", "id": 1, "msg": {"channel": channel, "sid": sid}})
        for sid, channel in enumerate((BOOKS, TRADES, LIFECYCLE), 1)
    ]
    for seq, ticker in enumerate(TICKERS, 1):
        body = {"market_ticker": ticker, "market_id": "m"}
        frames.append(_wire({"type": "orderbook_snapshot", "sid": 1, "seq": seq, "msg": body}))
    return frames


def change_frames(count: int) -> list[bytes]:
    """Return ``count`` changes of levels that stay at zero or more, numbered on from the opening frames."""
    rng = random.Random(4)
    levels: dict[tuple[str, str, int], int] = {}
    frames = []
    for seq in range(len(TICKERS) + 1, len(TICKERS) + 1 + count):
        at = (rng.choice(TICKERS), rng.choice(("yes", "no")), rng.randrange(1, 50))
        old, new = levels.get(at, 0), 0 if rng.random() < 0.3 else rng.randrange(1, 10_000)
        levels[at] = new
        sign, size = "-" if new < old else "", abs(new - old)
        body = {"market_ticker": at[0], "market_id": "m", "price_dollars": f"0.{at[2]:02d}00"}
        body |= {"delta_fp": f"{sign}{size // 100}.{size % 100:02d}", "side": at[1]}
        message = {**body, "ts_ms": 1_787_838_983_996}
        frames.append(_wire({"type": "orderbook_delta", "sid": 1, "seq": seq, "msg": message}))
    return frames


def scan() -> Comparison:
    """Read a listing of 120,000 markets."""
    before, began = _peak_mb(), time.perf_counter()
    markets = asyncio.run(_scan())
    goal = Goal("≤", PEAK_MB_MAX, "value")
    return Comparison(
        title=f"A listing of {MARKETS:,} markets of Kalshi, without a limit of requests",
        method="once; the most resident memory of the process, its imports included",
        figures=(
            rate("all of it", markets, time.perf_counter() - began, "markets/s by the clock"),
            Figure(what="memory before", value=before, unit="MB"),
            Figure(what="memory", value=_peak_mb(), unit="MB", goal=goal),
        ),
        failed="" if markets == MARKETS else f"{markets:,} markets were read",
    )


async def _scan() -> int:
    clock = SystemClock()
    pace = RequestBudget(clock)
    pace.limiter = TokenBucket(clock, tokens=1_000_000, period=1, burst=1_000_000)
    http = Http(clock, random.Random(5).random, transport=httpx.MockTransport(answer))
    catalog = KalshiCatalog(KalshiRest("https://external-api.kalshi.com/trade-api/v2", http, clock, pace), clock)
    seen = 0
    async for market in catalog.markets(MarketQuery()):
        seen += market.tradable
    await http.aclose()
    return seen


def answer(request: httpx.Request) -> httpx.Response:
    """Return a page of the venue's lists: 14,000 series, 12,000 events, 120,000 markets of 2 kB each."""
    kind = request.url.path.rpartition("/")[2]
    start = int(request.url.params.get("cursor", "c0")[1:])
    if kind == "series":
        rows = [{**_SERIES, "ticker": f"KXS{number}"} for number in range(SERIES)]
        return httpx.Response(200, content=_wire({"series": rows}))
    if kind not in ("markets", "events"):
        return httpx.Response(404, json={})
    size, total = (1_000, MARKETS) if kind == "markets" else (200, EVENTS)
    stop = min(start + size, total)
    rows = [_row(kind, number) for number in range(start, stop)]
    return httpx.Response(200, content=_wire({kind: rows, "cursor": f"c{stop}" if stop < total else ""}))


def _row(kind: str, number: int) -> dict[str, object]:
    event = f"KXS{number % EVENTS}-26AUG24"
    if kind == "events":
        title = f"What happens in event number {number}?"
        return {"event_ticker": event, "series_ticker": f"KXS{number}", "title": title, "mutually_exclusive": True}
    return {**_MARKET, "ticker": f"{event}-T{number}", "event_ticker": event}


_SERIES = {
    "title": "A series of events with a title",
    "category": "Sports",
    "tags": ["Tennis", "Weekly"],
    "fee_type": "quadratic",
    "fee_multiplier": 1,
    "contract_terms_url": "https://assets.kalshi.com/contract_terms/TENNIS.pdf",
    "additional_prohibitions": ["Persons who are employed by any of the Source Agencies. " * 10],
}
_MARKET = {
    **dict.fromkeys(("close_time", "expiration_time", "latest_expiration_time"), "2026-08-26T22:00:00Z"),
    **dict.fromkeys(("created_time", "open_time", "updated_time"), "2026-08-24T17:11:53.988247Z"),
    **dict.fromkeys(("last_price_dollars", "liquidity_dollars", "yes_bid_dollars", "no_bid_dollars"), "0.0100"),
    **dict.fromkeys(("previous_price_dollars", "previous_yes_ask_dollars", "previous_yes_bid_dollars"), "0.0100"),
    **dict.fromkeys(("yes_ask_dollars", "no_ask_dollars"), "0.9900"),
    **dict.fromkeys(("open_interest_fp", "volume_24h_fp", "volume_fp", "yes_ask_size_fp", "yes_bid_size_fp"), "9.00"),
    "can_close_early": True,
    "early_close_condition": "This market will close and expire early if the event occurs.",
    "expiration_value": "",
    "floor_strike": 4.5,
    "market_type": "binary",
    "no_sub_title": "Regular time: the visitors over 4.5 goals",
    "notional_value_dollars": "1.0000",
    "price_level_structure": "linear_cent",
    "price_ranges": [{"end": "1.0000", "start": "0.0000", "step": "0.0100"}],
    "result": "",
    "rules_primary": "If the visitors score more than 4.5 goals in the match, then the market resolves to Yes. " * 4,
    "rules_secondary": "This refers to 90 minutes plus stoppage time. Own goals count towards the other team. " * 4,
    "settlement_timer_seconds": 300,
    "status": "active",
    "strike_type": "greater",
    "title": "Will the visitors score over 4.5 goals?",
    "yes_sub_title": "Regular time: the visitors over 4.5 goals",
}


def _wire(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS: dict[str, Callable[[], Comparison]] = {"scan": scan, "decode": decode}
"""Memory first: its peak is that of the whole process."""


def measure(words: Sequence[str]) -> list[Comparison]:
    """Measure the parts that are named, or both."""
    return [PARTS[name]() for name in words or PARTS]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
