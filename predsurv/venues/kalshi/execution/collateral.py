"""Cash by shard: an order needs its own on the shard of its market, whatever the account has elsewhere."""

from predsurv.core.market import Market
from predsurv.core.num import format_dollars, notional_up
from predsurv.core.orders import PlaceOrder
from predsurv.venues.execution.gateway import FundsCheck
from predsurv.venues.kalshi.account.decoder import Collateral
from predsurv.venues.kalshi.execution.account_reader import KalshiAccountReader
from predsurv.venues.requests import OrderRefusal


async def read_collateral(reader: KalshiAccountReader) -> FundsCheck:
    """Read the cash of each shard and return the check of orders against it; raises PredsurvError."""
    collateral = await reader.balance()
    return lambda order, market: above_collateral(order, market, collateral)


def above_collateral(order: PlaceOrder, market: Market, collateral: Collateral) -> OrderRefusal | None:
    """Return why a buy costs more than the shard of its market has, fees not counted; None if not.

    A shard of which the venue states nothing is not refused, nor is a market whose shard nobody stated.
    """
    there = None if market.shard is None else collateral.shards.get(market.shard)
    cost = notional_up(order.price, order.size)
    if order.side == "sell" or there is None or cost <= there:
        return None
    detail = f"shard {market.shard} has {format_dollars(there)}, the order needs {format_dollars(cost)}"
    return OrderRefusal("collateral", detail)
