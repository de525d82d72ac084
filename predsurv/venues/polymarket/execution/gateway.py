"""``execution.gateway`` for Polymarket: places, cancels, finds and keeps alive the orders of one account."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import TransientError, WireError
from predsurv.core.ids import OrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.orders import Approved, Order, PlaceOrder
from predsurv.net.http import HttpReply, StatusError
from predsurv.net.http_errors import summary
from predsurv.ports import Clock
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.answers import Operation, Verdict
from predsurv.venues.execution.gateway import TENTHS, Batching, FoundOrder, PreparedOrder
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader
from predsurv.venues.polymarket.execution.login import PolymarketIdentity
from predsurv.venues.polymarket.execution.session import ClobSession
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.orders.answers import judge_cancels, judge_order, judge_orders
from predsurv.venues.polymarket.orders.requests import (
    CANCELS_MAX,
    ORDERS_MAX,
    cancel_order,
    cancel_orders,
    place_order,
    place_orders,
)
from predsurv.venues.polymarket.orders.signing import SALTS, MarketTerms
from predsurv.venues.requests import OrderRefusal, VenueRequest

_SIGNED_BY: Final = frozenset({"neg_risk", "tick_size", "version"})
"""Fields of a market that decide how an order is signed: never assumed."""
_BEATS: Final = "/v1/heartbeats"
_TRADES_FROM: Final = 60_000_000_000  # before an order was placed, by whichever clock (ns)


class _BeatBody(Struct, gc=False):
    """``{"heartbeat_id":"0191…"}``, with 400 beside ``{"error_msg":"Invalid Heartbeat ID"}``: the one it expects."""

    heartbeat_id: str | None = None


class PolymarketGateway:
    """The orders of one account; ``rand`` gives numbers in [0, 1) for salts."""

    def __init__(
        self,
        identity: PolymarketIdentity,
        session: ClobSession,
        reader: ClobAccountReader,
        clock: Clock,
        rand: Callable[[], float],
    ) -> None:
        self._signer, self._owner = identity.signer, identity.api_key.owner
        self._session, self._reader, self._clock, self._rand = session, reader, clock, rand
        self._beat_id = ""

    @property
    def venue(self) -> VenueName:
        """``polymarket``."""
        return VENUE

    def prepare(self, approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
        """Sign an order; its hash is its id."""
        command = approved.command
        if not isinstance(command, PlaceOrder):
            return OrderRefusal("not_ours", "no order")
        if not market.version:
            return OrderRefusal("exchange", "its list did not say on which contracts it trades; scan again")
        unstated = _SIGNED_BY.intersection(market.assumed)
        if unstated:
            return OrderRefusal("exchange", f"nobody has stated its {' and '.join(sorted(unstated))} yet")
        terms = MarketTerms(market.tick_size, market.version, market.neg_risk)
        signed = self._signer.order(command, terms, now=self._clock.now(), salt=int(self._rand() * SALTS))
        if isinstance(signed, OrderRefusal):
            return signed
        return PreparedOrder(command, place_order(signed, self._signer, self._owner), signed.order_id)

    async def place(self, order: PreparedOrder) -> Verdict:
        """Send it once."""
        reply = await self._session.send(order.request)
        return judge_order(reply.status, reply.body, order.order_id or OrderId(""), self._session.wait_of(reply))

    async def cancel(self, order: Order) -> Verdict:
        """Cancel what rests of it."""
        order_id = order.order_id or OrderId("")
        reply = await self._session.send(cancel_order(order_id))
        (verdict,) = judge_cancels(reply.status, reply.body, (order_id,), self._session.wait_of(reply))
        return verdict

    def batching(self, operation: Operation) -> Batching:
        """Return how many go in one request: those that the limits of a signer let through now."""
        levels = self._session.request_levels()
        if operation == "cancel":
            return Batching(CANCELS_MAX, levels["cancels"].available, self._session.limits.rates.cancels // TENTHS)
        return Batching(ORDERS_MAX, levels["orders"].available)

    async def place_together(self, orders: Sequence[PreparedOrder]) -> Sequence[Verdict]:
        """Send up to ``ORDERS_MAX`` in one request, once."""
        reply = await self._session.send(place_orders([each.request for each in orders]), len(orders))
        ids = [each.order_id or OrderId("") for each in orders]
        return judge_orders(reply.status, reply.body, ids, self._session.wait_of(reply))

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Cancel what rests of up to ``CANCELS_MAX`` in one request."""
        ids = [each.order_id or OrderId("") for each in orders]
        reply = await self._session.send(cancel_orders(ids), len(ids))
        return judge_cancels(reply.status, reply.body, ids, self._session.wait_of(reply))

    async def find(self, order: Order) -> FoundOrder:
        """Ask for an order by its hash, and for the trades of its market since it was placed."""
        if order.order_id is None:
            return FoundOrder(None)
        report = await self._report(order.order_id)
        since = order.submitted - _TRADES_FROM
        trades = await self._reader.trades(since, market=order.key.market_id)
        return FoundOrder(report, tuple(each for each in trades if each.order_id.lower() == order.order_id.lower()))

    async def stay_alive(self, resting: Collection[Order]) -> None:  # noqa: ARG002 - it is about all of them
        """Send the next heartbeat; after a restart the venue names the one that it expects. Raises TransientError."""
        reply = await self._beat()
        if reply.status == 400:
            reply = await self._beat()
        if not 200 <= reply.status < 300:
            raise TransientError(f"polymarket takes no heartbeat: HTTP {reply.status}, {summary(reply.body)}")

    async def _beat(self) -> HttpReply:
        request = VenueRequest("POST", _BEATS, msgspec.json.encode({"heartbeat_id": self._beat_id}))
        reply = await self._session.beat(request)
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._beat_id = msgspec.json.decode(reply.body, type=_BeatBody).heartbeat_id or self._beat_id
        return reply

    async def _report(self, order_id: OrderId) -> OrderReport | None:
        try:
            body = await self._session.read(f"/data/order/{order_id}")
        except StatusError as error:
            if error.status == 404:
                return None
            raise
        if body.strip() in (b"", b"null"):
            return None
        found = self._reader.decoder.order(body, self._clock.now())
        report = next((each for each in found if isinstance(each, OrderReport)), None)
        if report is None:
            raise WireError("what polymarket says of an order cannot be read")  # it exists: None would end it
        return report
