"""Frames as Polymarket sends them, and their events in words."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    Level,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Quote,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import format_micros
from predsurv.venues.polymarket.decoder import PolymarketCodec

NOW = 1_800_000_000_000_000_000


def key(token: str, market: str = "0xm1") -> InstrumentKey:
    return InstrumentKey(VenueName("polymarket"), MarketId(market), InstrumentId(token))


def codec(*tokens: str, live: bool = True) -> PolymarketCodec:
    """Return a codec that wants ``tokens``, with an empty book of each when ``live``."""
    made = PolymarketCodec(3)
    made.requests({key(token) for token in tokens}, frozenset())
    for token in tokens if live else ():
        made.decode([wire(book(token))], NOW, [])
    return made


def book(token: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "book", "asset_id": token, "bids": [], "asks": [], "timestamp": "1791199970000", **more}


def change(token: str, price: str = "0.5", size: str = "1", side: str = "BUY") -> dict[str, Any]:
    entry = {"asset_id": token, "price": price, "size": size, "side": side}
    return {"price_changes": [entry], "timestamp": "1791199970000", "event_type": "price_change"}


def wire(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def decoded(made: PolymarketCodec, frame: bytes) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    understood = made.decode([frame], NOW, out)
    assert understood == (not out or any(not isinstance(event, Malformed | Gap) for event in out))
    return out


def readable(event: MarketEvent) -> str:
    match event:
        case BookSnapshot():
            words = ["book", event.key.instrument_id, stamp(event), "bids", *sizes(event.bids), "asks"]
            return " ".join([*words, *sizes(event.asks)])
        case BookDelta():
            (level,) = sizes([(event.price, event.size)])
            return f"delta {event.key.instrument_id} {stamp(event)} {event.side} {level}"
        case Trade():
            (level,) = sizes([(event.price, event.size)])
            return f"trade {event.key.instrument_id} {stamp(event)} {event.taker_side} {level}"
        case Quote():
            return f"quote {event.key.instrument_id} {stamp(event)} {dollars(event.bid)} {dollars(event.ask)}"
        case MarketChange():
            what = f"{event.kind} {event.value} tick {dollars(event.tick_size)} {new(event.market)}"
            return f"market {event.market_id} {event.instrument_id} {stamp(event)} {what}"
        case MarketResolved():
            payouts = " ".join(f"{token}={dollars(price)}" for token, price in event.payouts)
            return f"resolved {event.market_id} {stamp(event)} {payouts}"
        case Unknown():
            return f"unknown {event.kind}"
        case _:
            return repr(event)


def new(market: Market | None) -> str:
    if market is None:
        return "-"
    outcomes = " ".join(f"{outcome.label}={outcome.instrument_id}" for outcome in market.outcomes)
    return f"{market.question} {market.event_id} {dollars(market.tick_size)} {outcomes}"


def stamp(event: Any) -> str:
    return f"@{event.ts_venue if event.ts_venue is None else event.ts_venue // 1_000_000}"


def dollars(value: int | None) -> str | None:
    return None if value is None else format_micros(value)


def sizes(levels: Sequence[Level]) -> list[str]:
    return [f"{format_micros(price)}x{format_micros(size)}" for price, size in levels]


def frame_lines(path: Path) -> list[str]:
    """Return the events of the frames in a file, in words, on a connection that wants the tokens they name."""
    frames = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
    made = codec(*sorted({token for frame in frames for token in _tokens(json.loads(frame))}))
    return [readable(event) for frame in frames for event in decoded(made, frame)]


def _tokens(value: Any) -> set[str]:
    """Every token a message names, but for those of markets it announces."""
    if isinstance(value, list):
        return set().union(*map(_tokens, value))
    entries = [value, *value.get("price_changes", [])]
    resolved = value["assets_ids"] if "winning_asset_id" in value else []
    return {entry["asset_id"] for entry in entries if "asset_id" in entry} | set(resolved)
