"""The answers of Kalshi's REST interface as msgspec structs.

A changed wire format changes this file only. Source: Kalshi's OpenAPI 3.31 and recorded answers.
Unused fields are left out.
"""

import msgspec
from msgspec import Raw, Struct

from predsurv.venues.kalshi.wire import NULL, Texts, WireBand


class RestLadder(Struct, gc=False):
    """The bids of both outcomes of one market; an empty side is ``[]``."""

    yes_dollars: Texts | None = None
    no_dollars: Texts | None = None


class RestBook(Struct, gc=False):
    """``{"ticker":"KX…","orderbook_fp":{"yes_dollars":[["0.0100","13553.00"],…],"no_dollars":[…]}}``."""

    ticker: str
    orderbook_fp: RestLadder


class RestBooks(Struct, gc=False):
    """The answer to ``/markets/orderbooks``: no sequence number and no time."""

    orderbooks: list[RestBook]


class TradeRow(Struct, gc=False):
    """A row of ``/markets/trades``, newest first; ``yes_price`` and ``count`` as until 2026-03-12.

    ``{"trade_id":"0720e50a","ticker":"KXBTC15M-26AUG241130-30","yes_price_dollars":"0.5100",
    "no_price_dollars":"0.4900","count_fp":"0.01","taker_side":"no","taker_outcome_side":"no",
    "taker_book_side":"ask","created_time":"2026-08-24T15:15:38.595587Z","is_block_trade":false}``
    """

    ticker: str
    trade_id: str
    created_time: str
    yes_price_dollars: str | None = None
    no_price_dollars: str | None = None
    count_fp: str | None = None
    taker_side: str | None = None
    taker_outcome_side: str | None = None
    taker_book_side: str | None = None
    is_block_trade: bool | None = None
    yes_price: int | None = None
    count: int | None = None


class TradesPage(Struct, gc=False):
    """A page of ``/markets/trades``: undecoded rows, and the cursor of the next, older page."""

    trades: list[Raw]
    cursor: str | None = None


class MarketsPage(Struct, gc=False):
    """A page of ``/markets``, ``/events`` or ``/series``: undecoded rows, and the cursor of the next page."""

    markets: list[Raw] = []
    events: list[Raw] = []
    series: list[Raw] = []
    cursor: str | None = None


class MarketRow(Struct, gc=False):
    """A row of ``/markets``.

    ``{"ticker":"KXITFWMATCH-26AUG25KOZMAN-MAN","event_ticker":"KXITFWMATCH-26AUG25KOZMAN","status":"active",
    "title":"Noelia Manta wins","yes_sub_title":"Noelia Manta","close_time":"2026-09-08T09:00:00Z",
    "yes_bid_dollars":"0.0100","yes_bid_size_fp":"3100.00","yes_ask_dollars":"0.9900",…,
    "price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0100"}],"volume_fp":"0.00",…}``
    """

    ticker: str
    event_ticker: str = ""
    status: str = ""
    title: str | None = None
    yes_sub_title: str | None = None
    close_time: str | None = None
    result: str | None = None
    settlement_value_dollars: str | None = None
    settlement_ts: str | None = None
    volume_fp: str | None = None
    volume_24h_fp: str | None = None
    open_interest_fp: str | None = None
    yes_bid_dollars: str | None = None
    yes_bid_size_fp: str | None = None
    yes_ask_dollars: str | None = None
    yes_ask_size_fp: str | None = None
    price_ranges: list[WireBand] | None = None
    rules_primary: str | None = None
    rules_secondary: str | None = None
    mve_collection_ticker: str | None = None
    market_type: str | None = None
    settlement_bounds_type: str | None = None
    settlement_floor_dollars: str | None = None
    open_time: str | None = None
    created_time: str | None = None
    updated_time: str | None = None
    fee_waiver_expiration_time: str | None = None
    exchange_index: int | None = None


class EventRow(Struct, gc=False):
    """A row of ``/events``.

    ``{"event_ticker":"KXNEXTNATOSECGEN-99","series_ticker":"KXNEXTNATOSECGEN","title":"Who will be …?",
    "category":"Elections","mutually_exclusive":true,"collateral_return_type":"MECNET",…}``
    """

    event_ticker: str
    series_ticker: str | None = None
    title: str | None = None
    category: str | None = None
    mutually_exclusive: bool | None = None
    fee_type_override: str | None = None
    fee_multiplier_override: Raw = NULL


class SeriesRow(Struct, gc=False):
    """A row of ``/series``.

    ``{"ticker":"FED","title":"Fed funds rate","category":"Economics","tags":["Interest rates"],
    "fee_type":"quadratic","fee_multiplier":1,…}``
    """

    ticker: str
    category: str | None = None
    tags: list[str] | None = None
    fee_type: str | None = None
    fee_multiplier: Raw = NULL


