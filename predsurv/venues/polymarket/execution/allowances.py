"""What the contracts that settle trades may take of a wallet's cash: an order above it is not taken."""

from collections.abc import Mapping

from predsurv.core.market import Market
from predsurv.core.num import format_micros, notional_up
from predsurv.core.orders import PlaceOrder
from predsurv.venues.execution.gateway import FundsCheck
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader
from predsurv.venues.polymarket.orders.exchanges import exchange_of
from predsurv.venues.requests import OrderRefusal


async def read_allowances(reader: ClobAccountReader) -> FundsCheck:
    """Read the allowances of cash and return the check of orders against them; raises PredsurvError.

    Those of shares are by token, and are not read.
    """
    allowances = (await reader.balance()).allowances
    return lambda order, market: above_allowance(order, market, allowances)


def above_allowance(order: PlaceOrder, market: Market, allowances: Mapping[str, int]) -> OrderRefusal | None:
    """Return why a buy needs more than its contract may take (micros, by address in small letters), None if not.

    A contract of which the venue states nothing is not refused.
    """
    if order.side == "sell":
        return None
    exchange = exchange_of(market.version, neg_risk=market.neg_risk, token_id=int(order.key.instrument_id))
    if isinstance(exchange, OrderRefusal):
        return exchange
    allowed, cost = allowances.get(exchange.address.lower()), notional_up(order.price, order.size)
    if allowed is None or cost <= allowed:
        return None
    detail = (
        f"the {exchange.name} contract may take {format_micros(allowed)} USD, the order needs {format_micros(cost)}"
    )
    return OrderRefusal("allowance", detail)
