"""Parser for one market as Gamma describes it: a row at a time, without I/O.

Separate from ``catalog``, which fetches pages, because the stream announces new markets with the same fields and REST
completes them.

A field that is missing or unreadable never costs a market: something safe is assumed in its place, and the market says
so (``Market.assumed``). Only ids and outcomes are indispensable.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from hashlib import sha256
from typing import Final, NamedTuple

from msgspec import Raw
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, MarketStatus, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.venues.parsing import checked_id, parse_date, shortened
from predsurv.venues.polymarket.fee_terms import assumed_fee, stated_fee
from predsurv.venues.polymarket.gamma_numbers import decimal_of, floor_micros
from predsurv.venues.polymarket.gamma_row import NULL, GammaEvent, GammaMarket, ReadRow, texts

VENUE: Final = VenueName("polymarket")

QUESTION_CHARS_MAX: Final = 512
DESCRIPTION_CHARS_MAX: Final = 8_192
TAGS_MAX: Final = 32

NO_TOKENS: Final = "no tokens yet"
TOO_FEW_OUTCOMES: Final = "fewer than two outcomes"
TOO_MANY_OUTCOMES: Final = "more than two outcomes"
UNPAIRED: Final = "outcomes and tokens do not pair up"
UNKNOWN_VERSION: Final = "unknown version"
NO_PUBLIC_BOOK: Final = "combination or perpetual, without a public book"

_TICK_DEFAULT: Final = Price(10_000)  # legacy rows have none; 86 % of live markets have it, and finer grids contain it
_ORDER_SIZE_DEFAULT: Final = Size(5 * MICROS)
_TAKER_DELAY_MAX: Final = 3_600_000_000_000
_TAKER_DELAY_DEFAULT: Final = 1_000_000_000
"""Assumed (ns) where a delay is there whose length is not known; longer than that of crypto, shorter than of sports."""
TAKER_BUY_MIN: Final = Money(MICROS)  # in no row; known from refused orders
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_VERSIONS: Final = frozenset({None, "", "v1", "v2"})
VERSION_DEFAULT: Final = "v1"  # of rows without one ``clobTokenIds`` trade; an order checks the form of the id as well
_IN_SECONDS: Final = re.compile(r"(?<!milli)sec|\Asd\Z", re.IGNORECASE)
_CENTS: Final = 100
_MS: Final = 1_000_000
_S: Final = 1_000_000_000

# The top navigation of the site; the tags of a market contain one of these among many narrower ones.
CATEGORIES: Final = frozenset(
    {"politics", "sports", "crypto", "finance", "economy", "tech", "culture", "world", "geopolitics", "weather"}
    | {"mentions", "elections", "science"}
)
_NO_BOOK_TYPES: Final = re.compile(r"combo|combination|parlay|perp", re.IGNORECASE)

_FIELDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "question": ("question",),
    "description": ("description", "rules_hash"),
    "resolutionSource": ("rules_hash",),
    "category": ("category",),
    "umaResolutionStatus": ("status",),
    "active": ("status", "tradable"),
    "closed": ("status", "tradable"),
    "archived": ("status", "tradable"),
    "enableOrderBook": ("tradable",),
    "acceptingOrders": ("status", "tradable"),
    "negRisk": ("neg_risk", "mutually_exclusive", "exhaustive"),
    "negRiskAugmented": ("exhaustive",),
    "feesEnabled": ("fee",),
    "feeSchedule": ("fee",),
    "feeType": (),
    "events": ("event_id", "mutually_exclusive", "exhaustive"),
    "tags": ("tags", "category"),
    "endDate": ("close_time",),
    "gameStartTime": ("game_start",),
}
"""The fields of a market that an unreadable field of a row leaves unknown."""

_UNTOLD: Final = frozenset(
    {"status", "tradable", "tick_size", "min_order_size", "fee", "neg_risk", "mutually_exclusive", "exhaustive"}
    | {"event_title", "series_id", "category", "tags", "taker_delay", "volume", "volume_24h", "liquidity"}
    | {"open_interest", "close_time", "game_start", "rules_hash", "description", "reward_min_size", "reward_max_spread"}
)
"""What a partial row leaves unknown unless it has the field; a row of the listing without a field says "none"."""


class ParsedMarket(NamedTuple):
    """The market in a row, or None and why it is ``left_out``; ``unreadable``: its unreadable fields, and in what."""

    market: Market | None
    left_out: str = ""
    unreadable: Mapping[str, str] = {}


class _Notes:
    """What of a row was unreadable, by field of the row, and which fields of the market are ``assumed`` for that."""

    def __init__(self, unreadable: Mapping[str, str]) -> None:
        self.unreadable = dict(unreadable) if unreadable else {}
        self.assumed = {name for field in unreadable for name in _FIELDS_OF.get(field, ())}

    def report(self, field: str, detail: str, *names: str) -> None:
        """Note that ``field`` of the row cannot be read, so that the market's fields ``names`` are assumed."""
        self.unreadable.setdefault(field, detail)
        self.assumed.update(names)

    def number(self, raw: Raw, field: str, *names: str) -> Decimal | None:
        """Return a number, None where the row has none or an unreadable one."""
        try:
            return decimal_of(raw, field)
        except WireError as error:
            self.report(field, str(error), *names)
            return None

    def micros(self, raw: Raw, field: str, name: str, below: int) -> int | None:
        """Return a positive number in micros that is exact and less than ``below``; else it is noted and None."""
        value = self.number(raw, field, name)
        if not value:
            self.assumed.add(name)
            return None
        scaled = value.scaleb(6)
        if scaled != int(scaled) or scaled >= below:
            self.report(field, f"{field} is out of range", name)
            return None
        return int(scaled)

    def date(self, text: str | None, field: str) -> int | None:
        """Return a date in ns UTC, None where the row has none or an unreadable one."""
        ts = parse_date(text, zone=UTC)
        if text and ts is None:
            self.report(field, f"{field} is not a date", *_FIELDS_OF[field])
        return ts


