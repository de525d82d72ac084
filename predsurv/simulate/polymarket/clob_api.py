"""CLOB's public REST API: books, prices and market parameters of single tokens, from the current books."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from predsurv.core.num import MICROS, format_micros
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.books import Outcome, TokenPairBook, decimal_text
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket, payouts
from predsurv.simulate.polymarket.gamma_api import iso
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.server import ServerRequest, ServerResponse

TOKENS_MAX: Final = 500
NS_PER_S: Final = 1_000_000_000
NEW_MARKET_DELAY: Final = 5 * NS_PER_S
"""How long (ns) after its announcement the state and terms of a market are not known."""
_OTHERS: Final = ("markets", "clob-markets", "markets-by-token", "neg-risk", "fee-rate")
_NO_METHOD: Final = ServerResponse(405, b'{"error":"method not allowed"}')
_NO_BOOK: Final = ServerResponse(404, b'{"error":"No orderbook exists for the requested token id"}')
_BAD_TOKEN: Final = ServerResponse(400, b'{"error":"Invalid token id"}')
_BAD_BODY: Final = ServerResponse(400, b'{"error":"Invalid payload"}')
_TOO_MANY: Final = ServerResponse(400, b'{"error":"Payload exceeds the limit"}')
_NO_MARKET: Final = ServerResponse(404, b'{"error":"market not found"}')


class TokenBook(NamedTuple):
    """The book of one token."""

    book: TokenPairBook
    outcome: Outcome


class ClobRequest(Struct):
    """One entry of a POST body: ``{"token_id":"…","side":"BUY"}``."""

    token_id: str
    side: str = ""


_read_requests = msgspec.json.Decoder(list[ClobRequest]).decode


class ClobApi:
    """Responds from ``books``, the books of unsettled markets by book number, and the price history."""

    def __init__(
        self, exchange: Exchange, catalog: SimulatedCatalog, books: Mapping[int, TokenPairBook], history: PriceHistory
    ) -> None:
        self._exchange = exchange
        self._catalog = catalog
        self._books = books
        self._history = history
        self._plain_routes: dict[str, Callable[[ServerRequest], ServerResponse]] = {
            "time": lambda _: ServerResponse(200, b"%d" % (exchange.now // NS_PER_S)),
            "ok": lambda _: ServerResponse(200, b'"OK"'),
            "version": lambda _: ServerResponse(200, b'{"version":2}'),
            "prices-history": self._prices_history,
        }
        self._token_routes: dict[str, Callable[[TokenBook, ServerRequest], bytes]] = {
            "book": lambda found, _: found.book.summary(found.outcome),
            "price": lambda found, request: b'{"price":"%s"}' % _price(found, request.query.get("side", [""])[0]),
            "midpoint": lambda found, _: b'{"mid":"%s"}' % _midpoint(found),
            "spread": lambda found, _: b'{"spread":"%s"}' % _spread(found),
            "last-trade-price": lambda found, _: self._last_trade(found),
            "tick-size": lambda found, _: b'{"minimum_tick_size":%s}' % found.book.tick_size,
        }
        self._batch_routes: dict[str, Callable[[Sequence[ClobRequest]], bytes]] = {
            "books": lambda requests: (
                b"[%s]" % b",".join(found.book.summary(found.outcome) for _, found in self._with_books(requests))
            ),
            "prices": self._prices,
            "midpoints": lambda requests: self._by_token(requests, _midpoint),
            "spreads": lambda requests: self._by_token(requests, _spread),
            "last-trades-prices": self._last_trades,
        }
        self._names = {*self._plain_routes, *self._token_routes, *self._batch_routes, *_OTHERS}

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request, None for a path that is not CLOB's."""
        name, *rest = request.path.strip("/").split("/")
        if request.method not in ("GET", "POST") or (request.method == "POST") > (name in self._batch_routes):
            return _NO_METHOD if name in self._names else None
        if not rest and name in self._plain_routes:
            return self._plain_routes[name](request)
        if not rest and name in self._token_routes:
            found = self._find(request.query.get("token_id", [""])[0])
            return (
                found
                if isinstance(found, ServerResponse)
                else ServerResponse(200, self._token_routes[name](found, request))
            )
        if not rest and name in self._batch_routes:
            return self._batch(name, request)
        if name in ("markets", "clob-markets") and len(rest) == 1:
            row = self._catalog.by_condition(rest[0])
            if row is None or _is_new(row, self._exchange):
                return _NO_MARKET
            return _json(_compact_market(row) if name == "clob-markets" else self.market(row))
        if name in ("markets-by-token", "neg-risk", "fee-rate"):
            return self._token_info(name, rest[0] if rest else request.query.get("token_id", [""])[0])
        return None

    def _find(self, token: str) -> TokenBook | ServerResponse:
        if not (token.isascii() and token.isdigit()):
            return _BAD_TOKEN
        found = self._catalog.by_token(token)
        book = None if found is None else self._books.get(found.row.book)
        return _NO_BOOK if found is None or book is None else TokenBook(book, found.outcome)

    def _batch(self, name: str, request: ServerRequest) -> ServerResponse:
        if request.method == "GET":
            tokens = ",".join(request.query.get("token_ids", ())).split(",")
            requests = [ClobRequest(token) for token in tokens if token]
        else:
            try:
                requests = _read_requests(request.body)
            except ValueError:
                return _BAD_BODY
        return _TOO_MANY if len(requests) > TOKENS_MAX else ServerResponse(200, self._batch_routes[name](requests))

    def _with_books(self, requests: Sequence[ClobRequest]) -> list[tuple[ClobRequest, TokenBook]]:
        """Return the requests for tokens that have a book, with that."""
        pairs = [(each, self._find(each.token_id)) for each in requests]
        return [(each, found) for each, found in pairs if not isinstance(found, ServerResponse)]

    def _prices(self, requests: Sequence[ClobRequest]) -> bytes:
        prices: dict[str, dict[str, str]] = {}
        for each, found in self._with_books(requests):
            for side in (each.side,) if each.side else ("BUY", "SELL"):
                prices.setdefault(each.token_id, {})[side] = _price(found, side).decode()
        return msgspec.json.encode(prices)

    def _last_trades(self, requests: Sequence[ClobRequest]) -> bytes:
        rows = [
            b'{"token_id":"%s",%s' % (each.token_id.encode(), self._last_trade(found)[1:])
            for each, found in self._with_books(requests)
            if found.book.last_prices[found.outcome]
        ]
        return b"[%s]" % b",".join(rows)

    def _by_token(self, requests: Sequence[ClobRequest], value: Callable[[TokenBook], bytes]) -> bytes:
        return msgspec.json.encode({each.token_id: value(found).decode() for each, found in self._with_books(requests)})

    def _last_trade(self, found: TokenBook) -> bytes:
        book, outcome = found
        if not book.last_prices[outcome]:
            return b'{"price":"0.5","side":""}'
        side = self._history.last_side(book.tokens[0])
        if outcome and side:
            side = "SELL" if side == "BUY" else "BUY"
        return b'{"price":"%s","side":"%s"}' % (book.last_prices[outcome], side.encode())

    def _token_info(self, kind: str, token: str) -> ServerResponse:
        found = self._catalog.by_token(token)
        if found is None:
            return _NO_MARKET if token.isdigit() else _BAD_TOKEN
        row, _ = found
        match kind:
            case "neg-risk":
                return _json({"neg_risk": row.neg_risk})
            case "fee-rate":
                return _json({"base_fee": 1000})
            case _:
                first, second = row.tokens
                return _json({"condition_id": row.condition, "primary_token_id": first, "secondary_token_id": second})

    def _prices_history(self, request: ServerRequest) -> ServerResponse:
        found = self._catalog.by_token(request.query.get("market", [""])[0])
        if found is None:
            return _json({"history": []})
        row, outcome = found
        points = self._history.points(row.tokens[0])
        return _json(
            {
                "history": [
                    {"t": second, "p": Raw(decimal_text(MICROS - price if outcome else price))}
                    for second, price in points
                ]
            }
        )

    def market(self, row: SimulatedMarket) -> dict[str, object]:
        """Return a market's row."""
        market, closed = row.market, row.market.status in ("closed", "resolved", "void")
        book = self._books.get(row.book)
        prices = list(payouts(row)) if book is None else [_midpoint_micros(book, 0), _midpoint_micros(book, 1)]
        return {
            "enable_order_book": True,
            "active": True,
            "closed": closed,
            "archived": False,
            "accepting_orders": market.tradable,
            "minimum_order_size": Raw(decimal_text(market.min_order_size)),
            "minimum_tick_size": Raw(decimal_text(market.tick_size)),
            "condition_id": row.condition,
            "question": row.question,
            "description": market.description or "",
            "market_slug": row.slug,
            "end_date_iso": None if market.close_time is None else iso(market.close_time),
            "seconds_delay": 0,
            "maker_base_fee": 0,
            "taker_base_fee": 0,
            "neg_risk": row.neg_risk,
            "is_50_50_outcome": row.void,
            "question_id": row.condition,
            "accepting_order_timestamp": iso(row.listed_at),
            "game_start_time": None,
            "fpmm": "",
            "notifications_enabled": True,
            "neg_risk_market_id": "",
            "neg_risk_request_id": "",
            "icon": "",
            "image": "",
            "rewards": {"rates": None, "min_size": 0, "max_spread": 0},
            "tokens": [
                {
                    "token_id": token,
                    "outcome": label,
                    "price": Raw(decimal_text(price)),
                    "winner": row.is_settled and price == MICROS,
                }
                for token, label, price in zip(row.tokens, row.outcomes, prices, strict=True)
            ],
            "tags": list(market.tags),
        }


