"""CLOB's public REST: books, prices, market facts.

Kept apart from Gamma because it answers about one token at a time, from live books, and refuses
where Gamma shrugs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from predsurv.core.num import MICROS, format_micros
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.books import Outcome, TokenPairBook, text
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket, paid
from predsurv.simulate.polymarket.gamma_api import iso
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.server import ServerReply, ServerRequest

TOKENS_MAX: Final = 500
NS_PER_S: Final = 1_000_000_000
_NO_BOOK: Final = ServerReply(404, b'{"error":"No orderbook exists for the requested token id"}')
_BAD_TOKEN: Final = ServerReply(400, b'{"error":"Invalid token id"}')
_BAD_BODY: Final = ServerReply(400, b'{"error":"Invalid payload"}')
_TOO_MANY: Final = ServerReply(400, b'{"error":"Payload exceeds the limit"}')
_NO_MARKET: Final = ServerReply(404, b'{"error":"market not found"}')

Found = tuple[TokenPairBook, Outcome]


class ClobRequest(Struct):
    """One entry of a POST body: ``{"token_id":"…","side":"BUY"}``."""

    token_id: str
    side: str = ""


_read_asked = msgspec.json.Decoder(list[ClobRequest]).decode


class ClobApi:
    """Answers from the live books, by book number."""

    def __init__(
        self, exchange: Exchange, listing: SimulatedCatalog, books: Mapping[int, TokenPairBook], history: PriceHistory
    ) -> None:
        self._listing = listing
        self._books = books
        self._history = history
        self._plain: dict[str, Callable[[ServerRequest], ServerReply]] = {
            "time": lambda _: ServerReply(200, b"%d" % (exchange.now // NS_PER_S)),
            "ok": lambda _: ServerReply(200, b'"OK"'),
            "version": lambda _: ServerReply(200, b'{"version":2}'),
            "prices-history": self._prices_history,
        }
        self._single: dict[str, Callable[[Found, ServerRequest], bytes]] = {
            "book": lambda found, _: found[0].summary(found[1]),
            "price": lambda found, request: b'{"price":"%s"}' % _price(found, request.query.get("side", [""])[0]),
            "midpoint": lambda found, _: b'{"mid":"%s"}' % _middle(found),
            "spread": lambda found, _: b'{"spread":"%s"}' % _spread(found),
            "last-trade-price": lambda found, _: self._last(found),
            "tick-size": lambda found, _: b'{"minimum_tick_size":%s}' % found[0].tick,
        }
        self._several: dict[str, Callable[[Sequence[ClobRequest]], bytes]] = {
            "books": lambda asked: b"[%s]" % b",".join(book.summary(side) for _, (book, side) in self._live(asked)),
            "prices": self._many_prices,
            "midpoints": lambda asked: self._map(asked, _middle),
            "spreads": lambda asked: self._map(asked, _spread),
            "last-trades-prices": self._many_last,
        }

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Return the answer, None when it asks for something of another service."""
        name, *rest = request.path.strip("/").split("/")
        if not rest and name in self._plain:
            return self._plain[name](request)
        if not rest and name in self._single:
            found = self._find(request.query.get("token_id", [""])[0])
            return found if isinstance(found, ServerReply) else ServerReply(200, self._single[name](found, request))
        if not rest and name in self._several:
            return self._batch(name, request)
        if name in ("markets", "clob-markets") and len(rest) == 1:
            row = self._listing.condition(rest[0])
            if row is None:
                return _NO_MARKET
            return _json(_compact(row) if name == "clob-markets" else self._market(row))
        if name in ("markets-by-token", "neg-risk", "fee-rate"):
            return self._about(name, rest[0] if rest else request.query.get("token_id", [""])[0])
        return None

    def _find(self, token: str) -> Found | ServerReply:
        if not (token.isascii() and token.isdigit()):
            return _BAD_TOKEN
        found = self._listing.token(token)
        book = None if found is None else self._books.get(found[0].book)
        return _NO_BOOK if found is None or book is None else (book, found[1])

    def _batch(self, name: str, request: ServerRequest) -> ServerReply:
        if request.method == "GET":
            tokens = ",".join(request.query.get("token_ids", ())).split(",")
            asked = [ClobRequest(token) for token in tokens if token]
        else:
            try:
                asked = _read_asked(request.body)
            except ValueError:
                return _BAD_BODY
        return _TOO_MANY if len(asked) > TOKENS_MAX else ServerReply(200, self._several[name](asked))

    def _live(self, asked: Sequence[ClobRequest]) -> list[tuple[ClobRequest, Found]]:
        pairs = [(each, self._find(each.token_id)) for each in asked]
        return [(each, found) for each, found in pairs if not isinstance(found, ServerReply)]

    def _many_prices(self, asked: Sequence[ClobRequest]) -> bytes:
        prices: dict[str, dict[str, str]] = {}
        for each, found in self._live(asked):
            for side in (each.side,) if each.side else ("BUY", "SELL"):
                prices.setdefault(each.token_id, {})[side] = _price(found, side).decode()
        return msgspec.json.encode(prices)

    def _many_last(self, asked: Sequence[ClobRequest]) -> bytes:
        found = [(each, self._last(found)) for each, found in self._live(asked) if found[0].last[found[1]]]
        return b"[%s]" % b",".join(b'{"token_id":"%s",%s' % (each.token_id.encode(), last[1:]) for each, last in found)

    def _map(self, asked: Sequence[ClobRequest], value: Callable[[Found], bytes]) -> bytes:
        return msgspec.json.encode({each.token_id: value(found).decode() for each, found in self._live(asked)})

    def _last(self, found: Found) -> bytes:
        book, outcome = found
        if not book.last[outcome]:
            return b'{"price":"0.5","side":""}'
        side = self._history.last_side(book.tokens[0])
        if outcome and side:
            side = "SELL" if side == "BUY" else "BUY"
        return b'{"price":"%s","side":"%s"}' % (book.last[outcome], side.encode())

    def _about(self, kind: str, token: str) -> ServerReply:
        found = self._listing.token(token)
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

    def _prices_history(self, request: ServerRequest) -> ServerReply:
        found = self._listing.token(request.query.get("market", [""])[0])
        if found is None:
            return _json({"history": []})
        row, outcome = found
        points = self._history.points(row.tokens[0])
        return _json(
            {
                "history": [
                    {"t": second, "p": Raw(text(MICROS - price if outcome else price))} for second, price in points
                ]
            }
        )

    def _market(self, row: SimulatedMarket) -> dict[str, object]:
        market, closed = row.market, row.market.status in ("closed", "resolved", "void")
        book = self._books.get(row.book)
        prices = list(paid(row)) if book is None else [_micros(book, 0), _micros(book, 1)]
        return {
            "enable_order_book": True,
            "active": True,
            "closed": closed,
            "archived": False,
            "accepting_orders": not closed,
            "minimum_order_size": Raw(text(market.min_order_size)),
            "minimum_tick_size": Raw(text(market.tick_size)),
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
            "tokens": [
                {"token_id": token, "outcome": label, "price": Raw(text(price)), "winner": row.over and price == MICROS}
                for token, label, price in zip(row.tokens, row.outcomes, prices, strict=True)
            ],
            "tags": list(market.tags),
        }


