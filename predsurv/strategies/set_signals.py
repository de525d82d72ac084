"""What kind of set a trade is: the name under which it is counted."""

from collections.abc import Sequence
from typing import Literal

from predsurv.strategies.claims import ClaimGroup
from predsurv.strategies.set_plan import PlannedOrder

SetSignal = Literal["cross", "no_basket", "yes_basket", "outcomes"]
"""On several venues; shares of no alone; of yes of several markets alone; every outcome of one market, or a mixture."""


def signal_of(group: ClaimGroup, orders: Sequence[PlannedOrder]) -> SetSignal:
    """Return what kind of set ``orders``, at least one of them a buy, are in ``group``."""
    if len({order.key.venue for order in orders}) > 1:
        return "cross"
    yes = {source.yes for claim in group.claims for source in claim.sources}
    of_yes = {order.key in yes for order in orders if order.side == "buy"}
    if of_yes == {False}:
        return "no_basket"
    markets = {claim.sources[0].yes.market_id for claim in group.claims}
    return "yes_basket" if of_yes == {True} and len(markets) > 1 else "outcomes"
