"""Parser for one market as Kalshi lists or announces it: a row at a time, without I/O.

Separate from ``catalog``, which fetches pages, because the stream announces new markets too and
must not depend on HTTP.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from msgspec import Raw, Struct
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, MarketStatus, Outcome, PriceBand
from predsurv.core.num import MICROS, ONE, Money, Price, Size, parse_micros, parse_micros_floor, parse_price
from predsurv.venues.kalshi.rest_wire import EventRow, MarketRow, SeriesRow
from predsurv.venues.kalshi.wire import LifecycleBody, Metadata, WireBand
from predsurv.venues.parsing import checked_id, parse_date

VENUE: Final = VenueName("kalshi")
NO_SUFFIX: Final = ":no"
"""What makes a ticker the id of its NO outcome; no ticker has a colon."""

TEXT_CHARS_MAX: Final = 512
DESCRIPTION_CHARS_MAX: Final = 8_192
TAGS_MAX: Final = 32
BANDS_MAX: Final = 16
ORDER_SIZE_MIN: Final = Size(10_000)
COMBO_PREFIX: Final = "KXMVE"

TAKER_RATE: Final = 70_000
"""0.07 in micros: what takers of the general fee table pay, times the multiplier of their series."""

_MAKER_SHARES: Final = {
    "quadratic": 0,
    "quadratic_with_maker_fees": MICROS // 4,
    "quadratic_with_combo_maker_fees": MICROS // 2,
}
_CENT_BANDS: Final = (PriceBand(Price(0), ONE, Price(10_000)),)
_STATUS: Final[dict[str, MarketStatus]] = {
    "initialized": "created",
    "active": "active",
    "inactive": "paused",
    "closed": "closed",
    "determined": "closed",
    "amended": "closed",
    "disputed": "disputed",
    "finalized": "resolved",
}
_SLUG = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")
_NS_MAX: Final = 2**63 - 1


class SeriesTerms(Struct, frozen=True, gc=False):
    """What the markets of an event share. Of an unknown series makers are taken to pay as much as takers."""

    title: str = ""
    series: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    mutually_exclusive: bool = False
    fee: FeeSchedule = FeeSchedule("kalshi", TAKER_RATE, maker_rate=TAKER_RATE)


def parse_market(row: MarketRow, terms: SeriesTerms, fetched_at: int) -> Market | None:
    """Return the market in ``row``, None for a combination of other markets; raises WireError or ValueError.

    Volumes are contracts, each worth one dollar when it pays. The venue's best prices may be
    sentinels of an empty side: they count for ``liquidity`` only with a size.
    """
    ticker = checked_ticker(row.ticker, "ticker")
    if row.mve_collection_ticker or ticker.startswith(COMBO_PREFIX):
        return None
    event = checked_ticker(row.event_ticker, "event_ticker")
    bands = parse_bands(row.price_ranges)
    status = _STATUS.get(row.status, "paused")
    if status == "resolved" and row.result == "scalar":
        status = "void"
    return Market(
        venue=VENUE,
        market_id=MarketId(ticker),
        event_id=EventId(event),
        question=_question(row.title or terms.title or ticker, row.yes_sub_title),
        outcomes=(Outcome(InstrumentId(ticker), "Yes"), Outcome(InstrumentId(ticker + NO_SUFFIX), "No")),
        status=status,
        tick_size=min(band.step for band in bands),
        min_order_size=ORDER_SIZE_MIN,
        fetched_at=fetched_at,
        series_id=terms.series or series_ticker(event),
        description=(row.rules_primary or "")[:DESCRIPTION_CHARS_MAX] or None,
        category=terms.category,
        tags=terms.tags,
        mutually_exclusive=terms.mutually_exclusive,
        fee=terms.fee,
        bands=bands,
        volume=_contracts(row.volume_fp),
        volume_24h=_contracts(row.volume_24h_fp),
        liquidity=_liquidity(row),
        open_interest=_contracts(row.open_interest_fp),
        close_time=parse_time(row.close_time),
        url=_url(terms.series or series_ticker(event)),
        rules_hash=sha256(f"{row.rules_primary or ''}\n{row.rules_secondary or ''}".encode()).hexdigest(),
        tradable=status == "active",
    )


def announced_market(body: LifecycleBody, ts_recv: int) -> Market | None:
    """Return the market in a ``created`` message; its series and fees are not known yet."""
    about = body.additional_metadata or Metadata()
    row = MarketRow(
        ticker=body.market_ticker,
        event_ticker=about.event_ticker or body.market_ticker.rpartition("-")[0] or body.market_ticker,
        status="initialized",
        title=about.title,
        yes_sub_title=about.yes_sub_title,
        price_ranges=body.price_ranges,
        rules_primary=about.rules_primary,
        rules_secondary=about.rules_secondary,
    )
    market = parse_market(row, SeriesTerms(), ts_recv)
    return None if market is None else replace(market, close_time=unix_seconds_ns(body.close_ts))


def event_terms(row: EventRow, series: SeriesRow | None, since: int | None = None) -> SeriesTerms:
    """Return the terms of an event's markets; the event's own fee takes precedence over its series'."""
    name = row.series_ticker or series_ticker(row.event_ticker)
    kind = row.fee_type_override or (series.fee_type if series else None)
    own = parse_multiplier(row.fee_multiplier_override)
    if own is None and series is not None:
        own = parse_multiplier(series.fee_multiplier)
    return SeriesTerms(
        title=row.title or "",
        series=name,
        category=row.category or (series.category if series else None),
        tags=tuple(tag[:TEXT_CHARS_MAX] for tag in ((series.tags if series else None) or ())[:TAGS_MAX]),
        mutually_exclusive=bool(row.mutually_exclusive),
        fee=fee_schedule(kind, own, since),
    )


