"""The optional peer: NautilusTrader's own Polymarket data client, fed the same frames.

Its websocket handler decodes, builds
``OrderBookDeltas`` and applies them to its ``OrderBook``; what it would hand on to its data
engine is dropped, which favours it.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version as distribution_version
from typing import Any

from benchmarks.decode import Tops
from benchmarks.frames import Load


def version() -> str:
    """Return the installed version; raises ImportError, saying what is missing, when its adapter cannot be loaded.

    Releases differ in what it asks for: 1.221 ``py_clob_client``, 1.231 ``py_clob_client_v2``.
    """
    import_module("nautilus_trader.adapters.polymarket.data")
    return distribution_version("nautilus_trader")


def why_missing(error: ImportError) -> str:
    """Return a line that says why the peer is left out, and how to install it."""
    return (
        f"NautilusTrader's adapter: {error}; "
        "pip install nautilus_trader py-clob-client py-clob-client-v2 into an environment that has predsurv"
    )


class Peer:
    """One fresh client per run over the same instruments."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.client: Any = None
        self._make: Callable[[], Any] = _factory(load)

    def run(self) -> None:
        """Process every frame from an empty state."""
        self.client = client = self._make()
        handle = client._handle_raw_ws_message
        for frame in self.load.frames:
            handle(frame)

    def tops(self) -> Tops:
        """Return the final best prices of every token."""
        found: Tops = {}
        for instrument_id, book in self.client._local_books.items():
            asset = str(instrument_id.symbol).rpartition("-")[2]
            found[asset] = (_micros(book.best_bid_price()), _micros(book.best_ask_price()))
        return found


def _micros(price: Any) -> int | None:
    return None if price is None else int(Decimal(str(price)) * 1_000_000)


def _factory(load: Load) -> Callable[[], Any]:
    from nautilus_trader.adapters.polymarket.config import PolymarketDataClientConfig
    from nautilus_trader.adapters.polymarket.data import PolymarketDataClient
    from nautilus_trader.adapters.polymarket.providers import PolymarketInstrumentProvider
    from nautilus_trader.cache.cache import Cache
    from nautilus_trader.common.component import LiveClock, MessageBus
    from nautilus_trader.model.identifiers import TraderId

    class Quiet(PolymarketDataClient):
        def _handle_data(self, _data: object) -> None:
            return None

    instruments = [_instrument(market, asset, load.ticks[asset]) for market, asset in load.tokens]
    loop = asyncio.new_event_loop()

    def make() -> Any:
        clock = LiveClock()
        cache = Cache(database=None)
        for item in instruments:
            cache.add_instrument(item)
        return Quiet(
            loop=loop,
            http_client=None,
            msgbus=MessageBus(trader_id=TraderId("BENCH-001"), clock=clock),
            cache=cache,
            clock=clock,
            instrument_provider=PolymarketInstrumentProvider(client=None, clock=clock),
            config=PolymarketDataClientConfig(),
            name=None,
        )

    return make


def _instrument(market: str, asset: str, tick: str) -> Any:
    from nautilus_trader.adapters.polymarket.common.symbol import get_polymarket_instrument_id
    from nautilus_trader.model.enums import AssetClass
    from nautilus_trader.model.identifiers import Symbol
    from nautilus_trader.model.instruments import BinaryOption
    from nautilus_trader.model.objects import Currency, Price, Quantity

    return BinaryOption(
        instrument_id=get_polymarket_instrument_id(market, asset),
        raw_symbol=Symbol(asset),
        outcome="Yes",
        description="synthetic",
        asset_class=AssetClass.ALTERNATIVE,
        currency=Currency.from_str("USDC"),
        price_precision=len(tick) - 2,
        price_increment=Price.from_str(tick),
        size_precision=6,
        size_increment=Quantity.from_str("0.000001"),
        activation_ns=0,
        expiration_ns=0,
        max_quantity=None,
        min_quantity=Quantity.from_int(5),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )
