"""Gamma: markets, events and tags as JSON rows, in pages.

As on the venue, some numbers and lists are strings, limits are clamped and unknown parameters ignored.
"""

import base64
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from predsurv.core.market import Market
from predsurv.core.num import MICROS, format_micros, parse_micros
from predsurv.simulate.polymarket.books import TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedEvent, SimulatedMarket, payouts
from predsurv.simulate.polymarket.gamma_references import GammaReferences, tags
from predsurv.simulate.polymarket.messages import fee_schedule
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response

ROWS_MAX: Final = 100
ROWS_DEFAULT: Final = 20
DEEPEST_OFFSET: Final = 2_000
_SCHEMAS: Final = "https://gamma-api.polymarket.com/schemas"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOO_DEEP: Final = b'{"type":"validation error","error":"offset too large, use /markets/keyset for deeper pagination"}'
_S: Final = 1_000_000_000
_NO_METHOD: Final = ServerResponse(405, b'{"type":"method not allowed","error":"method not allowed"}')
_NOT_FOUND: Final = ServerResponse(404, b'{"type":"not found error","error":"id not found"}')

Json = dict[str, object]
Query = Mapping[str, list[str]]


class _Cursor(NamedTuple):
    """The last row of a page: the value that rows are ordered by, and its number as the tie-break."""

    value: int
    number: int


_read_cursor = msgspec.json.Decoder(_Cursor).decode


class GammaApi:
    """Lists the catalogue; ``books`` of unsettled markets by number, ``invalid_rows`` to list that are no market's."""

    def __init__(
        self, catalog: SimulatedCatalog, books: Mapping[int, TokenPairBook], invalid_rows: Sequence[Json] = ()
    ) -> None:
        self._catalog = catalog
        self._books = books
        self._invalid_rows = invalid_rows
        self._list_routes: dict[tuple[str, ...], Callable[[Query], ServerResponse]] = {
            ("markets", "keyset"): self._markets,
            ("events", "keyset"): self._events,
            ("markets",): lambda query: self._offset_page("markets", query),
            ("events",): lambda query: self._offset_page("events", query),
            ("tags",): self._tags,
        }
        self._references = GammaReferences(catalog, self.event)

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a GET request, None for a path that is not Gamma's."""
        if request.method != "GET":
            return _NO_METHOD
        parts = tuple(request.path.strip("/").split("/"))
        list_route = self._list_routes.get(parts)
        if list_route is not None:
            return list_route(request.query)
        match parts:
            case ["markets", *rest] if not rest or not rest[0].startswith("0x"):
                return self._one_market(rest, request)
            case ["events", *rest]:
                return self._one_event(rest)
            case _:
                return self._references.respond(parts, request.query)

    def market(self, row: SimulatedMarket, *, with_tags: bool = True, with_event: bool = True) -> Json:
        """Return a market's JSON row."""
        fields = _market_fields(row, self._catalog.current(row)) | self._price_fields(row)
        if with_event:
            fields["events"] = [self.event(row.event, with_markets=False)]
        if with_tags:
            fields["tags"] = tags(row.market.tags)
        return fields

    def event(self, event: SimulatedEvent, *, with_markets: bool = True) -> Json:
        """Return an event's JSON row; volume and liquidity are numbers here, strings in markets."""
        first = event.markets[0].market
        current = [self._catalog.current(row) for row in event.markets]
        closed = all(row.is_closed for row in event.markets)
        fields: Json = {
            "id": str(event.number),
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "description": first.description or "",
            "startDate": iso(event.markets[0].listed_at),
            "endDate": None if first.close_time is None else iso(first.close_time),
            "active": True,
            "closed": closed,
            "archived": False,
            "restricted": True,
            "negRisk": event.markets[0].neg_risk,
            "negRiskAugmented": False,
            "enableOrderBook": True,
            "volume": Raw(_number(sum(each.volume or 0 for each in current))),
            "liquidity": Raw(_number(sum(each.liquidity or 0 for each in current))),
            "openInterest": Raw(_number(sum(each.open_interest or 0 for each in current))),
            "tags": tags(first.tags),
        }
        if with_markets:
            fields["markets"] = [self.market(row, with_tags=False, with_event=False) for row in event.markets]
        return fields

    def _price_fields(self, row: SimulatedMarket) -> Json:
        book = self._books.get(row.book)
        if book is None:
            return {"outcomePrices": _json_string([format_micros(price) for price in payouts(row)])}
        bid, ask = book.bids.best(), book.asks.best()
        midpoint = ((bid or 0) + (MICROS if ask is None else ask)) // 2
        return {
            "outcomePrices": _json_string([format_micros(midpoint), format_micros(MICROS - midpoint)]),
            "bestBid": Raw(_number(bid or 0)),
            "bestAsk": Raw(_number(MICROS if ask is None else ask)),
            "spread": Raw(_number((MICROS if ask is None else ask) - (bid or 0))),
            "lastTradePrice": Raw(book.last_prices[0] or b"0"),
        }

    def _markets(self, query: Query) -> ServerResponse:
        matches = self._market_filter(query)
        position = _market_position(query, self._catalog)
        invalid = [] if "after_cursor" in query or _identifiers(query) else self._invalid_rows
        invalid = [row for row in invalid if _flag_matches(query, "closed", value=bool(row.get("closed")))]
        limit = _limit(query)
        invalid = invalid[: max(limit - 1, 0)]  # a page ends with a market, whose number becomes the cursor
        rows, cursor = _page(self._catalog.rows, query, matches, position, limit=limit - len(invalid))
        with_tags = query.get("include_tag") == ["true"]
        markets = [self.market(row, with_tags=with_tags) for row in rows]
        markets[1:1] = invalid
        return json_response(_page_fields("markets", "Market", markets, cursor))

    def _events(self, query: Query) -> ServerResponse:
        with_markets = query.get("include_markets") != ["false"]
        numbers = {*query.get("id", ())}
        slugs = {*query.get("slug", ())}

        def matches(event: SimulatedEvent) -> bool:
            if (numbers and str(event.number) not in numbers) or (slugs and event.slug not in slugs):
                return False
            return _flag_matches(query, "closed", value=all(row.is_closed for row in event.markets), default="false")

        events, cursor = _page(
            self._catalog.events, query, matches, lambda event: _Cursor(0, event.number), limit=_limit(query)
        )
        rows = [self.event(event, with_markets=with_markets) for event in events]
        return json_response(_page_fields("events", "Event", rows, cursor))

    def _offset_page(self, kind: str, query: Query) -> ServerResponse:
        start = _integer(query, "offset", 0)
        if start > DEEPEST_OFFSET:
            return ServerResponse(422, _TOO_DEEP)
        stop = start + _limit(query)
        if kind == "events":
            return json_response([self.event(event) for event in self._catalog.events[start:stop]])
        matches = self._market_filter(query)
        return json_response(
            [self.market(row) for row in [each for each in self._catalog.rows if matches(each)][start:stop]]
        )

    def _market_filter(self, query: Query) -> Callable[[SimulatedMarket], bool]:
        identifiers = _identifiers(query)
        bounds = [bound for bound in (_bound(query, *each) for each in _BOUNDS) if bound is not None]
        bounds += [bound for bound in (_date_bound(query, *each) for each in _DATE_BOUNDS) if bound is not None]
        tag = query.get("tag_id", [""])[0]

        def matches(row: SimulatedMarket) -> bool:
            if identifiers and identifiers.isdisjoint((str(row.number), row.condition, row.slug, *row.tokens)):
                return False
            if tag and tag not in {each["id"] for each in tags(row.market.tags)}:
                return False
            if not (_flag_matches(query, "closed", value=row.is_closed) and _flag_matches(query, "active", value=True)):
                return False
            if not bounds:
                return True
            market = self._catalog.current(row)
            return all(bound(market) for bound in bounds)

        return matches

    def _tags(self, query: Query) -> ServerResponse:
        labels = dict.fromkeys(tag for row in self._catalog.rows for tag in row.market.tags)
        start = _integer(query, "offset", 0)
        return json_response(tags(labels)[start : start + _limit(query)])

    def _one_market(self, path: Sequence[str], request: ServerRequest) -> ServerResponse:
        """Return ``/markets/{number}``, ``/markets/slug/{slug}`` or ``/markets/{number}/tags``."""
        if path[0] == "slug":
            row = next((each for each in self._catalog.rows if each.slug == path[-1]), None)
        else:
            row = self._catalog.by_number(path[0])
        if row is None:
            return _NOT_FOUND
        if path[-1] == "tags":
            return json_response(tags(row.market.tags))
        with_tags = request.query.get("include_tag") == ["true"]
        return json_response({"$schema": f"{_SCHEMAS}/Market.json", **self.market(row, with_tags=with_tags)})

    def _one_event(self, path: Sequence[str]) -> ServerResponse:
        """Return ``/events/{number}`` or ``/events/slug/{slug}``."""
        if path[0] == "slug":
            event = next((each for each in self._catalog.events if each.slug == path[-1]), None)
        else:
            event = self._catalog.event_by_number(path[0])
        if event is None:
            return _NOT_FOUND
        if path[-1] == "tags":
            return json_response(tags(event.markets[0].market.tags))
        return json_response({"$schema": f"{_SCHEMAS}/Event.json", **self.event(event)})


