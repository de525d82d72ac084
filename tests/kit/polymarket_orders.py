"""Keys, commands and samples for tests of orders on Polymarket. The key is the one of everybody's first example."""

from typing import Any, Final

from predsurv.config import Secret
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, OrderSide, StrategyName, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder, TimeInForce
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey
from predsurv.venues.polymarket.orders.signing import MarketTerms, OrderSigner, wallet_of

PRIVATE_KEY: Final = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS: Final = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WALLET: Final = "0x1111111111111111111111111111111111111111"
TOKEN: Final = "9" * 77
MARKET: Final = "0x" + "ab" * 32
NOW: Final = 1_780_000_000_123_456_789
TERMS: Final = MarketTerms(Price(10_000), "v1", neg_risk=False)


def key() -> EthereumKey:
    """Return the key."""
    return EthereumKey(Secret(f"0x{PRIVATE_KEY}"))


def signer(signature_type: int = 0, funder: str = "") -> OrderSigner:
    """Return a signer for a wallet of this type."""
    mine = key()
    return OrderSigner(mine, wallet_of(signature_type, funder or (WALLET if signature_type else ""), mine))


def command(
    *,
    side: OrderSide = "buy",
    price: int = 560_000,
    size: int = 21_040_000,
    tif: TimeInForce = "gtc",
    token: str = TOKEN,
    **more: Any,
) -> PlaceOrder:
    """Return a command for ``size`` shares at ``price`` (micros)."""
    instrument = InstrumentKey(VenueName("polymarket"), MarketId(MARKET), InstrumentId(token))
    return PlaceOrder(ClientOrderId("c1"), StrategyName("s"), instrument, side, Price(price), Size(size), tif, **more)
