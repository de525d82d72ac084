"""Changes of resting orders, and what a pause of the exchange does to them."""

from predsurv.core.market import on_grid
from predsurv.core.num import Price
from predsurv.exchange.exchange import begin_instant
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk
from predsurv.simulate.kalshi.trading.orders import HUNDREDTH, KalshiOrder, OrderError, OrderRequest


def amend(
    desk: KalshiDesk, order: KalshiOrder, price: Price, count: int, client_order_id: str = ""
) -> OrderError | None:
    """Give an order another price (micros) and total count (hundredths, with what was filled); None when that is done.

    It keeps its place in the queue where only the count becomes smaller.
    """
    begin_instant(desk.exchange)
    remaining = count - order.filled
    changed = order.request._replace(price=price, contracts=count)
    refused = _amend_refusal(desk, order, changed, client_order_id)
    if refused is not None:
        return refused
    if client_order_id:
        desk.account.client_ids.add(client_order_id)
        changed = changed._replace(client_order_id=client_order_id)
    keeps_place = price == order.request.price and remaining <= order.remaining
    order.request = changed
    order.reason = "Amend"
    if keeps_place:
        _shrink(desk, order, remaining)
    else:
        desk.leave_book(order)
        order.remaining = remaining
        desk.match(order)
    return None


def _amend_refusal(
    desk: KalshiDesk, order: KalshiOrder, changed: OrderRequest, client_order_id: str
) -> OrderError | None:
    if not order.is_live:
        return OrderError(404, "not_found", "order not found")
    if changed.contracts <= order.filled:
        return OrderError(400, "invalid_order", "count is not above what was filled")
    if not on_grid(order.instrument.market, changed.price):
        return OrderError(400, "invalid_price", "not a price of this market")
    if changed.post_only and order.instrument.book.crosses(changed.side, changed.price):
        return OrderError(400, "invalid_order", "post only cross")
    if client_order_id and client_order_id in desk.account.client_ids:
        return OrderError(409, "order_already_exists")
    is_paid = desk.account.can_pay(changed, changed.contracts - order.filled, without=order)
    return None if is_paid else OrderError(400, "insufficient_balance")


def decrease(desk: KalshiDesk, order: KalshiOrder, remaining: int) -> None:
    """Reduce what rests of a live order to ``remaining`` (hundredths), in its place; 0 cancels it."""
    begin_instant(desk.exchange)
    if not order.is_live or remaining >= order.remaining:
        return
    if not remaining:
        desk.withdraw(order, "Decrease")
        return
    order.reason = "Decrease"
    order.request = order.request._replace(contracts=order.filled + remaining)
    _shrink(desk, order, remaining)


def suspend(desk: KalshiDesk) -> None:
    """Take everything out of the books for the time of a pause: nothing trades then."""
    for order in desk.account.live():
        if order.request.cancel_on_pause:
            desk.withdraw(order, "HaltCancel")
        else:
            desk.leave_book(order)


def resume(desk: KalshiDesk) -> None:
    """Put everything back that is still live, oldest first; what the market has come to meanwhile is met."""
    begin_instant(desk.exchange)
    for order in desk.account.live():
        if order.is_live and order.resting is None:  # one before it may have ended its group
            desk.match(order)


def _shrink(desk: KalshiDesk, order: KalshiOrder, remaining: int) -> None:
    order.remaining, order.updated = remaining, desk.exchange.now
    if order.resting is not None:
        order.instrument.book.reduce(order.resting, remaining * HUNDREDTH)
    desk.on_order(order)
