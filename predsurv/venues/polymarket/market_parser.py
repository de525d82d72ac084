"""Parser for one market as Gamma describes it: a row at a time, without I/O.

Separate from ``catalog``, which fetches pages, because the stream announces new markets with the
same fields and must not depend on HTTP.
"""

import re
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market, MarketStatus, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.venues.parsing import checked_id, parse_date
from predsurv.venues.polymarket.wire import Fields, text

VENUE: Final = VenueName("polymarket")

QUESTION_CHARS_MAX: Final = 512
DESCRIPTION_CHARS_MAX: Final = 8_192
TAGS_MAX: Final = 32

_TICK_DEFAULT: Final = Price(10_000)  # legacy rows have none; 86 % of live markets have 0.01
_ORDER_SIZE_DEFAULT: Final = Size(5 * MICROS)
_TAKER_DELAY_MAX: Final = 3_600 * MICROS
_TAKER_BUY_MIN: Final = Money(MICROS)  # in no row; known from refused orders
_NULL: Final = Raw(b"null")
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")

# The top navigation of the site; the tags of a market contain one of these among many narrower ones.
_CATEGORIES: Final = frozenset(
    {"politics", "sports", "crypto", "finance", "economy", "tech", "culture", "world", "geopolitics", "weather"}
    | {"mentions", "elections", "science"}
)


class GammaTag(Struct, gc=False):
    """``{"id":"100265","label":"Geopolitics","slug":"geopolitics",…}``."""

    label: str | None = None


class GammaSeries(Struct, gc=False):
    """``{"id":"10684","slug":"btc-up-or-down-5m","recurrence":"5m",…}``."""

    id: str | None = None


class GammaEvent(Struct, rename="camel", gc=False):
    """A group of markets, as embedded in each of them.

    ``{"id":"260654","slug":"btc-updown-5m-1773307200","title":"…","negRisk":false,
    "negRiskAugmented":false,"series":[{"id":"10684",…}],"tags":[…],…}``
    """

    id: str | None = None
    slug: str | None = None
    title: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    series: list[GammaSeries] | None = None
    tags: list[GammaTag] | None = None


class GammaFee(Struct, rename="camel", gc=False):
    """``{"exponent":1,"rate":0.04,"takerOnly":true,"rebateRate":0.25}``."""

    rate: Raw = _NULL
    exponent: Raw = _NULL


class GammaMarket(Struct, rename="camel", gc=False):
    """One market; every key may be missing or null, lists may be JSON inside a text.

    ``{"id":"559651","question":"Xi Jinping out before 2027?","conditionId":"0xa467…",
    "slug":"xi-jinping-out-before-2027","endDate":"2026-12-31T00:00:00Z","outcomes":"[\\"Yes\\", \\"No\\"]",
    "clobTokenIds":"[\\"3233…\\", \\"2565…\\"]","volumeNum":12071015.216477996,"orderPriceMinTickSize":0.001,
    "orderMinSize":5,"negRisk":false,"acceptingOrders":true,
    "feeSchedule":{"exponent":1,"rate":0.04,"takerOnly":true,"rebateRate":0.25},…}``
    """

    condition_id: str | None = None
    question: str | None = None
    slug: str | None = None
    description: str | None = None
    resolution_source: str | None = None
    category: str | None = None
    version: str | None = None
    uma_resolution_status: str | None = None
    end_date: str | None = None
    outcomes: Raw = _NULL
    clob_token_ids: Raw = _NULL
    position_ids: Raw = _NULL
    volume: Raw = _NULL
    volume_num: Raw = _NULL
    volume24hr: Raw = _NULL
    liquidity: Raw = _NULL
    liquidity_num: Raw = _NULL
    order_price_min_tick_size: Raw = _NULL
    order_min_size: Raw = _NULL
    seconds_delay: Raw = _NULL
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    enable_order_book: bool | None = None
    accepting_orders: bool | None = None
    neg_risk: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: GammaFee | None = None
    events: list[GammaEvent] | None = None
    tags: list[GammaTag] | None = None


read_row = msgspec.json.Decoder(GammaMarket).decode
"""Bytes of one row to ``GammaMarket``; raises ValueError."""


class _Id(Struct, gc=False):
    id: str | None = None


class _Events(Struct, gc=False):
    """The events of a row; decodes also where the rest of the row does not."""

    events: list[_Id] | None = None


