"""Everything that trading needs, put together for one exchange, and the key that starts with money."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.trading.credentials import ApiKeyRegistry
from predsurv.simulate.polymarket.trading.order_desk import DeskSwitches, OrderDesk
from predsurv.simulate.polymarket.trading.order_entry import OrderReader
from predsurv.simulate.polymarket.trading.signatures import SignatureChecker
from predsurv.simulate.polymarket.trading.trading_api import TradingApi
from predsurv.simulate.polymarket.trading.user_channel import UserChannel

STARTING_DOLLARS: Final = 10_000_000_000
"""What every account starts with (micros)."""


class TradingService:
    """Keys, desk, private API and user channel of one venue."""

    def __init__(self, exchange: Exchange, catalog: SimulatedCatalog, is_active: Callable[[str], bool]) -> None:
        """Raises ConfigError where the extra ``live`` is missing."""
        checker = SignatureChecker()
        keys = ApiKeyRegistry(exchange.seed, checker, lambda: exchange.now)
        switches = DeskSwitches(lambda: is_active("tradefail"), lambda: is_active("orderdelayed"))
        self.desk = OrderDesk(exchange, STARTING_DOLLARS, switches)
        self.user_channel = UserChannel(keys, is_active, lambda: exchange.now)
        self.api = TradingApi(exchange, keys, OrderReader(exchange.directory, catalog, checker), self.desk, is_active)
        self.desk.matching.listeners.append(self.user_channel.order_changed)
        self.desk.matching.settlement.listeners.append(self.user_channel.trade_changed)


def trading_service(
    exchange: Exchange, catalog: SimulatedCatalog, is_active: Callable[[str], bool]
) -> TradingService | None:
    """Return what serves orders, None where the extra ``live`` is missing, which is market data only."""
    try:
        return TradingService(exchange, catalog, is_active)
    except ConfigError:
        return None


def throwaway_private_key(seed: int) -> str:
    """Return a private key to trade with here: everybody can know it, so it is never to hold real money."""
    return f"0x{sha256(f'predsurv {seed} throw-away private key'.encode()).hexdigest()}"
