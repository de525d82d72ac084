"""Reconciliation at the start of a run: the journal's account against the venue's.

Start and recovery are the same procedure: orders that are gone are closed, any other difference stops the run.
"""

from collections.abc import Iterator

from predsurv.core.errors import SafetyError
from predsurv.core.events import AccountEvent, OrderCancelled
from predsurv.core.ids import VenueName
from predsurv.core.num import format_micros
from predsurv.core.orders import AccountSnapshot
from predsurv.engine.account.account import TradingAccount

GONE = "not at the venue when trading started"


def reconcile(venue: VenueName, account: TradingAccount, snapshot: AccountSnapshot) -> tuple[AccountEvent, ...]:
    """Return a cancellation for each live order of ``account`` that the venue does not have.

    Raises SafetyError for a difference in cash or positions, or an order at the venue that is not ours.
    """
    found = {order.client_order_id for order in snapshot.open_orders}
    differences = tuple(_differences(venue, account, snapshot))
    if differences:
        raise SafetyError(
            f"{venue}: the journal and the account differ: {'; '.join(differences[:5])}; "
            "nothing was sent; find out why before trading on"
        )
    return tuple(
        OrderCancelled(order.key, snapshot.ts, order.client_order_id, GONE)
        for order in account.orders.live()
        if order.key.venue == venue and order.client_order_id not in found
    )


def _differences(venue: VenueName, account: TradingAccount, snapshot: AccountSnapshot) -> Iterator[str]:
    cash = account.portfolio.cash(venue)
    if cash != snapshot.cash:
        yield f"cash {format_micros(cash)} here, {format_micros(snapshot.cash)} there"
    ours = {each.key: each.size for each in account.portfolio.positions.totals() if each.key.venue == venue}
    theirs = {each.key: each.size for each in snapshot.positions}
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key, 0), theirs.get(key, 0)
        if here != there:
            yield f"{format_micros(here)} shares of {str(key)[:40]} here, {format_micros(there)} there"
    for order in snapshot.open_orders:
        if account.orders.get(order.client_order_id) is None:
            yield f"order {order.client_order_id[:40]} is not in the journal"
