"""Parser for one market as Kalshi lists or announces it: a row at a time, without I/O.

Separate from ``catalog``, which fetches pages, because the stream announces new markets too and
must not depend on HTTP.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import BINARY, Market, MarketStatus, Outcome, PriceBand
from predsurv.core.num import MICROS, ONE, Money, Price, Size, parse_micros, parse_micros_floor, parse_price
from predsurv.core.text import sanitise
from predsurv.venues.kalshi.rest_wire import MarketRow
from predsurv.venues.kalshi.series_terms import TEXT_CHARS_MAX, EventDirectory, SeriesTerms, series_ticker
from predsurv.venues.kalshi.tolerant_reader import FieldProblem, read_field
from predsurv.venues.kalshi.wire import LifecycleBody, Metadata, WireBand
from predsurv.venues.parsing import checked_id, parse_date, shortened

VENUE: Final = VenueName("kalshi")
NO_SUFFIX: Final = ":no"
"""What makes a ticker the id of its NO outcome; no ticker has a colon."""

DESCRIPTION_CHARS_MAX: Final = 8_192
BANDS_MAX: Final = 16
ORDER_SIZE_MIN: Final = Size(10_000)
COMBO_PREFIX: Final = "KXMVE"

TYPE_CHARS_MAX: Final = 64
UNKNOWN_TYPE: Final = "unknown"
"""``Market.market_type`` where the venue's own statement cannot be read."""

_TYPED: Final = frozenset({"market_type", "settlement_bounds_type", "settlement_floor_dollars"})
# Fields of a market that are assumed when a field of its row cannot be read.
_ASSUMED: Final[dict[str, tuple[str, ...]]] = {
    "price_ranges": ("tick_size", "bands"),
    "status": ("status", "tradable"),
    "close_time": ("close_time",),
    "fee_waiver_expiration_time": ("fee",),
    "volume_fp": ("volume",),
    "volume_24h_fp": ("volume_24h",),
    "open_interest_fp": ("open_interest",),
    "liquidity": ("liquidity",),
}
# What a ``created`` message does not tell.
_UNANNOUNCED: Final = ("liquidity", "open_interest", "volume", "volume_24h")
Bands = tuple[PriceBand, ...]
_CENT_BANDS: Final[Bands] = (PriceBand(Price(0), ONE, Price(10_000)),)
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


def parse_market(
    row: MarketRow, terms: SeriesTerms, fetched_at: int, problems: list[FieldProblem] | None = None
) -> Market | None:
    """Return the market in ``row``, None for a combination of other markets; raises WireError without an identity.

    What else cannot be read is assumed, and appended to ``problems``; so it is where ``problems`` names fields that
    could not be decoded. Volumes are contracts, each worth one dollar when it pays. The venue's best prices may be
    sentinels of an empty side: they count for ``liquidity`` only with a size.
    """
    ticker = checked_ticker(row.ticker, "ticker")
    if is_combination(row):
        return None
    found = [] if problems is None else problems
    event = read_field(_event, row, "event_ticker", found, event_of(ticker))
    bands: Bands = read_field(parse_bands, row.price_ranges, "price_ranges", found, _CENT_BANDS)
    status: MarketStatus = read_field(_status, row, "status", found, "paused")
    close_time = read_field(_date, row.close_time, "close_time", found, None)
    waived = _waived_until(row, found)
    fee = terms.fee if waived is None or waived <= fetched_at else replace(terms.fee, rate=0, maker_rate=0)
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
        description="\n".join(filter(None, (row.rules_primary, row.rules_secondary)))[:DESCRIPTION_CHARS_MAX] or None,
        category=terms.category,
        tags=terms.tags,
        mutually_exclusive=terms.mutually_exclusive,
        fee=fee,
        bands=bands,
        volume=read_field(_contracts, row.volume_fp, "volume_fp", found, None),
        volume_24h=read_field(_contracts, row.volume_24h_fp, "volume_24h_fp", found, None),
        liquidity=read_field(_liquidity, row, "liquidity", found, None),
        open_interest=read_field(_contracts, row.open_interest_fp, "open_interest_fp", found, None),
        close_time=close_time,
        url=_url(terms.series or series_ticker(event)),
        rules_hash=sha256(f"{row.rules_primary or ''}\n{row.rules_secondary or ''}".encode()).hexdigest(),
        tradable=status == "active",
        market_type=UNKNOWN_TYPE if any(each.field in _TYPED for each in found) else _market_type(row),
        assumed=_assumed(row, terms, found, waived=fee is not terms.fee),
        event_title=shortened(terms.title, TEXT_CHARS_MAX) or None,
        shard=row.exchange_index,
    )


