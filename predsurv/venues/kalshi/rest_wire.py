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
    event_ticker: str
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


class FeeChanges(Struct, gc=False):
    """The answer to ``/series/fee_changes``."""

    series_fee_change_arr: list[FeeChange] = []


class RateLimitRow(Struct, gc=False):
    """Tokens per second and burst; a request costs ten."""

    refill_rate: int
    bucket_capacity: int


class AccountLimits(Struct, gc=False):
    """``{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":600},"write":{…},…}``."""

    read: RateLimitRow


read_books = msgspec.json.Decoder(RestBooks).decode
read_listing = msgspec.json.Decoder(MarketsPage).decode
read_market = msgspec.json.Decoder(MarketRow).decode
read_event = msgspec.json.Decoder(EventRow).decode
read_series = msgspec.json.Decoder(SeriesRow).decode
read_fee_changes = msgspec.json.Decoder(FeeChanges).decode
read_limits = msgspec.json.Decoder(AccountLimits).decode