def parse_market(read: ReadRow, fetched_at: int, *, partial: bool = False) -> ParsedMarket:
    """Return the market in a row, read at ``fetched_at`` (ns UTC); ``partial`` when absent fields may exist elsewhere.

    Raises WireError when the ids or outcomes cannot be read.
    """
    row = read.row
    if "conditionId" in read.unreadable:
        raise WireError(f"conditionId is not an id: {read.unreadable['conditionId']}")
    tokens, labels = _tokens(row), texts(row.outcomes)
    reason = UNKNOWN_VERSION if "version" in read.unreadable else _reason_to_leave_out(row, tokens, labels)
    if reason:
        return ParsedMarket(None, reason)
    if len(set(tokens)) != len(tokens):
        raise WireError("a token stands for two outcomes")
    outcomes = tuple(
        [
            Outcome(InstrumentId(checked_id(token, "token id")), shortened(label, QUESTION_CHARS_MAX))
            for token, label in zip(tokens, labels, strict=True)
        ]
    )
    notes = _Notes(read.unreadable)
    market = _market(read, outcomes, fetched_at, notes)
    if partial:
        notes.assumed |= _UNTOLD - _told(read)
        market = replace(market, status=_early_status(row, market.status))
    if notes.assumed:
        market = replace(market, assumed=tuple(sorted(notes.assumed)))
    return ParsedMarket(market, "", notes.unreadable)


def _market(read: ReadRow, outcomes: tuple[Outcome, ...], fetched_at: int, notes: _Notes) -> Market:
    row = read.row
    market_id = checked_id(row.condition_id or "", "conditionId")
    event = row.events[0] if row.events else GammaEvent()
    tags = _tags(row, event)
    category = _category(row, tags)
    # The event takes precedence: the markets of one event have to agree on whether they exclude each other.
    exclusive = bool(row.neg_risk if event.neg_risk is None else event.neg_risk)
    rewards = _rewards(row, notes)
    tick = notes.micros(row.order_price_min_tick_size, "orderPriceMinTickSize", "tick_size", MICROS)
    least = notes.micros(row.order_min_size, "orderMinSize", "min_order_size", MICROS**2)
    return Market(
        venue=VENUE,
        market_id=MarketId(market_id),
        event_id=_event_id(event, market_id, notes),
        question=shortened(row.question or row.slug or "", QUESTION_CHARS_MAX),
        outcomes=outcomes,
        status=_status(row),
        tick_size=Price(tick or _TICK_DEFAULT),
        min_order_size=Size(least or _ORDER_SIZE_DEFAULT),
        fetched_at=fetched_at,
        series_id=event.series[0].id if event.series else None,
        description=(row.description or "")[:DESCRIPTION_CHARS_MAX] or None,
        category=category,
        tags=tags,
        neg_risk=bool(row.neg_risk),
        mutually_exclusive=exclusive,
        # Exactly one market of a plain neg-risk event pays. An augmented one can grow outcomes
        # that are not listed yet, so only an explicit "not augmented" counts.
        exhaustive=exclusive and event.neg_risk_augmented is False,
        fee=_fee(row, (category, *tags), fetched_at, notes),
        min_taker_buy=TAKER_BUY_MIN,
        taker_delay=_taker_delay(read.delays, notes),
        volume=_money("volume", (("volumeNum", row.volume_num), ("volume", row.volume)), notes),
        volume_24h=_money("volume_24h", (("volume24hr", row.volume24hr),), notes),
        liquidity=_money("liquidity", (("liquidityNum", row.liquidity_num), ("liquidity", row.liquidity)), notes),
        close_time=notes.date(row.end_date, "endDate"),
        url=_url(row, event),
        rules_hash=rules_hash(row),
        tradable=is_tradable(row),
        game_start=notes.date(row.game_start_time, "gameStartTime"),
        reward_min_size=None if rewards is None else rewards.min_size,
        reward_max_spread=None if rewards is None else rewards.max_spread,
        event_title=shortened(event.title or "", QUESTION_CHARS_MAX) or None,
        version=row.version or VERSION_DEFAULT,
    )


