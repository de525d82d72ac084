"""What must be true before the first order of a run.

Kept apart because start and recovery are one thing: compare what the journal says with what the
venue says, close what is gone, refuse to go on over what cannot be explained.
"""

from collections.abc import Iterator

from predsurv.core.errors import SafetyError
from predsurv.core.events import AccountEvent, OrderCancelled
from predsurv.core.ids import VenueName
from predsurv.core.num import format_micros
from predsurv.core.orders import AccountSnapshot
from predsurv.engine.account.account import TradingAccount

GONE = "not at the venue when trading started"


def reconcile(venue: VenueName, ledger: TradingAccount, snapshot: AccountSnapshot) -> tuple[AccountEvent, ...]:
    """Return what the ledger has to learn; raises SafetyError for a difference nobody can explain."""
    found = {order.client_order_id for order in snapshot.open_orders}
    differences = tuple(_differences(venue, ledger, snapshot))
    if differences:
        raise SafetyError(
            f"{venue}: the journal and the account differ: {'; '.join(differences[:5])}; "
            "nothing was sent; find out why before trading on"
        )
    return tuple(
        OrderCancelled(order.key, snapshot.ts, order.client_order_id, GONE)
        for order in ledger.blotter.live()
        if order.key.venue == venue and order.client_order_id not in found
    )


def _differences(venue: VenueName, ledger: TradingAccount, snapshot: AccountSnapshot) -> Iterator[str]:
    cash = ledger.portfolio.cash(venue)
    if cash != snapshot.cash:
        yield f"cash {format_micros(cash)} here, {format_micros(snapshot.cash)} there"
    ours = {each.key: each.size for each in ledger.portfolio.lots.positions() if each.key.venue == venue}
    theirs = {each.key: each.size for each in snapshot.positions}
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key, 0), theirs.get(key, 0)
        if here != there:
            yield f"{format_micros(here)} shares of {str(key)[:40]} here, {format_micros(there)} there"
    for order in snapshot.open_orders:
        if ledger.blotter.order(order.client_order_id) is None:
            yield f"order {order.client_order_id[:40]} is not in the journal"