def _is_new(row: SimulatedMarket, exchange: Exchange) -> bool:
    """Return whether the market was announced, and its state and terms are not known yet: on the venue for minutes."""
    return exchange.origin < row.listed_at and exchange.now < row.listed_at + NEW_MARKET_DELAY


def _compact_market(row: SimulatedMarket) -> dict[str, object]:
    market = row.market
    compact: dict[str, object] = {
        "c": row.condition,
        "t": [{"t": token, "o": label} for token, label in zip(row.tokens, row.outcomes, strict=True)],
        "mos": Raw(decimal_text(market.min_order_size)),
        "mts": Raw(decimal_text(market.tick_size)),
        "mbf": 1000,
        "tbf": 1000,
        "ao": market.tradable,
        "aot": iso(row.listed_at),
        "itode": False,
        "sd": 0,
        "oas": 0,
        "r": {"mi": 0, "ma": 0, "moas": 0},
        "ibce": False,
        "rfqe": False,
        "cbos": False,
        "v": row.version,
    }
    if row.neg_risk:
        compact["nr"] = True
    if market.fee.rate:
        compact["fd"] = {"r": Raw(decimal_text(market.fee.rate)), "e": market.fee.exponent, "to": True}
    return compact


def _price(found: TokenBook, side: str) -> bytes:
    book, outcome = found
    best = book.best(outcome)
    return best.ask if side.upper() == "SELL" else best.bid


def _midpoint_micros(book: TokenPairBook, outcome: Outcome) -> int:
    bid, ask = book.bids.best() or 0, book.asks.best()
    midpoint = (bid + (MICROS if ask is None else ask)) // 2
    return MICROS - midpoint if outcome else midpoint


def _midpoint(found: TokenBook) -> bytes:
    return format_micros(_midpoint_micros(*found)).encode()


def _spread(found: TokenBook) -> bytes:
    book, _ = found
    ask = book.asks.best()
    return decimal_text((MICROS if ask is None else ask) - (book.bids.best() or 0))


def _json(value: object) -> ServerResponse:
    return ServerResponse(200, msgspec.json.encode(value))
