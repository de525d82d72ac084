"""``execution.gateway`` for Kalshi: places, cancels, finds and renews the orders of one account.

Whatever rests has an end within ``LIFE``, renewed as long as this process lives: a process that stands still leaves no
open order behind.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import PredsurvError
from predsurv.core.ids import ClientOrderId, OrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.orders import RESTING, Approved, Order, PlaceOrder
from predsurv.net.http import StatusError
from predsurv.ports import Clock
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.answers import Operation, Verdict
from predsurv.venues.execution.gateway import TENTHS, Batching, FoundOrder, PreparedOrder
from predsurv.venues.kalshi.account.decoder import one_order
from predsurv.venues.kalshi.execution.account_reader import KalshiAccountReader, expected
from predsurv.venues.kalshi.execution.exchange_limit import ExchangeLimit
from predsurv.venues.kalshi.execution.session import CANCEL_TOKENS, REQUEST_TOKENS, KalshiSession
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.orders.answers import judge_cancel, judge_cancels, judge_change, judge_order, judge_orders
from predsurv.venues.kalshi.orders.requests import (
    ORDERS_MAX,
    OrderOptions,
    RestingOrder,
    YesOrder,
    amend_order,
    cancel_order,
    cancel_orders,
    order_body,
    place_order,
    place_orders,
    yes_order,
)
from predsurv.venues.requests import OrderRefusal

LIFE: Final = 20_000_000_000
"""How far ahead (ns) the end of a resting order is."""
RENEW_BELOW: Final = 12_000_000_000
"""An order with less than this (ns) left is given a new end."""
RENEWED_MAX: Final = 10_000
"""Orders kept for renewal, beyond which those that ended are looked for at once."""
_S: Final = 1_000_000_000
_LOOK_BACK: Final = 60 * _S  # before an order was placed, by whichever clock
_LOG = logging.getLogger(__name__)


class _Renewed(Struct):
    """A resting order that is kept: its level in YES, its market, when it ends, and when it was meant to (ns UTC)."""

    order: YesOrder
    market: Market
    ends: int
    wanted: int | None


class KalshiGateway:
    """The orders of one account."""

    def __init__(
        self, session: KalshiSession, reader: KalshiAccountReader, clock: Clock, limit: ExchangeLimit | None = None
    ) -> None:
        self._session, self._reader, self._clock = session, reader, clock
        self._limit = ExchangeLimit(session, 0) if limit is None else limit
        self._renewed: dict[ClientOrderId, _Renewed] = {}

    @property
    def venue(self) -> VenueName:
        """``kalshi``."""
        return VENUE

    def prepare(self, approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
        """Make the request of an order; one that may rest gets an end."""
        command, now = approved.command, self._clock.now()
        if not isinstance(command, PlaceOrder):
            return OrderRefusal("not_ours", "no order")
        ends: int | None = None
        sent = command
        if command.tif in RESTING:
            ends = now + LIFE if command.expires is None else min(command.expires, now + LIFE)
            sent = replace(command, tif="gtd", expires=ends)
        level, group = yes_order(command), self._limit.group_of(market)
        if isinstance(level, OrderRefusal):
            return level
        if isinstance(group, OrderRefusal):
            return group
        body = order_body(sent, market, now=now, options=OrderOptions(order_group=group))
        if isinstance(body, OrderRefusal):
            return body
        if ends is not None:
            if len(self._renewed) >= RENEWED_MAX:
                self._renewed = {name: kept for name, kept in self._renewed.items() if kept.ends >= now}
            self._renewed[command.client_order_id] = _Renewed(level, market, ends, command.expires)
        return PreparedOrder(command, place_order(body), None, ends)

    async def place(self, order: PreparedOrder) -> Verdict:
        """Send it once."""
        reply = await self._session.send(order.request)
        name = order.command.client_order_id
        return judge_order(reply.status, reply.body, name, self._session.wait_of(reply))

    async def cancel(self, order: Order) -> Verdict:
        """Cancel what rests of it, by its ticker: an id alone does not name its shard."""
        order_id = order.order_id or OrderId("")
        self._renewed.pop(order.client_order_id, None)
        reply = await self._session.send(cancel_order(RestingOrder(order_id, order.key.market_id)))
        return judge_cancel(reply.status, reply.body, order_id, self._session.wait_of(reply))

    def batching(self, operation: Operation) -> Batching:
        """Return how many go in one request: those that the account's write budget pays now."""
        available = self._session.request_levels()["orders"].available
        if operation == "cancel":
            later = self._session.writes_per_second // (CANCEL_TOKENS * TENTHS)
            return Batching(ORDERS_MAX, available // CANCEL_TOKENS, later)
        return Batching(ORDERS_MAX, available // REQUEST_TOKENS)

    async def place_together(self, orders: Sequence[PreparedOrder]) -> Sequence[Verdict]:
        """Send up to ``ORDERS_MAX`` in one request, once."""
        reply = await self._session.send(place_orders([each.request for each in orders]), len(orders))
        names = [each.command.client_order_id for each in orders]
        return judge_orders(reply.status, reply.body, names, self._session.wait_of(reply))

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Cancel what rests of up to ``ORDERS_MAX`` in one request, each by its ticker."""
        for each in orders:
            self._renewed.pop(each.client_order_id, None)
        resting = [RestingOrder(each.order_id or OrderId(""), each.key.market_id) for each in orders]
        reply = await self._session.send(cancel_orders(resting), len(orders))
        ids = [each.order_id for each in resting]
        return judge_cancels(reply.status, reply.body, ids, self._session.wait_of(reply))

    async def find(self, order: Order) -> FoundOrder:
        """Ask for an order by its id, or among those of its market by ours, and for its fills."""
        report = await self._report(order)
        if report is None:
            return FoundOrder(None)
        return FoundOrder(report, await self._reader.fills((("order_id", report.order_id),)))

    async def stay_alive(self, resting: Collection[Order]) -> None:
        """Give orders that end soon a new end; one that cannot be given any ends by itself."""
        now, names = self._clock.now(), {each.client_order_id: each for each in resting}
        for name, kept in tuple(self._renewed.items()):
            order = names.get(name)
            if order is None:
                if kept.ends < now:
                    del self._renewed[name]
            elif order.order_id is not None and kept.ends - now < RENEW_BELOW and kept.ends != kept.wanted:
                await self._renew(order, kept, order.order_id)

    async def _renew(self, order: Order, kept: _Renewed, order_id: OrderId) -> None:
        ends = self._clock.now() + LIFE
        if kept.wanted is not None:
            ends = min(ends, kept.wanted)
        request = amend_order(RestingOrder(order_id, kept.order.ticker), kept.order, kept.market, expiration=ends // _S)
        if isinstance(request, OrderRefusal):
            _LOG.warning("kalshi: order %s is not renewed: %s", order.client_order_id, request.detail)
            return
        try:
            reply = await self._session.send(request)
            verdict = judge_change(reply.status, reply.body, order_id, self._session.wait_of(reply))
        except PredsurvError as error:
            _LOG.warning("kalshi: order %s may not be renewed: %s", order.client_order_id, error)
            return
        if verdict.fate == "accepted":
            kept.ends = ends
        else:
            _LOG.info("kalshi: order %s is not renewed: %s", order.client_order_id, verdict.reason)

    async def _report(self, order: Order) -> OrderReport | None:
        if order.order_id is not None:
            try:
                body = await self._session.read(f"/portfolio/orders/{quote(order.order_id, safe='')}")
            except StatusError as error:
                if error.status == 404:
                    return None
                raise
            return expected(one_order(body, self._clock.now()), OrderReport)
        since = max(order.submitted - _LOOK_BACK, 0) // _S
        query = (("ticker", str(order.key.market_id)), ("min_ts", str(since)))
        orders = await self._reader.orders(query)
        return next((each for each in orders if each.client_order_id == order.client_order_id), None)