class FeeChange(Struct, gc=False):
    """``{"series_ticker":"KXINX","fee_type":"quadratic","fee_multiplier":1,"scheduled_ts":"2026-07-03T…Z"}``."""

    series_ticker: str
    scheduled_ts: str
    fee_type: str | None = None
    fee_multiplier: Raw = NULL


class FeeChanges(Struct, gc=False):
    """The answer to ``/series/fee_changes``: undecoded rows."""

    series_fee_change_arr: list[Raw] = []


class EventFeeChange(Struct, gc=False):
    """An event's own fees from a time on; null gives back those of its series.

    ``{"id":"…","event_ticker":"KXMLBGAME-26","series_ticker":"KXMLBGAME","fee_type_override":"quadratic",
    "fee_multiplier_override":0.5,"scheduled_ts":"2026-12-03T00:00:00Z"}``
    """

    event_ticker: str
    scheduled_ts: str
    fee_type_override: str | None = None
    fee_multiplier_override: Raw = NULL


class EventFeeChanges(Struct, gc=False):
    """A page of ``/events/fee_changes``: undecoded rows."""

    event_fee_changes: list[Raw] = []
    cursor: str | None = None


class SeriesAnswer(Struct, gc=False):
    """The answer to ``/series/{ticker}``: an undecoded row."""

    series: Raw


class RateLimitRow(Struct, gc=False):
    """Tokens per second and burst, 0 where the venue did not tell; a request costs ten."""

    refill_rate: int = 0
    bucket_capacity: int = 0


class AccountLimits(Struct, gc=False):
    """``{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":600},"write":{…},…}``."""

    read: RateLimitRow
    write: RateLimitRow | None = None
    usage_tier: str = ""


class ApiKeysAnswer(Struct, gc=False):
    """``{"api_keys":[{"api_key_id":"…","name":"…","scopes":["read","write"]}],"api_key_region_expiration_ts":1790000000}``:
    when the attestation of where their owner is ends, which trading needs; seconds since 1970.
    """

    api_key_region_expiration_ts: int | None = None


class ShardStatus(Struct, gc=False):
    """The state of one shard; sharding divides orders and collateral, not market data."""

    exchange_index: int
    exchange_active: bool = True
    trading_active: bool = True


class ExchangeStatus(Struct, gc=False):
    """The answer to ``/exchange/status``.

    ``{"exchange_active":true,"trading_active":false,"exchange_estimated_resume_time":"2026-12-03T10:00:00Z",
    "exchange_index_statuses":[{"exchange_index":0,"exchange_active":true,"trading_active":false,…},…]}``
    """

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] | None = None


class Session(Struct, gc=False):
    """``{"open_time":"05:00","close_time":"00:00"}``: New York time; midnight as the close is that of the next day."""

    open_time: str
    close_time: str


class WeekHours(Struct, gc=False):
    """The sessions of each day, from ``start_time`` to ``end_time`` (RFC 3339)."""

    start_time: str | None = None
    end_time: str | None = None
    monday: list[Session] = []
    tuesday: list[Session] = []
    wednesday: list[Session] = []
    thursday: list[Session] = []
    friday: list[Session] = []
    saturday: list[Session] = []
    sunday: list[Session] = []


class MaintenanceWindow(Struct, gc=False):
    """``{"start_datetime":"2026-12-03T08:00:00Z","end_datetime":"2026-12-03T10:00:00Z"}``."""

    start_datetime: str
    end_datetime: str


class ExchangeTimetable(Struct, gc=False):
    """See ``ScheduleAnswer``."""

    standard_hours: list[WeekHours] = []
    maintenance_windows: list[MaintenanceWindow] = []


class ScheduleAnswer(Struct, gc=False):
    """The answer to ``/exchange/schedule``: ``{"schedule":{"standard_hours":[…],"maintenance_windows":[…]}}``."""

    schedule: ExchangeTimetable


read_books = msgspec.json.Decoder(RestBooks).decode
read_trades = msgspec.json.Decoder(TradesPage).decode
read_trade = msgspec.json.Decoder(TradeRow).decode
read_listing = msgspec.json.Decoder(MarketsPage).decode
read_fee_changes = msgspec.json.Decoder(FeeChanges).decode
read_event_fee_changes = msgspec.json.Decoder(EventFeeChanges).decode
read_series_answer = msgspec.json.Decoder(SeriesAnswer).decode
read_keys = msgspec.json.Decoder(ApiKeysAnswer).decode
read_limits = msgspec.json.Decoder(AccountLimits).decode
read_status = msgspec.json.Decoder(ExchangeStatus).decode
read_schedule = msgspec.json.Decoder(ScheduleAnswer).decode
