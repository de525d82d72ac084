"""A trader who asks the private API of a simulated Polymarket in this process, without sockets."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from predsurv.config import Secret
from predsurv.core.orders import PlaceOrder
from predsurv.simulate.polymarket.catalog import SimulatedMarket
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.polymarket.trading.credentials import IssuedKey
from predsurv.simulate.polymarket.trading.order_entry import OrderReader
from predsurv.simulate.polymarket.trading.service import TradingService, throwaway_private_key
from predsurv.simulate.polymarket.trading.signatures import SignatureChecker
from predsurv.simulate.server import ServerRequest, ServerResponse
from predsurv.venues.polymarket.orders.api_keys import ApiKey, login_headers, read_api_key
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey
from predsurv.venues.polymarket.orders.requests import place_order
from predsurv.venues.polymarket.orders.signing import MarketTerms, OrderSigner, SignedOrder, wallet_of
from predsurv.venues.requests import Method, VenueRequest
from tests.kit.given_clock import GivenClock
from tests.kit.polymarket_orders import command

_S: Final = 1_000_000_000
_salts = iter(range(1 << 40, 1 << 50))


def server_request(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> ServerRequest:
    """Return a request as the server would have read it."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    return ServerRequest(
        method, path, {name: [value] for name, value in (query or {}).items()}, named, body, False, path
    )


def silent_simulator(faults: str = "") -> PolymarketSimulator:
    """Return a venue that listens nowhere."""
    return PolymarketSimulator(PolymarketSimulatorSettings(markets=60, rate=200, faults=faults), GivenClock())


class DeskTrader:
    """Trades with the key that the simulator names, or with ``private_key``; the API key is that of ``nonce``."""

    def __init__(self, simulator: PolymarketSimulator, private_key: str = "", *, nonce: int = 0) -> None:
        assert simulator.trading is not None
        self.service: TradingService = simulator.trading
        self._simulator = simulator
        self.key = EthereumKey(Secret(private_key or throwaway_private_key(PolymarketSimulatorSettings().seed)))
        self.signer = OrderSigner(self.key, wallet_of(0, "", self.key))
        headers = self.login_headers(nonce=nonce)
        answer = self.service.api.respond(server_request("POST", "/auth/api-key", headers=headers))
        assert answer is not None
        assert answer.status == 200, answer
        self.credentials: dict[str, str] = json.loads(answer.body)
        self.api_key: ApiKey = read_api_key(answer.body, address=headers["POLY_ADDRESS"])
        self.issued = IssuedKey(
            self.key.address,
            nonce,
            self.credentials["apiKey"],
            self.credentials["secret"],
            self.credentials["passphrase"],
        )
        self.reader = OrderReader(simulator.exchange.directory, simulator.catalog, SignatureChecker())

    def seconds(self) -> int:
        """Return the venue's time."""
        return self._simulator.exchange.now // _S

    def login_headers(self, *, nonce: int = 0, late: int = 0) -> dict[str, str]:
        """Return the headers that ask for an API key, dated ``late`` seconds ago."""
        return dict(login_headers(self.key, timestamp=self.seconds() - late, nonce=nonce))

    def ask(self, method: Method, path: str, body: object = None, **query: str) -> ServerResponse:
        """Return the answer to a request with proof; ``body``: bytes, or what is sent as JSON."""
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        headers = self.api_key.headers(VenueRequest(method, path, sent), timestamp=self.seconds())
        answer = self.service.api.respond(server_request(method, path, query, body=sent, headers=headers))
        assert answer is not None
        return answer

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON of a good answer."""
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def sign(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> SignedOrder:
        """Return a signed order, made from ``command``'s arguments."""
        given: PlaceOrder = command(token=row.tokens[outcome], **more)
        terms = MarketTerms(row.market.tick_size, "v1", row.neg_risk)
        order = self.signer.order(given, terms, now=self._simulator.exchange.now, salt=next(_salts))
        assert isinstance(order, SignedOrder), order
        return order

    def body(self, order: SignedOrder) -> dict[str, Any]:
        """Return what places ``order``, to be changed by a test."""
        body: dict[str, Any] = json.loads(place_order(order, self.signer, self.api_key.owner).body or b"")
        return body

    def place(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> Any:
        """Return the JSON that answers an order."""
        return json.loads(self.ask("POST", "/order", self.body(self.sign(row, outcome, **more))).body)

    def placed(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> str:
        """Return the id of an order that was taken."""
        answer = self.place(row, outcome, **more)
        assert answer.get("success") is True, answer
        return str(answer["orderID"])


def error_of(answer: ServerResponse) -> str:
    """Return the words of a refusal."""
    assert answer.status == 400, answer
    return str(json.loads(answer.body)["error"])