def announced_market(body: LifecycleBody, ts_recv: int, terms: SeriesTerms | None = None) -> Market | None:
    """Return the market in a ``created`` message; ``terms`` where its series is known, else its fees are assumed."""
    about = body.additional_metadata or Metadata()
    row = MarketRow(
        ticker=body.market_ticker,
        event_ticker=about.event_ticker or event_of(body.market_ticker),
        status="initialized",
        title=about.title,
        yes_sub_title=about.yes_sub_title,
        price_ranges=body.price_ranges,
        rules_primary=about.rules_primary,
        rules_secondary=about.rules_secondary,
        exchange_index=body.exchange_index,
    )
    market = parse_market(row, terms or SeriesTerms(), ts_recv)
    if market is None:
        return None
    close_time = unix_seconds_ns(body.close_ts)
    assumed = {*market.assumed, *_UNANNOUNCED} - ({"close_time"} if close_time is not None else set())
    return replace(market, close_time=close_time, assumed=tuple(sorted(assumed)))


def is_combination(row: MarketRow) -> bool:
    """Return whether a market is a combination of other markets."""
    return bool(row.mve_collection_ticker) or row.ticker.startswith(COMBO_PREFIX)


def is_scalar(row: MarketRow) -> bool:
    """Return whether a market is made to pay any amount up to a dollar."""
    return row.market_type not in (None, "", BINARY)


def remember_market(directory: EventDirectory, row: MarketRow, now: int) -> None:
    """Tell ``directory`` what a listed market has of its own: how it pays, and until when its fee is waived."""
    if is_scalar(row):
        directory.add_scalar(row.ticker)
    ends = _waived_until(row, [])
    if ends is not None and ends > now:
        directory.add_waiver(row.ticker, ends)


def event_of_row(row: MarketRow) -> str:
    """Return the ticker of a market's event, by its own ticker where the row has none that can be one."""
    return read_field(_event, row, "event_ticker", [], event_of(row.ticker))


def event_of(ticker: str) -> str:
    """Return the ticker of the event that a market's ticker begins with."""
    return ticker.rpartition("-")[0] or ticker


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
    return shortened(title, TEXT_CHARS_MAX)


def _assumed(row: MarketRow, terms: SeriesTerms, problems: list[FieldProblem], *, waived: bool) -> tuple[str, ...]:
    """Return the fields that nobody stated: absent, unreadable, or inferred as a waived fee is."""
    assumed = {*terms.assumed, *(name for each in problems for name in _ASSUMED.get(each.field, ()))}
    if waived:
        assumed.add("fee")
    if not row.close_time:
        assumed.add("close_time")
    if not row.price_ranges:
        assumed.update(("tick_size", "bands"))
    return tuple(sorted(assumed))


def _event(row: MarketRow) -> str:
    return checked_ticker(row.event_ticker or event_of(row.ticker), "event_ticker")


def _status(row: MarketRow) -> MarketStatus:
    status = _STATUS.get(row.status)
    if status is None:
        raise WireError(f"status {row.status!r} is not known")
    return "void" if status == "resolved" and row.result == "scalar" and not is_scalar(row) else status


def _market_type(row: MarketRow) -> str:
    """Return how a market pays, in the venue's words: ``scalar``, or ``binary, floor 0.10``."""
    kind, bounds = row.market_type or BINARY, row.settlement_bounds_type or "default"
    floor = row.settlement_floor_dollars if row.settlement_floor_dollars not in (None, "") else None
    if bounds == "floor" and floor is not None:
        kind = f"{kind}, floor {floor.rstrip('0').ljust(4, '0') if '.' in floor else floor}"
    elif bounds != "default":
        kind = f"{kind}, {bounds}"
    return sanitise(kind, TYPE_CHARS_MAX)


def _date(text: str | None) -> int | None:
    at = parse_time(text)
    if at is None and text:
        raise WireError(f"no date: {text[:40]!r}")
    return at


def _waived_until(row: MarketRow, problems: list[FieldProblem]) -> int | None:
    return read_field(_date, row.fee_waiver_expiration_time, "fee_waiver_expiration_time", problems, None)


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
