"""Frames and answers as a hostile or broken venue could send them, made of recorded ones."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from predsurv.core.errors import WireError
from predsurv.venues.kalshi import rest_wire as rows
from predsurv.venues.kalshi.decoder import KalshiCodec
from predsurv.venues.kalshi.market_parser import SeriesTerms, market_of, terms_of
from predsurv.venues.kalshi.polling_feed import PolledBooks
from tests.kit.kalshi_frames import EPOCH, NOW, key, wire

Sample = tuple[str, Any]

_ODD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 2**63, 2**70, 1e308, "", "NaN", "Infinity", "-0", "1e9999", "0.5\n", "٠.٥", "1_0", "x" * 5_000,
    "\x00\x1b[31m", "0.00000001", "999999999999.99", [], {}, [[]], [["0.5"]], [["0.5", "1"]] * 3, [[0, 0]],
    {"a": {"b": []}},
)  # fmt: skip
_NUMBERS: Final = (b"1e400", b"-0", b"NaN", b"1E9999999", b'"\\ud800"', b"00", b"1.", b"[" * 2_000, b'{"a":' * 2_000)


def samples(payloads: Path) -> list[Sample]:
    """Return recorded frames and answers, by what reads them."""
    folder = payloads / "kalshi"
    found: list[Sample] = []
    for file in sorted((folder / "ws").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            frame = entry.get("frame") or entry.get("payload")
            if isinstance(frame, dict) and "type" in frame:
                found.append(("frame", frame))
    rest = folder / "rest"
    book = json.loads((rest / "orderbook_KXELONMARS-99_2026-06-20.ccxt.json").read_text())
    found.append(("books", {"orderbooks": [{"ticker": "KXELONMARS-99", **book}]}))
    page = json.loads((rest / "markets_page_2026-08-24.v-trade_excerpt.json").read_text())
    found += [("market", row) for row in page["markets"]]
    found += [("listing", page)]
    found += [
        ("event", row) for row in json.loads((rest / "events_page_2026-08-24.manta_excerpt.json").read_text())["events"]
    ]
    found.append(("series", json.loads((rest / "series_FED_2026-08-24.manta.json").read_text())["series"]))
    found.append(("limits", {"usage_tier": "basic", "read": {"refill_rate": 200, "bucket_capacity": 600}}))
    change = {"series_ticker": "KXA", "scheduled_ts": "2026-07-03T00:00:00Z", "fee_type": "quadratic"}
    found.append(("fees", {"series_fee_change_arr": [change]}))
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
        polls.watch({key("KXELONMARS-99")})
        polls.answered(["KXELONMARS-99"], body, NOW)
    else:
        with suppress(WireError, ValueError, RecursionError):
            _READERS[name](body)


def _frame(body: bytes) -> None:
    codec = KalshiCodec(EPOCH)
    ticker = "FED-23DEC-T3.00"
    codec.requests({key(ticker)}, frozenset())
    whole = {"market_ticker": ticker, "market_id": "m", "yes_dollars_fp": [["0.5000", "9.00"]]}
    codec.decode([wire({"type": "orderbook_snapshot", "sid": 2, "seq": 1, "msg": whole})], NOW, [])
    codec.decode([body], NOW, [])
    codec.take_lost()


_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "market": lambda body: market_of(rows.read_market(body), SeriesTerms(), NOW),
    "listing": rows.read_listing,
    "event": lambda body: terms_of(rows.read_event(body), None),
    "series": lambda body: terms_of(rows.EventRow("KXA-1"), rows.read_series(body)),
    "limits": rows.read_limits,
    "fees": rows.read_fee_changes,
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
