"""The simulated Kalshi's private API in process, over one generated market whose time the test moves."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from predsurv.core.ids import Side
from predsurv.core.num import Price
from predsurv.exchange.book import BookMatch, MatchingBook
from predsurv.exchange.exchange import Exchange, begin_instant
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiMarkets
from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.service import KalshiTradingService
from predsurv.simulate.server import ServerRequest, ServerResponse

ORDERS = "/portfolio/events/orders"
LISTED = "/portfolio/orders"
GROUPS = "/portfolio/order_groups"
NS_PER_S = 1_000_000_000
CENT = 10_000
HUNDREDTH = 10_000


class Answer(NamedTuple):
    """What a request was answered."""

    status: int
    body: Any

    @property
    def error(self) -> tuple[int, str, str]:
        """The status, the code and the details of a refusal."""
        return self.status, self.body["error"]["code"], self.body["error"].get("details", "")


class KalshiDeskTrial:
    """An account on a market quoted 0.42 to 0.44; ``faults`` are the active ones, ``messages`` the private ones."""

    def __init__(self) -> None:
        self.exchange, self.markets = Exchange(1, 1, 1), KalshiMarkets()
        self.markets.add(self.exchange.markets()[0])
        self.ticker = next(iter(self.markets.listed))
        self.faults: set[str] = set()
        self.messages: list[ChannelMessage] = []
        self.service = KalshiTradingService(self.exchange, self.markets, self.faults.__contains__, self.messages.extend)
        self._count = 0

    @property
    def book(self) -> MatchingBook:
        """The exchange's own book of the market."""
        found = self.exchange.directory.listing(self.markets.instruments[self.ticker])
        assert found is not None
        return found.book

    def send(self, method: str, path: str, body: object = None, **query: str) -> ServerResponse:
        """Return the response as the server gets it."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        values = {name: [value] for name, value in query.items()}
        request = ServerRequest(method, path, values, {}, raw, upgrade=False, target=path)
        response = self.service.api.respond(path, request, _to_server)
        assert response is not None
        return response

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Return the answer to a private request."""
        response = self.send(method, path, body, **query)
        return Answer(response.status, json.loads(response.body))

    def get(self, path: str, **query: str) -> Any:
        """Return the body of a successful read."""
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer
        return answer.body

    def wanted(self, side: str = "bid", price: str = "0.4100", count: str = "5", **more: Any) -> dict[str, Any]:
        """Return the body of an order that is taken."""
        self._count += 1
        given = {
            "ticker": self.ticker,
            "side": side,
            "price": price,
            "count": count,
            "client_order_id": f"mine-{self._count}",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        return given | more

    def place(self, *given: str, **more: Any) -> Answer:
        """Return the answer to an order."""
        return self.ask("POST", ORDERS, self.wanted(*given, **more))

    def placed(self, *given: str, **more: Any) -> str:
        """Return the id of an order that is taken."""
        answer = self.place(*given, **more)
        assert answer.status == 201, answer
        return str(answer.body["order_id"])

    def row(self, order_id: str) -> Mapping[str, Any]:
        """Return an order as the list of orders has it."""
        return dict(self.get(f"{LISTED}/{order_id}")["order"])

    def others_take(self, side: Side, cents: int, hundredths: int) -> list[BookMatch]:
        """Let somebody else take from the book."""
        matches = self.book.take(side, cents * CENT, hundredths * HUNDREDTH)
        begin_instant(self.exchange)
        return matches

    def others_rest(self, side: Side, cents: int, hundredths: int) -> None:
        """Let somebody else rest an order."""
        self.book.place(side, Price(cents * CENT), hundredths * HUNDREDTH)

    def wait(self, seconds: int) -> None:
        """Move the exchange's time."""
        self.exchange.advance(self.exchange.now + seconds * NS_PER_S)

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the bodies of the private messages of a kind."""
        return [message.body for message in self.messages if message.kind == kind]


def _to_server(response: RestResponse) -> ServerResponse:
    return ServerResponse(response.status, response.body)
