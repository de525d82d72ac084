"""Gamma: markets, events and tags as JSON rows, in pages.

Kept apart from CLOB because it is another service with other habits: numbers as texts inside
texts, clamped limits, parameters that are ignored in silence.
"""

import base64
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from predsurv.core.market import Market
from predsurv.core.num import MICROS, format_micros, parse_micros
from predsurv.simulate.polymarket.books import TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedEvent, SimulatedMarket, paid
from predsurv.simulate.polymarket.messages import fee_schedule
from predsurv.simulate.server import ServerReply, ServerRequest

ROWS_MAX: Final = 100
ROWS_DEFAULT: Final = 20
DEEPEST_OFFSET: Final = 2_000
_SCHEMAS: Final = "https://gamma-api.polymarket.com/schemas"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOO_DEEP: Final = b'{"type":"validation error","error":"offset too large, use /markets/keyset for deeper pagination"}'
_NOT_FOUND: Final = ServerReply(404, b'{"type":"not found error","error":"id not found"}')

Json = dict[str, object]
Query = Mapping[str, list[str]]


class _Cursor(NamedTuple):
    """Where a page ends: what rows are ordered by, and the number that breaks ties."""

    value: int
    number: int


_read_mark = msgspec.json.Decoder(_Cursor).decode


class GammaApi:
    """The listing; ``books`` are the live ones by book number, ``oddities`` rows no market is behind."""

    def __init__(
        self, listing: SimulatedCatalog, books: Mapping[int, TokenPairBook], oddities: Sequence[Json] = ()
    ) -> None:
        self._listing = listing
        self._books = books
        self._oddities = oddities
        self._lists: dict[tuple[str, ...], Callable[[Query], ServerReply]] = {
            ("markets", "keyset"): self._markets,
            ("events", "keyset"): self._events,
            ("markets",): lambda query: self._legacy("markets", query),
            ("events",): lambda query: self._legacy("events", query),
            ("tags",): self._tags,
        }

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Return the answer to a GET, None when it asks for something of another service."""
        parts = tuple(request.path.strip("/").split("/"))
        listing = self._lists.get(parts)
        if listing is not None:
            return listing(request.query)
        match parts:
            case ["markets", *rest] if not rest or not rest[0].startswith("0x"):
                return self._one_market(rest, request)
            case ["events", *rest]:
                return self._one_event(rest)
            case _:
                return None

    def market(self, row: SimulatedMarket, *, tagged: bool = True, grouped: bool = True) -> Json:
        """Return a market's row."""
        made = _facts(row, self._listing.current(row)) | self._prices(row)
        if grouped:
            made["events"] = [self.event(row.group, markets=False)]
        if tagged:
            made["tags"] = tags(row.market.tags)
        return made

    def event(self, group: SimulatedEvent, *, markets: bool = True) -> Json:
        """Return an event's row; on events volume and liquidity are numbers, on markets texts."""
        first = group.members[0].market
        current = [self._listing.current(row) for row in group.members]
        closed = all(_is_closed(row) for row in group.members)
        made: Json = {
            "id": str(group.number),
            "ticker": group.slug,
            "slug": group.slug,
            "title": group.title,
            "description": first.description or "",
            "startDate": iso(group.members[0].listed_at),
            "endDate": None if first.close_time is None else iso(first.close_time),
            "active": True,
            "closed": closed,
            "archived": False,
            "restricted": True,
            "negRisk": group.members[0].neg_risk,
            "negRiskAugmented": False,
            "enableOrderBook": True,
            "volume": Raw(_number(sum(each.volume or 0 for each in current))),
            "liquidity": Raw(_number(sum(each.liquidity or 0 for each in current))),
            "openInterest": Raw(_number(sum(each.open_interest or 0 for each in current))),
            "tags": tags(first.tags),
        }
        if markets:
            made["markets"] = [self.market(row, tagged=False, grouped=False) for row in group.members]
        return made

    def _prices(self, row: SimulatedMarket) -> Json:
        book = self._books.get(row.book)
        if book is None:
            return {"outcomePrices": _inside([_text(price) for price in paid(row)])}
        bid, ask = book.bids.best(), book.asks.best()
        middle = ((bid or 0) + (MICROS if ask is None else ask)) // 2
        return {
            "outcomePrices": _inside([_text(middle), _text(MICROS - middle)]),
            "bestBid": Raw(_number(bid or 0)),
            "bestAsk": Raw(_number(MICROS if ask is None else ask)),
            "spread": Raw(_number((MICROS if ask is None else ask) - (bid or 0))),
            "lastTradePrice": Raw(book.last[0] or b"0"),
        }

    def _markets(self, query: Query) -> ServerReply:
        wanted = self._filter(query)
        order = _order(query, self._listing)
        odd = [] if "after_cursor" in query or _names(query) else self._oddities
        odd = [row for row in odd if _agrees(query, "closed", value=bool(row.get("closed")))]
        limit = _limit(query)
        odd = odd[: max(limit - 1, 0)]  # a page never ends before a real row: its number is the cursor
        rows, cursor = _page(self._listing.rows, query, wanted, order, limit=limit - len(odd))
        tagged = query.get("include_tag") == ["true"]
        made = [self.market(row, tagged=tagged) for row in rows]
        made[1:1] = odd
        return _json(_paged("markets", "Market", made, cursor))

    def _events(self, query: Query) -> ServerReply:
        bare = query.get("include_markets") == ["false"]
        numbers = {*query.get("id", ())}
        slugs = {*query.get("slug", ())}

        def wanted(group: SimulatedEvent) -> bool:
            if (numbers and str(group.number) not in numbers) or (slugs and group.slug not in slugs):
                return False
            return _agrees(query, "closed", value=all(_is_closed(row) for row in group.members), default="false")

        groups, cursor = _page(
            self._listing.groups, query, wanted, lambda group: _Cursor(0, group.number), limit=_limit(query)
        )
        return _json(_paged("events", "Event", [self.event(group, markets=not bare) for group in groups], cursor))

    def _legacy(self, kind: str, query: Query) -> ServerReply:
        start = _whole(query, "offset", 0)
        if start > DEEPEST_OFFSET:
            return ServerReply(422, _TOO_DEEP)
        stop = start + _limit(query)
        if kind == "events":
            return _json([self.event(group) for group in self._listing.groups[start:stop]])
        wanted = self._filter(query)
        return _json([self.market(row) for row in [each for each in self._listing.rows if wanted(each)][start:stop]])

    def _filter(self, query: Query) -> Callable[[SimulatedMarket], bool]:
        names = _names(query)
        bounds = [bound for bound in (_bound(query, *each) for each in _BOUNDS) if bound is not None]
        tag = query.get("tag_id", [""])[0]

        def wanted(row: SimulatedMarket) -> bool:
            if names and names.isdisjoint((str(row.number), row.condition, row.slug, *row.tokens)):
                return False
            if tag and tag not in {each["id"] for each in tags(row.market.tags)}:
                return False
            if not (_agrees(query, "closed", value=_is_closed(row)) and _agrees(query, "active", value=True)):
                return False
            if not bounds:
                return True
            market = self._listing.current(row)
            return all(bound(market) for bound in bounds)

        return wanted

    def _tags(self, query: Query) -> ServerReply:
        every = dict.fromkeys(tag for row in self._listing.rows for tag in row.market.tags)
        start = _whole(query, "offset", 0)
        return _json(tags(every)[start : start + _limit(query)])

    def _one_market(self, path: Sequence[str], request: ServerRequest) -> ServerReply:
        """Return ``/markets/{number}``, ``/markets/slug/{slug}`` or ``/markets/{number}/tags``."""
        if path[0] == "slug":
            row = next((each for each in self._listing.rows if each.slug == path[-1]), None)
        else:
            row = self._listing.number(path[0])
        if row is None:
            return _NOT_FOUND
        if path[-1] == "tags":
            return _json(tags(row.market.tags))
        tagged = request.query.get("include_tag") == ["true"]
        return _json({"$schema": f"{_SCHEMAS}/Market.json", **self.market(row, tagged=tagged)})

    def _one_event(self, path: Sequence[str]) -> ServerReply:
        """Return ``/events/{number}`` or ``/events/slug/{slug}``."""
        if path[0] == "slug":
            group = next((each for each in self._listing.groups if each.slug == path[-1]), None)
        else:
            group = self._listing.group(path[0])
        if group is None:
            return _NOT_FOUND
        return _json({"$schema": f"{_SCHEMAS}/Event.json", **self.event(group)})