def iso(ts: int) -> str:
    """Return a time (ns UTC) in Gamma's format, ``2025-01-31T12:00:00Z``."""
    return (_EPOCH + timedelta(microseconds=ts // 1_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def spaced(ts: int) -> str:
    """Return a time (ns UTC) in the other format of Gamma, ``2025-01-31 12:00:00+00``."""
    return (_EPOCH + timedelta(microseconds=ts // 1_000)).strftime("%Y-%m-%d %H:%M:%S+00")


def _market_fields(row: SimulatedMarket, market: Market) -> Json:
    closed = row.is_closed
    return {
        "id": str(row.number),
        "question": row.question,
        "conditionId": row.condition,
        "slug": row.slug,
        "resolutionSource": "",
        "endDate": None if market.close_time is None else iso(market.close_time),
        "startDate": iso(row.listed_at),
        "createdAt": iso(row.listed_at),
        "acceptingOrdersTimestamp": iso(row.listed_at),
        "closedTime": None if row.closed_at is None else spaced(row.closed_at),
        "description": market.description or "",
        "outcomes": _json_string(row.outcomes),
        "clobTokenIds": _json_string(row.tokens if row.version == "v1" else ("1", "2")),
        "positionIds": list(row.tokens) if row.version == "v2" else [],
        "marketMakerAddress": "",
        "volume": format_micros(market.volume or 0),
        "volumeNum": Raw(_number(market.volume or 0)),
        "volume24hr": Raw(_number(market.volume_24h or 0)),
        "liquidity": format_micros(market.liquidity or 0),
        "liquidityNum": Raw(_number(market.liquidity or 0)),
        "active": True,
        "closed": closed,
        "archived": False,
        "restricted": True,
        "groupItemTitle": row.label,
        "enableOrderBook": True,
        "acceptingOrders": not closed,
        "orderPriceMinTickSize": Raw(_number(market.tick_size)),
        "orderMinSize": Raw(_number(market.min_order_size)),
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "negRisk": row.neg_risk,
        "umaResolutionStatus": "resolved" if row.is_settled else "",
        "umaResolutionStatuses": _json_string(["resolved"] if row.is_settled else []),
        "feesEnabled": bool(market.fee.rate),
        "feeType": f"{market.category}_fees" if market.fee.rate else None,
        "feeSchedule": fee_schedule(row),
        "version": row.version,
    }


_BOUNDS: Final[tuple[tuple[str, str, Callable[[Market], int]], ...]] = (
    ("volume_num_min", "volume_num_max", lambda market: market.volume or 0),
    ("liquidity_num_min", "liquidity_num_max", lambda market: market.liquidity or 0),
)
_DATE_BOUNDS: Final[tuple[tuple[str, Callable[[int, int], bool]], ...]] = (
    ("end_date_min", lambda date, bound: date >= bound),
    ("end_date_max", lambda date, bound: date <= bound),
)
_ORDERS: Final[dict[str, Callable[[Market], int]]] = {
    "volumeNum": lambda market: market.volume or 0,
    "liquidityNum": lambda market: market.liquidity or 0,
    "volume24hr": lambda market: market.volume_24h or 0,
    "endDate": lambda market: market.close_time or 0,
}
_IDENTIFIERS: Final = ("id", "condition_ids", "slug", "clob_token_ids")


_Row = TypeVar("_Row")


def _page(
    rows: Sequence[_Row],
    query: Query,
    matches: Callable[[_Row], bool],
    position: Callable[[_Row], _Cursor],
    *,
    limit: int,
) -> tuple[list[_Row], str | None]:
    """Return the matching rows after the query's cursor, and the cursor of the next page (None after the last).

    ``rows`` are in order of their numbers; without another order only the rows of the page are visited.
    """
    after = _cursor_of(query)
    descending = query.get("ascending", ["true"]) == ["false"]
    page: list[_Row] = []
    if "order" in query:
        rows = sorted(rows, key=position, reverse=descending)
    elif after is not None:
        rows = rows[bisect_right(rows, after, key=position) :]
    for row in rows:
        if after is not None and (position(row) >= after if descending else position(row) <= after):
            continue
        if matches(row):
            if len(page) == limit:
                return page, _encode_cursor(position(page[-1]))
            page.append(row)
    return page, None


def _market_position(query: Query, catalog: SimulatedCatalog) -> Callable[[SimulatedMarket], _Cursor]:
    order = query.get("order", [""])[0]
    if order == "closedTime":
        return lambda row: _Cursor(row.closed_at or 0, row.number)
    value = _ORDERS.get(order)
    if value is None:
        return lambda row: _Cursor(0, row.number)
    return lambda row: _Cursor(value(catalog.current(row)), row.number)


def _encode_cursor(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def _cursor_of(query: Query) -> _Cursor | None:
    text = query.get("after_cursor", [""])[0]  # a parameter "cursor" is ignored: the first page again
    try:
        return _read_cursor(base64.urlsafe_b64decode(text)) if text else None
    except ValueError:
        return None


def _limit(query: Query) -> int:
    return min(max(_integer(query, "limit", ROWS_DEFAULT), 1), ROWS_MAX)


def _integer(query: Query, name: str, default: int) -> int:
    digits = query.get(name, [""])[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else default


def _identifiers(query: Query) -> set[str]:
    return {value for name in _IDENTIFIERS for value in query.get(name, ())}


def _flag_matches(query: Query, name: str, *, value: bool, default: str = "") -> bool:
    wanted = query.get(name, [default])[0]
    return wanted not in ("true", "false") or (wanted == "true") == value


def _bound(query: Query, low: str, high: str, value: Callable[[Market], int]) -> Callable[[Market], bool] | None:
    if low not in query and high not in query:
        return None
    try:
        lower = parse_micros(query.get(low, ["0"])[0])
        upper = parse_micros(query[high][0]) if high in query else None
    except ValueError:
        return None
    return lambda market: lower <= value(market) and (upper is None or value(market) <= upper)


def _date_bound(query: Query, name: str, fits: Callable[[int, int], bool]) -> Callable[[Market], bool] | None:
    """Return whether the date on which a market was to end fits a bound; a date that cannot be read is none."""
    try:
        moment = datetime.fromisoformat(query.get(name, [""])[0])
    except ValueError:
        return None
    bound = (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1) * 1_000
    return lambda market: market.close_time is not None and fits(market.close_time // _S * _S, bound)


def _page_fields(name: str, schema: str, rows: Sequence[Json], cursor: str | None) -> Json:
    page: Json = {"$schema": f"{_SCHEMAS}/{schema}Page.json", name: rows}
    return page if cursor is None else {**page, "next_cursor": cursor}


def _json_string(items: Sequence[str]) -> str:
    """Return a list as a string of JSON, as Gamma writes lists."""
    return msgspec.json.encode(items).decode()


def _number(micros: int) -> bytes:
    return format_micros(micros).encode()
