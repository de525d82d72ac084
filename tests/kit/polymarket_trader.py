"""A trader on a simulated Polymarket, made of the adapter's own parts and a plain HTTP client."""

import json
from collections.abc import Callable
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect

from predsurv.config import Secret
from predsurv.core.ids import OrderId
from predsurv.core.orders import PlaceOrder
from predsurv.simulate.polymarket.catalog import SimulatedMarket
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.venues.polymarket.account.decoder import AccountDecoder, read_balance
from predsurv.venues.polymarket.orders.api_keys import CREATE_KEY, ApiKey, login_headers, read_api_key
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey
from predsurv.venues.polymarket.orders.requests import place_order
from predsurv.venues.polymarket.orders.signing import MarketTerms, OrderSigner, SignedOrder, wallet_of
from predsurv.venues.requests import VenueRequest
from tests.kit.polymarket_orders import command

_S: Final = 1_000_000_000
_salts = iter(range(1, 1 << 30))


class PolymarketTrader:
    """Trades with the key that the simulator names, or with ``private_key``."""

    def __init__(
        self,
        simulator: PolymarketSimulator,
        *,
        private_key: str = "",
        signature_type: int = 0,
        funder: str = "",
    ) -> None:
        secret = private_key or simulator.environment()["PREDSURV_POLYMARKET_PRIVATE_KEY"]
        self.key = EthereumKey(Secret(secret))
        self.signer = OrderSigner(self.key, wallet_of(signature_type, funder, self.key))
        self.http = httpx.AsyncClient(base_url=simulator.clob_url, trust_env=False)
        self._simulator = simulator
        self._api_key: ApiKey | None = None

    @property
    def api_key(self) -> ApiKey:
        assert self._api_key is not None
        return self._api_key

    @property
    def decoder(self) -> AccountDecoder:
        return AccountDecoder(self.api_key.owner, self.signer.maker)

    async def login(self) -> None:
        headers = login_headers(self.key, timestamp=self.seconds())
        answer = await self.http.request(CREATE_KEY.method, CREATE_KEY.path, headers=headers)
        self._api_key = read_api_key(answer.raise_for_status().content, address=headers["POLY_ADDRESS"])

    async def send(self, request: VenueRequest) -> httpx.Response:
        headers = self.api_key.headers(request, timestamp=self.seconds())
        return await self.http.request(
            request.method, request.path, content=request.body, params=dict(request.query), headers=headers
        )

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.send(VenueRequest("GET", path, query=tuple(query.items())))
        return answer.raise_for_status().json()

    def sign(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> SignedOrder:
        given: PlaceOrder = command(token=row.tokens[outcome], **more)
        terms = MarketTerms(row.market.tick_size, row.version, row.neg_risk)
        order = self.signer.order(given, terms, now=self._simulator.exchange.now, salt=next(_salts))
        assert isinstance(order, SignedOrder), order
        return order

    async def place(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> httpx.Response:
        return await self.send(place_order(self.sign(row, outcome, **more), self.signer, self.api_key.owner))

    async def placed(self, row: SimulatedMarket, outcome: int = 0, **more: Any) -> OrderId:
        answer = (await self.place(row, outcome, **more)).raise_for_status().json()
        assert answer["success"] is True
        return OrderId(answer["orderID"])

    async def balance(self, token: str = "") -> int:
        kind = {"asset_type": "CONDITIONAL", "token_id": token} if token else {"asset_type": "COLLATERAL"}
        request = VenueRequest("GET", "/balance-allowance", query=tuple({**kind, "signature_type": "0"}.items()))
        return read_balance((await self.send(request)).raise_for_status().content).balance

    async def listen(self) -> ClientConnection:
        url = self._simulator.environment()["PREDSURV_VENUES__POLYMARKET__WS_USER_URL"]
        link = await connect(url, proxy=None)
        await link.send(self.api_key.subscription().decode())
        await link.send("PING")
        assert await link.recv() == "PONG", "a key that is not good ends the connection"
        return link

    def seconds(self) -> int:
        return self._simulator.exchange.now // _S


def quoted(simulator: PolymarketSimulator, fits: Callable[[SimulatedMarket], bool] = lambda _: True) -> SimulatedMarket:
    """Return an open market with both sides, cent prices and room around them, that does not end soon."""
    for row in simulator.catalog.rows:
        book = simulator.books.get(row.book)
        if book is None or row.market.tick_size != 10_000 or not row.market.tradable or not fits(row):
            continue
        if row.market.close_time is not None and row.market.close_time < simulator.exchange.now + 600 * _S:
            continue
        bid, ask = book.bids.best(), book.asks.best()
        if bid is not None and ask is not None and 100_000 < bid < ask < 900_000:
            return row
    raise AssertionError("no such market")


async def told(link: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the next message of the user channel that is ``wanted``."""
    while True:
        message: dict[str, Any] = json.loads(await link.recv())
        if wanted(message):
            return message