_read_events: Final = msgspec.json.Decoder(_Events).decode


def event_ids(row: Raw) -> set[EventId]:
    """Return the events that a row belongs to, also where the rest of it is unreadable."""
    try:
        return {EventId(event.id) for event in _read_events(row).events or () if event.id}
    except (ValueError, RecursionError):
        return set()


def parse_market(row: GammaMarket, fetched_at: int) -> Market | None:
    """Return the market in ``row``, or None for one without two tokens yet and for non-binary legacy ones.

    Raises WireError when a value that matters is unreadable or out of range.
    """
    tokens = _tokens(row)
    labels = texts(row.outcomes)
    if len(tokens) != 2 or len(labels) != 2:
        return None
    event = row.events[0] if row.events else GammaEvent()
    market_id = checked_id(row.condition_id or "", "conditionId")
    tags = _tags(row, event)
    # The event takes precedence: the markets of one event have to agree on whether they exclude each other.
    exclusive = bool(row.neg_risk if event.neg_risk is None else event.neg_risk)
    return Market(
        venue=VENUE,
        market_id=MarketId(market_id),
        # A market without an event is an event of its own, so that unrelated markets are not grouped.
        event_id=EventId(checked_id(event.id or market_id, "event id")),
        question=(row.question or "")[:QUESTION_CHARS_MAX],
        outcomes=tuple(
            Outcome(InstrumentId(checked_id(token, "token id")), label[:QUESTION_CHARS_MAX])
            for token, label in zip(tokens, labels, strict=True)
        ),
        status=_status(row),
        tick_size=_tick_size(row),
        min_order_size=Size(_micros(row.order_min_size, "orderMinSize") or _ORDER_SIZE_DEFAULT),
        fetched_at=fetched_at,
        series_id=event.series[0].id if event.series else None,
        description=(row.description or "")[:DESCRIPTION_CHARS_MAX] or None,
        category=_category(row, tags),
        tags=tags,
        neg_risk=bool(row.neg_risk),
        mutually_exclusive=exclusive,
        # Exactly one market of a plain neg-risk event pays. An augmented one can grow outcomes
        # that are not listed yet, so only an explicit "not augmented" counts.
        exhaustive=exclusive and event.neg_risk_augmented is False,
        fee=_fee(row, fetched_at),
        min_taker_buy=_TAKER_BUY_MIN,
        taker_delay=_taker_delay(row),
        volume=_money(row.volume_num, row.volume),
        volume_24h=_money(row.volume24hr),
        liquidity=_money(row.liquidity_num, row.liquidity),
        close_time=parse_date(row.end_date, zone=UTC),
        url=_url(row, event),
        rules_hash=_rules_hash(row),
        tradable=is_tradable(row),
    )


def announced_row(fields: Fields) -> GammaMarket:
    """Return the row in a ``new_market`` message, which has the same keys in snake case.

    Raises ValueError or WireError when a value is not of its type.
    """
    group = msgspec.json.decode(fields.get("event_message", _NULL), type=GammaEvent | None)
    return GammaMarket(
        condition_id=text(fields, "condition_id", "") or text(fields, "market"),
        question=text(fields, "question", ""),
        slug=text(fields, "slug", ""),
        description=text(fields, "description", ""),
        outcomes=fields.get("outcomes", _NULL),
        clob_token_ids=fields.get("clob_token_ids") or fields.get("assets_ids", _NULL),
        order_price_min_tick_size=fields.get("order_price_min_tick_size", _NULL),
        active=bytes(fields.get("active", _NULL)) == b"true",
        fees_enabled=bytes(fields.get("fees_enabled", _NULL)) != b"false",
        fee_schedule=msgspec.json.decode(fields.get("fee_schedule", _NULL), type=GammaFee | None),
        events=None if group is None else [group],
        tags=[GammaTag(label) for label in texts(fields.get("tags", _NULL))],
    )


def is_tradable(row: GammaMarket) -> bool:
    """Return whether orders are accepted now, as far as this (lagging) row knows."""
    return bool(row.enable_order_book and row.accepting_orders and row.active and not row.closed and not row.archived)