def _compact(row: SimulatedMarket) -> dict[str, object]:
    market = row.market
    made: dict[str, object] = {
        "c": row.condition,
        "t": [{"t": token, "o": label} for token, label in zip(row.tokens, row.outcomes, strict=True)],
        "mos": Raw(text(market.min_order_size)),
        "mts": Raw(text(market.tick_size)),
        "mbf": 1000,
        "tbf": 1000,
        "ao": market.tradable,
        "v": "v1",
    }
    if row.neg_risk:
        made["nr"] = True
    if market.fee.rate:
        made["fd"] = {"r": Raw(text(market.fee.rate)), "e": market.fee.exponent, "to": True}
    return made


def _price(found: Found, side: str) -> bytes:
    book, outcome = found
    return book.best(outcome)[side.upper() == "SELL"]


def _micros(book: TokenPairBook, outcome: Outcome) -> int:
    bid, ask = book.bids.best() or 0, book.asks.best()
    middle = (bid + (MICROS if ask is None else ask)) // 2
    return MICROS - middle if outcome else middle


def _middle(found: Found) -> bytes:
    return format_micros(_micros(*found)).encode()


def _spread(found: Found) -> bytes:
    book, _ = found
    ask = book.asks.best()
    return text((MICROS if ask is None else ask) - (book.bids.best() or 0))


def _json(value: object) -> ServerReply:
    return ServerReply(200, msgspec.json.encode(value))