class _Rewards(NamedTuple):
    """What a market asks of quotes that earn liquidity rewards, micros."""

    min_size: Size
    max_spread: Price


def _rewards(row: GammaMarket, notes: _Notes) -> _Rewards | None:
    """Return what the row says of rewards, None where a part of it is 0 or missing; the spread is in cents."""
    size = notes.number(row.rewards_min_size, "rewardsMinSize", "reward_min_size")
    spread = notes.number(row.rewards_max_spread, "rewardsMaxSpread", "reward_max_spread")
    if size is None or spread is None or not (0 < size < MICROS and 0 < spread < _CENTS):
        return None
    return _Rewards(Size(int(size.scaleb(6))), Price(int(spread.scaleb(4))))


def is_tradable(row: GammaMarket) -> bool:
    """Return whether orders are accepted now, as far as this (lagging) row knows."""
    return bool(row.enable_order_book and row.accepting_orders and row.active and not row.closed and not row.archived)


def is_over(row: GammaMarket) -> bool:
    """Return whether the row says that trading ended for good."""
    return bool(row.closed or row.archived)


def _reason_to_leave_out(row: GammaMarket, tokens: Sequence[str], labels: Sequence[str]) -> str:
    """Return why a row is no market that can be recorded, "" when it is one."""
    if row.version not in _VERSIONS:
        return UNKNOWN_VERSION
    if row.rfq_enabled and row.enable_order_book is False:
        return NO_PUBLIC_BOOK
    if row.market_type and _NO_BOOK_TYPES.search(row.market_type):
        return NO_PUBLIC_BOOK
    if labels and len(labels) != 2:
        return TOO_FEW_OUTCOMES if len(labels) < 2 else TOO_MANY_OUTCOMES
    if not tokens or not all(tokens):
        return NO_TOKENS
    return "" if len(tokens) == len(labels) else UNPAIRED


def _tokens(row: GammaMarket) -> tuple[str, ...]:
    """Return the ids that trade, which the version decides even where a row has both kinds."""
    return texts(row.position_ids if row.version == "v2" else row.clob_token_ids)


def _told(read: ReadRow) -> set[str]:
    """Return which of ``_UNTOLD`` a partial row has; tick, smallest order and fee are noted where they are read."""
    row = read.row
    event = row.events[0] if row.events else GammaEvent()
    known = {
        "status": row.accepting_orders is not None or is_over(row),
        "tradable": row.accepting_orders is not None or is_over(row),
        "neg_risk": row.neg_risk is not None,
        "mutually_exclusive": row.neg_risk is not None or event.neg_risk is not None,
        "exhaustive": event.neg_risk_augmented is not None,
        "series_id": bool(event.series),
        "event_title": bool(event.title),
        "category": bool(row.tags),
        "tags": row.tags is not None,
        "taker_delay": bool(read.delays),
        "volume": row.volume_num != NULL or row.volume != NULL,
        "volume_24h": row.volume24hr != NULL,
        "liquidity": row.liquidity_num != NULL or row.liquidity != NULL,
        "close_time": row.end_date is not None,
        "game_start": row.game_start_time is not None,
        "rules_hash": row.resolution_source is not None,
        "reward_min_size": row.rewards_min_size != NULL,
        "reward_max_spread": row.rewards_max_spread != NULL,
        "description": row.description is not None,
    }
    return {"tick_size", "min_order_size", "fee"} | {name for name, told in known.items() if told}