def texts(raw: Raw) -> tuple[str, ...]:
    """Return a list that may come as JSON, as JSON inside a text, as "" or as null.

    Raises WireError for anything else.
    """
    data = bytes(raw)
    try:
        if data[:1] == b'"':
            data = msgspec.json.decode(data, type=str).encode() or b"null"
        return msgspec.json.decode(data, type=tuple[str, ...] | None) or ()
    except ValueError as error:
        raise WireError(f"not a list of texts: {error}") from error


def _tokens(row: GammaMarket) -> tuple[str, ...]:
    tokens = texts(row.clob_token_ids)
    if row.version == "v2" and not any(tokens):
        tokens = texts(row.position_ids)
    return tokens if all(tokens) else ()


def _status(row: GammaMarket) -> MarketStatus:
    if row.closed or row.archived:
        return "resolved" if row.uma_resolution_status in ("resolved", "settled") else "closed"
    if row.uma_resolution_status == "disputed":
        return "disputed"
    if not row.active:
        return "created"
    return "active" if row.accepting_orders is not False else "paused"


def _tick_size(row: GammaMarket) -> Price:
    tick = _micros(row.order_price_min_tick_size, "orderPriceMinTickSize")
    if not tick:
        return _TICK_DEFAULT
    if tick >= MICROS:
        raise WireError("orderPriceMinTickSize is not below 1")
    return Price(tick)


def _taker_delay(row: GammaMarket) -> int:
    delay = _micros(row.seconds_delay, "secondsDelay") or 0
    if delay > _TAKER_DELAY_MAX:
        raise WireError("secondsDelay is more than an hour")
    return delay * 1_000


def _fee(row: GammaMarket, fetched_at: int) -> FeeSchedule:
    """Return the fees as of ``fetched_at``: schedules change, and past fills keep theirs."""
    if row.fees_enabled is False:
        return FeeSchedule(since=fetched_at)
    if row.fee_schedule is None:
        return NO_FEE
    rate = _micros(row.fee_schedule.rate, "fee rate") or 0
    exponent = _micros(row.fee_schedule.exponent, "fee exponent")
    if exponent is None:
        exponent = MICROS
    if rate > MICROS or exponent % MICROS or exponent > 8 * MICROS:
        raise WireError("feeSchedule out of range")
    return FeeSchedule(model="polymarket", rate=rate, exponent=exponent // MICROS, since=fetched_at)


def _decimal(raw: Raw) -> Decimal | None:
    """Return a JSON number or a text that holds one; None when absent, "", negative or absurd."""
    digits = bytes(raw).strip(b'"').decode("ascii", "replace")
    if digits in ("", "null") or len(digits) > 64 or "_" in digits:
        return None
    try:
        value = Decimal(digits)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value >= 0 and value.adjusted() < 18 else None


def _micros(raw: Raw, what: str) -> int | None:
    """Return an exact number in micros; None when absent; raises WireError when not exact."""
    value = _decimal(raw)
    if value is None:
        if bytes(raw) in (b"null", b'""'):
            return None
        raise WireError(f"{what} is not a number")
    scaled = value.scaleb(6)
    if scaled != int(scaled):
        raise WireError(f"{what} has more than six decimals")
    return int(scaled)


def _money(*choices: Raw) -> Money | None:
    """Return the first of ``choices`` that is a number, cut to micros: statistics, never traded on."""
    for raw in choices:
        value = _decimal(raw)
        if value is not None:
            return Money(int(value.scaleb(6)))
    return None


def _tags(row: GammaMarket, event: GammaEvent) -> tuple[str, ...]:
    tags = row.tags or event.tags or ()
    return tuple(tag.label[:QUESTION_CHARS_MAX] for tag in tags[:TAGS_MAX] if tag.label)


def _category(row: GammaMarket, tags: Sequence[str]) -> str | None:
    known = (tag for tag in tags if tag.lower() in _CATEGORIES)
    return next(known, None) or (row.category or "")[:QUESTION_CHARS_MAX] or (tags[0] if tags else None)


def _url(row: GammaMarket, event: GammaEvent) -> str | None:
    slugs = [slug for slug in (event.slug, row.slug) if slug]
    if not slugs or not all(_SLUG.match(slug) for slug in slugs):
        return None
    path = "/".join(slugs)
    return f"https://polymarket.com/{'event' if event.slug else 'market'}/{path}"


def _rules_hash(row: GammaMarket) -> str:
    rules = f"{row.description or ''}\n{row.resolution_source or ''}"
    return sha256(rules.encode("utf-8", "surrogatepass")).hexdigest()
