"""The last trades of the whole venue, as the channel told them; the Data API lists them."""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from predsurv.core.num import MICROS
from predsurv.simulate.polymarket.books import Outcome
from predsurv.simulate.polymarket.catalog import SimulatedMarket
from predsurv.simulate.polymarket.messages import AggregatedTrade

PRINTS_KEPT_MAX: Final = 20_000


class TradePrint(NamedTuple):
    """A trade of its taker's token at ``second`` (s UTC); price and size in micros."""

    second: int
    row: SimulatedMarket
    outcome: Outcome
    is_buy: bool
    price: int
    size: int
    transaction: str


class TradePrints:
    """The last trades, newest first."""

    def __init__(self) -> None:
        self._prints: deque[TradePrint] = deque(maxlen=PRINTS_KEPT_MAX)

    def add(self, row: SimulatedMarket, second: int, trade: AggregatedTrade) -> None:
        """Add a trade of a market."""
        price = MICROS - trade.price if trade.outcome else trade.price
        is_buy = (trade.taker_side == "buy") != bool(trade.outcome)
        made = TradePrint(second, row, trade.outcome, is_buy, price, trade.size, trade.transaction)
        self._prints.appendleft(made)

    def of(self, conditions: set[str]) -> Iterator[TradePrint]:
        """Yield the trades of markets, by condition id; all without any."""
        return (each for each in self._prints if not conditions or each.row.condition in conditions)
