"""Frames and answers as a hostile or broken venue could send them, made of sound ones."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from predsurv.core.errors import WireError
from predsurv.venues.kalshi import rest_wire as rows
from predsurv.venues.kalshi.books import NumberCache
from predsurv.venues.kalshi.decoder import KalshiCodec
from predsurv.venues.kalshi.exchange_status import next_pause, read_phase
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import parse_market, parse_time
from predsurv.venues.kalshi.polling_feed import PolledBooks
from predsurv.venues.kalshi.public_trades import trade_events
from predsurv.venues.kalshi.rest_wire import read_trade
from predsurv.venues.kalshi.rows import read_event, read_market, read_series
from predsurv.venues.kalshi.series_terms import SeriesTerms, event_terms
from tests.kit.kalshi_frames import EPOCH, NOW, key, wire
from tests.kit.payloads import Payloads

Sample = tuple[str, Any]

# Of the own payloads and of the recorded ones.
_POLLED: Final = ["KXKITEMOON-88", "KXELONMARS-99"]
_OPENED: Final = {"TOLL-24JUN-T4.50": (32, 5), "FED-23DEC-T3.00": (2, 1)}
"""The market that most frames are about, with the subscription and number of a book before those frames."""

_ODD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 2**63, 2**70, 1e308, "", "NaN", "Infinity", "-0", "1e9999", "0.5\n", "٠.٥", "1_0", "x" * 5_000,
    "\x00\x1b[31m", "0.00000001", "999999999999.99", [], {}, [[]], [["0.5"]], [["0.5", "1"]] * 3, [[0, 0]],
    {"a": {"b": []}},
)  # fmt: skip
_NUMBERS: Final = (b"1e400", b"-0", b"NaN", b"1E9999999", b'"\\ud800"', b"00", b"1.", b"[" * 2_000, b'{"a":' * 2_000)


def samples(payloads: Payloads) -> list[Sample]:
    """Return frames and answers, by what reads them."""
    found: list[Sample] = [("frame", frame) for _, frame in payloads.kalshi_frames()]
    book = payloads.one("kalshi/rest/orderbook_*.json")
    ticker = book.name.split("_")[1]
    found.append(("books", {"orderbooks": [{"ticker": ticker, **json.loads(book.read_text())}]}))
    page = payloads.load("kalshi/rest/markets_page_*.json")
    found += [("market", row) for row in page["markets"]]
    found += [("listing", page)]
    found += [("event", row) for row in payloads.load("kalshi/rest/events_page_*.json")["events"]]
    found.append(("series", payloads.load("kalshi/rest/series_*.json")["series"]))
    found.append(("limits", {"usage_tier": "basic", "read": {"refill_rate": 200, "bucket_capacity": 600}}))
    change = {"series_ticker": "KXA", "scheduled_ts": "2026-07-03T00:00:00Z", "fee_type": "quadratic"}
    found.append(("fees", {"series_fee_change_arr": [change]}))
    trade = {"trade_id": "0723cb08", "ticker": "KXA-26", "yes_price_dollars": "0.1400", "no_price_dollars": "0.8600"}
    taker = {"count_fp": "82.12", "taker_outcome_side": "no", "taker_book_side": "ask", "is_block_trade": False}
    found.append(("trade", {**trade, **taker, "created_time": "2026-08-24T15:15:38.595587Z"}))
    shard = {"exchange_index": 2, "exchange_active": True, "trading_active": False}
    paused = {"trading_active": False, "exchange_estimated_resume_time": "2026-12-03T10:00:00Z"}
    found.append(("status", {"exchange_active": True, **paused, "exchange_index_statuses": [shard]}))
    night = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
    week = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2028-01-01T00:00:00Z", "thursday": night}
    window = {"start_datetime": "2027-02-01T08:00:00Z", "end_datetime": "2027-02-01T10:00:00Z"}
    found.append(("schedule", {"schedule": {"standard_hours": [week], "maintenance_windows": [window]}}))
    return found


def mutants(rng: random.Random, made_of: Sequence[Sample], count: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``count`` broken variants."""
    for _ in range(count):
        name, value = rng.choice(made_of)
        yield name, _broken(rng, value)


def fed(name: str, body: bytes) -> None:
    """Give ``body`` to what reads its kind; only documented errors may come out of it."""
    if name == "frame":
        _frame(body)
    elif name == "books":
        polls = PolledBooks()
        polls.watch({key(ticker) for ticker in _POLLED})
        polls.apply_answer(_POLLED, body, NOW)
    else:
        with suppress(WireError, ValueError, RecursionError):
            _READERS[name](body)


def _frame(body: bytes) -> None:
    codec = KalshiCodec(EPOCH)
    ticker = next((each for each in _OPENED if each.encode() in body), "FED-23DEC-T3.00")
    sid, seq = _OPENED[ticker]
    codec.requests({key(ticker)}, frozenset())
    whole = {"market_ticker": ticker, "market_id": "m", "yes_dollars_fp": [["0.5000", "9.00"]]}
    codec.decode([wire({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": whole})], NOW, [])
    codec.decode([body], NOW, [])
    codec.take_lost()


def _trade(body: bytes) -> None:
    row, books = read_trade(body), PolledBooks()
    books.watch({key(row.ticker)})
    trade_events(row, books.book_set.by_ticker.get(row.ticker), NumberCache(), NOW, parse_time(row.created_time))


def _updated(body: bytes) -> None:
    row = read_market(body)
    market = parse_market(row, SeriesTerms(), NOW)
    if market is not None:
        LifecycleReader().updated(row, market, NOW, 0)


_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "market": _updated,
    "listing": rows.read_listing,
    "event": lambda body: event_terms(read_event(body), None),
    "series": lambda body: event_terms(rows.EventRow("KXA-1"), read_series(body)),
    "limits": rows.read_limits,
    "fees": rows.read_fee_changes,
    "trade": _trade,
    "status": lambda body: read_phase(body, NOW),
    "schedule": lambda body: next_pause(rows.read_schedule(body).schedule, NOW),
}


def _broken(rng: random.Random, value: Any) -> bytes:
    how = rng.randrange(6)
    if how < 3:
        return wire(_changed(rng, value))
    body = bytearray(wire(value))
    if how == 3:
        return bytes(body[: rng.randrange(len(body))])
    if how == 4:
        for _ in range(rng.randrange(1, 5)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        return bytes(body)
    at = rng.randrange(len(body))
    return bytes(body[:at]) + rng.choice(_NUMBERS) + bytes(body[at:])


def _changed(rng: random.Random, value: Any) -> Any:
    """Return ``value`` with something in it replaced, removed or doubled."""
    if isinstance(value, dict) and value and rng.randrange(8):
        name = rng.choice([*value])
        if not rng.randrange(6):
            return {each: kept for each, kept in value.items() if each != name}
        return {**value, name: _changed(rng, value[name])}
    if isinstance(value, list) and value and rng.randrange(4):
        at = rng.randrange(len(value))
        return [*value[:at], *([_changed(rng, value[at])] * rng.randrange(3)), *value[at + 1 :]]
    return rng.choice(_ODD)
