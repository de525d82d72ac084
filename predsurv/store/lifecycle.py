"""The ``value`` column of the lifecycle dataset: market events as JSON, and back.

A change is ``{"change": …, "tick_size": "0.01", "bands": […], "fee": {…}, "market": {…}, "close_time": "…",
"effective": "…", "min_order_size": "5", "opened": "…", "closed": "…"}`` with only the fields that the event had.
``change`` is the venue adapter's own JSON; ``text`` replaces it when that was not JSON. ``bands``, ``fee`` and
``market`` are as in universe.jsonl. A settlement is ``{"payouts": {"<instrument_id>": "1"}}``, prices as decimals. A
row about the whole venue has an empty market id, kind ``activated`` or ``paused``, and ``{"phase": "cancel_only",
"resumes": "…", "change": …}``.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from predsurv.core.events import MarketChange, MarketChangeKind, MarketResolved, TradingPhase, VenuePhase
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.num import Price, Size, format_micros, parse_micros
from predsurv.store.universe import (
    BandLine,
    FeeLine,
    MarketLine,
    iso_time,
    parse_iso,
    to_band_lines,
    to_bands,
    to_fee,
    to_fee_line,
    to_line,
    to_market,
)


class _Change(Struct, frozen=True):
    change: msgspec.Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET
    tick_size: str | UnsetType = UNSET
    bands: tuple[BandLine, ...] | UnsetType = UNSET
    fee: FeeLine | UnsetType = UNSET
    market: MarketLine | UnsetType = UNSET
    close_time: str | UnsetType = UNSET
    effective: str | UnsetType = UNSET
    min_order_size: str | UnsetType = UNSET
    opened: str | UnsetType = UNSET
    closed: str | UnsetType = UNSET


class _Settlement(Struct, frozen=True):
    payouts: dict[InstrumentId, str]


class _Phase(Struct, frozen=True):
    phase: TradingPhase
    resumes: str | UnsetType = UNSET
    change: msgspec.Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET


class LifecycleRow(Struct, frozen=True):
    """One row as stored; ``key.instrument_id`` is empty when the row is about the whole market.

    ``key.market_id`` is empty as well when it is about the whole venue.
    """

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    kind: str
    value: str


WHOLE_VENUE: Final = MarketId("")
"""The market id of the rows about a whole venue."""

LifecycleEvent = MarketChange | MarketResolved | VenuePhase

_WHOLE_MARKET = InstrumentId("")
_ENCODER = msgspec.json.Encoder()


def to_row(event: LifecycleEvent) -> LifecycleRow:
    """Return the row that stores ``event``."""
    if isinstance(event, VenuePhase):
        return _phase_row(event)
    if isinstance(event, MarketResolved):
        payouts = {instrument: format_micros(price) for instrument, price in event.payouts}
        kind, value, instrument = "void" if event.void else "resolved", _json(_Settlement(payouts)), None
    else:
        kind, value, instrument = event.kind, _json(_change(event)), event.instrument_id
    key = InstrumentKey(event.venue, event.market_id, instrument or _WHOLE_MARKET)
    return LifecycleRow(key, event.ts_recv, event.ts_venue, kind, value)


def _phase_row(event: VenuePhase) -> LifecycleRow:
    is_json = _is_json(event.value)
    value = _Phase(
        event.phase,
        UNSET if event.resumes is None else iso_time(event.resumes),
        change=msgspec.Raw(event.value) if is_json else UNSET,
        text=UNSET if is_json else event.value,
    )
    kind = "activated" if event.phase == "open" else "paused"
    key = InstrumentKey(event.venue, WHOLE_VENUE, _WHOLE_MARKET)
    return LifecycleRow(key, event.ts_recv, event.ts_venue, kind, _json(value))


def to_event(row: LifecycleRow) -> LifecycleEvent:
    """Return the event that ``row`` stores; raises ValueError when its value is damaged."""
    try:
        if row.key.market_id == WHOLE_VENUE:
            return _phase(row)
        if row.kind in ("resolved", "void"):
            return _resolved(row)
        return _changed(row)
    except msgspec.MsgspecError as error:
        raise ValueError(f"lifecycle value of {row.kind!r}: {error}") from error


def _resolved(row: LifecycleRow) -> MarketResolved:
    settlement = msgspec.json.decode(row.value, type=_Settlement)
    payouts = tuple((instrument, Price(parse_micros(price))) for instrument, price in settlement.payouts.items())
    venue, market_id = row.key.venue, MarketId(row.key.market_id)
    return MarketResolved(venue, market_id, row.ts_recv, row.ts_venue, payouts, row.kind == "void")


def _phase(row: LifecycleRow) -> VenuePhase:
    stored = msgspec.json.decode(row.value, type=_Phase)
    resumes = None if stored.resumes is UNSET else parse_iso(stored.resumes)
    return VenuePhase(row.key.venue, row.ts_recv, row.ts_venue, stored.phase, _text(stored), resumes)


def _text(stored: "_Change | _Phase") -> str:
    if stored.text is not UNSET:
        return stored.text
    return "" if stored.change is UNSET else bytes(stored.change).decode()


def _changed(row: LifecycleRow) -> MarketChange:
    stored = msgspec.json.decode(row.value, type=_Change)
    return MarketChange(
        venue=row.key.venue,
        market_id=row.key.market_id,
        instrument_id=row.key.instrument_id or None,
        ts_recv=row.ts_recv,
        ts_venue=row.ts_venue,
        kind=msgspec.convert(row.kind, MarketChangeKind),
        value=_text(stored),
        market=None if stored.market is UNSET else to_market(stored.market),
        tick_size=None if stored.tick_size is UNSET else Price(parse_micros(stored.tick_size)),
        fee=None if stored.fee is UNSET else to_fee(stored.fee),
        bands=() if stored.bands is UNSET else to_bands(stored.bands),
        close_time=None if stored.close_time is UNSET else parse_iso(stored.close_time),
        effective=None if stored.effective is UNSET else parse_iso(stored.effective),
        min_order_size=None if stored.min_order_size is UNSET else Size(parse_micros(stored.min_order_size)),
        opened=None if stored.opened is UNSET else parse_iso(stored.opened),
        closed=None if stored.closed is UNSET else parse_iso(stored.closed),
    )


def _change(event: MarketChange) -> _Change:
    is_json = _is_json(event.value)
    return _Change(
        change=msgspec.Raw(event.value) if is_json else UNSET,
        text=UNSET if is_json else event.value,
        tick_size=UNSET if event.tick_size is None else format_micros(event.tick_size),
        bands=to_band_lines(event.bands) or UNSET,
        fee=UNSET if event.fee is None else to_fee_line(event.fee),
        market=UNSET if event.market is None else to_line(event.market),
        close_time=UNSET if event.close_time is None else iso_time(event.close_time),
        effective=UNSET if event.effective is None else iso_time(event.effective),
        min_order_size=UNSET if event.min_order_size is None else format_micros(event.min_order_size),
        opened=UNSET if event.opened is None else iso_time(event.opened),
        closed=UNSET if event.closed is None else iso_time(event.closed),
    )


def _is_json(text: str) -> bool:
    if not text or text != text.strip():
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return False
    return True


def _json(value: Struct) -> str:
    return _ENCODER.encode(value).decode()