def tags(labels: Iterable[str]) -> list[dict[str, str]]:
    """Return tag objects; a tag's number is made of its letters."""
    return [{"id": str(1_000 + sum(label.encode()) * len(label)), "label": label, "slug": label} for label in labels]


def iso(moment: int) -> str:
    """Return a time (ns UTC) as Gamma writes it."""
    return (_EPOCH + timedelta(microseconds=moment // 1_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _facts(row: SimulatedMarket, market: Market) -> Json:
    closed = _is_closed(row)
    return {
        "id": str(row.number),
        "question": row.question,
        "conditionId": row.condition,
        "slug": row.slug,
        "resolutionSource": "",
        "endDate": None if market.close_time is None else iso(market.close_time),
        "startDate": iso(row.listed_at),
        "description": market.description or "",
        "outcomes": _inside(row.outcomes),
        "clobTokenIds": _inside(row.tokens),
        "positionIds": [],
        "volume": _text(market.volume or 0),
        "volumeNum": Raw(_number(market.volume or 0)),
        "volume24hr": Raw(_number(market.volume_24h or 0)),
        "liquidity": _text(market.liquidity or 0),
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
        "umaResolutionStatus": "resolved" if row.over else "",
        "umaResolutionStatuses": _inside(["resolved"] if row.over else []),
        "feesEnabled": bool(market.fee.rate),
        "feeType": f"{market.category}_fees" if market.fee.rate else None,
        "feeSchedule": fee_schedule(row),
        "version": "v1",
    }


_BOUNDS: Final[tuple[tuple[str, str, Callable[[Market], int]], ...]] = (
    ("volume_num_min", "volume_num_max", lambda market: market.volume or 0),
    ("liquidity_num_min", "liquidity_num_max", lambda market: market.liquidity or 0),
)
_ORDERS: Final[dict[str, Callable[[Market], int]]] = {
    "volumeNum": lambda market: market.volume or 0,
    "liquidityNum": lambda market: market.liquidity or 0,
    "volume24hr": lambda market: market.volume_24h or 0,
    "endDate": lambda market: market.close_time or 0,
}
_NAMES: Final = ("id", "condition_ids", "slug", "clob_token_ids")


_Row = TypeVar("_Row")


def _page(
    rows: Sequence[_Row],
    query: Query,
    wanted: Callable[[_Row], bool],
    mark: Callable[[_Row], _Cursor],
    *,
    limit: int,
) -> tuple[list[_Row], str | None]:
    """Return the rows after the cursor and the cursor of the next page, None when there is none.

    Rows are in order of their numbers, so in that order nothing but the page has to be looked at.
    """
    after = _after(query)
    down = query.get("ascending", ["true"]) == ["false"]
    chosen: list[_Row] = []
    if "order" in query:
        rows = sorted(rows, key=mark, reverse=down)
    elif after is not None:
        rows = rows[bisect_right(rows, after, key=mark) :]
    for row in rows:
        if after is not None and (mark(row) >= after if down else mark(row) <= after):
            continue
        if wanted(row):
            if len(chosen) == limit:
                return chosen, _cursor(mark(chosen[-1]))
            chosen.append(row)
    return chosen, None


def _order(query: Query, listing: SimulatedCatalog) -> Callable[[SimulatedMarket], _Cursor]:
    value = _ORDERS.get(query.get("order", [""])[0])
    if value is None:
        return lambda row: _Cursor(0, row.number)
    return lambda row: _Cursor(value(listing.current(row)), row.number)


def _cursor(mark: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(mark)).decode()


def _after(query: Query) -> _Cursor | None:
    text = query.get("after_cursor", [""])[0]  # a parameter called "cursor" is ignored: the first page for ever
    try:
        return _read_mark(base64.urlsafe_b64decode(text)) if text else None
    except ValueError:
        return None


def _limit(query: Query) -> int:
    return min(max(_whole(query, "limit", ROWS_DEFAULT), 1), ROWS_MAX)


def _whole(query: Query, name: str, default: int) -> int:
    digits = query.get(name, [""])[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else default


def _names(query: Query) -> set[str]:
    return {name for key in _NAMES for name in query.get(key, ())}


def _agrees(query: Query, name: str, *, value: bool, default: str = "") -> bool:
    asked = query.get(name, [default])[0]
    return asked not in ("true", "false") or (asked == "true") == value


def _bound(query: Query, low: str, high: str, value: Callable[[Market], int]) -> Callable[[Market], bool] | None:
    if low not in query and high not in query:
        return None
    try:
        least = parse_micros(query.get(low, ["0"])[0])
        most = parse_micros(query[high][0]) if high in query else None
    except ValueError:
        return None
    return lambda market: least <= value(market) and (most is None or value(market) <= most)


def _is_closed(row: SimulatedMarket) -> bool:
    return row.market.status in ("closed", "resolved", "void")


def _paged(name: str, schema: str, rows: Sequence[Json], cursor: str | None) -> Json:
    page: Json = {"$schema": f"{_SCHEMAS}/{schema}Page.json", name: rows}
    return page if cursor is None else {**page, "next_cursor": cursor}


def _json(value: object) -> ServerReply:
    return ServerReply(200, msgspec.json.encode(value))


def _inside(items: Sequence[str]) -> str:
    """Return a list as JSON inside a text, as Gamma writes its lists."""
    return msgspec.json.encode(items).decode()


def _text(micros: int) -> str:
    return format_micros(micros)


def _number(micros: int) -> bytes:
    return format_micros(micros).encode()