def _status(row: GammaMarket) -> MarketStatus:
    if is_over(row):
        return "resolved" if row.uma_resolution_status in ("resolved", "settled") else "closed"
    if row.uma_resolution_status == "disputed":
        return "disputed"
    if not row.active:
        return "created"
    return "active" if row.accepting_orders is not False else "paused"


def _early_status(row: GammaMarket, status: MarketStatus) -> MarketStatus:
    """Return the status in an announcement, where "active" does not say that orders are accepted yet."""
    return "created" if status == "active" and row.accepting_orders is None else status


def _event_id(event: GammaEvent, market_id: str, notes: _Notes) -> EventId:
    """Return the event; a market without one is an event of its own, so that unrelated ones are not grouped."""
    try:
        return EventId(checked_id(event.id or market_id, "event id"))
    except WireError as error:
        notes.report("events", str(error), *_FIELDS_OF["events"])
        return EventId(market_id)


def _taker_delay(delays: Mapping[str, Raw], notes: _Notes) -> int:
    """Return the longest delay (ns) that a row states, whatever its field is called."""
    longest, unknown = 0, False
    for name, raw in delays.items():
        if bytes(raw) in (b"true", b"false", b"null"):
            unknown |= bytes(raw) == b"true"
            continue
        delay = int((notes.number(raw, name, "taker_delay") or 0) * (_S if _IN_SECONDS.search(name) else _MS))
        if delay > _TAKER_DELAY_MAX:
            notes.report(name, f"{name} is more than an hour", "taker_delay")
        else:
            longest = max(longest, delay)
    if unknown and not longest:
        notes.assumed.add("taker_delay")
    if not longest and "taker_delay" in notes.assumed:
        return _TAKER_DELAY_DEFAULT
    return longest


def stated_delay(delays: Mapping[str, Raw]) -> int | None:
    """Return the delay (ns) in the ``delays`` of a row, None where it is not that plain."""
    notes = _Notes({})
    delay = _taker_delay(delays, notes)
    return None if notes.assumed or notes.unreadable else delay


def _fee(row: GammaMarket, categories: Sequence[str | None], fetched_at: int, notes: _Notes) -> FeeSchedule:
    """Return the fees as of ``fetched_at``: schedules change, and past fills keep theirs."""
    try:
        fee = stated_fee(row, fetched_at)
    except WireError as error:
        notes.report("feeSchedule", str(error), "fee")
        fee = None
    if fee is not None:
        return fee
    notes.assumed.add("fee")
    return assumed_fee(row.fee_type, categories, fetched_at)


def _money(name: str, choices: Sequence[tuple[str, Raw]], notes: _Notes) -> Money | None:
    """Return the first of ``choices`` that is a number, cut to micros: statistics, never traded on."""
    broken = []
    for field, raw in choices:
        try:
            amount = floor_micros(raw, field)
        except WireError as error:
            broken.append((field, str(error)))
            continue
        if amount is not None:
            return Money(amount)
    for field, detail in broken:
        notes.report(field, detail, name)
    return None


def _tags(row: GammaMarket, event: GammaEvent) -> tuple[str, ...]:
    tags = row.tags or event.tags or ()
    return tuple([tag.label[:QUESTION_CHARS_MAX] for tag in tags[:TAGS_MAX] if tag.label])


def _category(row: GammaMarket, tags: Sequence[str]) -> str | None:
    for tag in tags:
        if tag.lower() in CATEGORIES:
            return tag
    return (row.category or "")[:QUESTION_CHARS_MAX] or (tags[0] if tags else None)


def _url(row: GammaMarket, event: GammaEvent) -> str | None:
    slugs = [slug for slug in (event.slug, row.slug) if slug]
    for slug in slugs:
        if not _SLUG.match(slug):
            return None
    if not slugs:
        return None
    path = "/".join(slugs)
    return f"https://polymarket.com/{'event' if event.slug else 'market'}/{path}"


def rules_hash(row: GammaMarket) -> str:
    """Return the digest of what decides the market."""
    rules = f"{row.description or ''}\n{row.resolution_source or ''}"
    return sha256(rules.encode("utf-8", "surrogatepass")).hexdigest()