def fee_schedule(kind: str | None, times: int | None, since: int | None = None) -> FeeSchedule:
    """Return the fees of ``kind`` (``quadratic`` …) times a multiplier in micros (None: 1).

    Makers of a kind that is not known are taken to pay what takers pay: too much, never too little.
    """
    rate = -(-TAKER_RATE * (MICROS if times is None else times) // MICROS)
    share = MICROS if kind is None else _MAKER_SHARES.get(kind, MICROS)
    return FeeSchedule("kalshi", rate, maker_rate=-(-rate * share // MICROS), since=since)


def is_known_fee(kind: str | None) -> bool:
    """Return whether ``fee_schedule`` knows what makers pay."""
    return kind in _MAKER_SHARES


def parse_multiplier(raw: Raw) -> int | None:
    """Return a fee multiplier (a JSON number) in micros, None for null; raises WireError."""
    digits = bytes(raw).strip(b'"').decode("ascii", "replace")
    if digits == "null":
        return None
    try:
        return parse_micros(digits)
    except ValueError as error:
        raise WireError(f"fee multiplier: {error}") from None


def parse_bands(ranges: Sequence[WireBand] | None) -> tuple[PriceBand, ...]:
    """Return the price grid, whole cents where none is given; raises WireError or ValueError."""
    if not ranges:
        return _CENT_BANDS
    if len(ranges) > BANDS_MAX:
        raise WireError(f"price_ranges has more than {BANDS_MAX} bands")
    bands = tuple(PriceBand(*map(parse_price, (band.start, band.end, band.step))) for band in ranges)
    if any(not band.step or band.start >= band.end for band in bands):
        raise WireError("price_ranges has an empty band or no step")
    return bands


def ticker_of(key: InstrumentKey) -> tuple[str, bool]:
    """Return the ticker that ``key`` trades under and whether it is the NO outcome."""
    return key.market_id, key.instrument_id.endswith(NO_SUFFIX)


def series_ticker(event_ticker: str) -> str:
    """Return the ticker of the series that an event's ticker begins with."""
    return event_ticker.partition("-")[0]


def unix_seconds_ns(stamp: int | None) -> int | None:
    """Return unix seconds as ns UTC; None when absent, not positive or beyond 63 bits."""
    return None if stamp is None or not 0 < stamp <= _NS_MAX // 10**9 else stamp * 10**9


def parse_time(date: str | None) -> int | None:
    """Return an RFC 3339 date in ns UTC; None when absent, unreadable or 0."""
    return parse_date(date) or None


def checked_ticker(name: str, what: str) -> str:
    """Return ``name`` when it can be a ticker; raises WireError when empty, too long, not printable or with a colon."""
    return checked_id(name, what, suffix=NO_SUFFIX)


def _question(title: str, subtitle: str | None) -> str:
    """Return the title, with the subtitle that tells this market from others of its event."""
    if subtitle and subtitle.casefold() not in title.casefold():
        title = f"{title} – {subtitle}"
    return title[:TEXT_CHARS_MAX]


def _contracts(text: str | None) -> Money | None:
    return None if text is None else Money(parse_micros_floor(text))


def _liquidity(row: MarketRow) -> Money:
    """Return the money that rests at the best prices in micros, as far as the row has them."""
    bid, bids = _level(row.yes_bid_dollars, row.yes_bid_size_fp)
    ask, asks = _level(row.yes_ask_dollars, row.yes_ask_size_fp)
    return Money((bid * bids + (MICROS - ask) * asks) // MICROS)


def _level(price: str | None, size: str | None) -> tuple[int, int]:
    at, count = parse_price(price or "0"), parse_micros(size or "0")
    return (at, count) if 0 < at < MICROS else (0, 0)


def _url(series: str) -> str | None:
    return f"https://kalshi.com/markets/{series.lower()}" if _SLUG.match(series) else None
