"""A limit that the exchange itself keeps: every order of a run is in an order group with a number of contracts.

When so many were matched within 15 seconds, Kalshi cancels all of the group and takes nothing more into it, whatever
this process does. A group lives on one shard, so each shard has one. They are made for each run, so a new run trades
again; what an earlier run left keeps its own.
"""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import AmbiguousError, PredsurvError, TransientError, WireError
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Size, format_micros
from predsurv.net.http_errors import summary
from predsurv.venues.account_reports import AccountReport, OrderGroupReport
from predsurv.venues.kalshi.execution.session import KalshiSession
from predsurv.venues.kalshi.orders.groups import create_group, delete_group
from predsurv.venues.kalshi.orders.requests import NO_ROUTING, Routing
from predsurv.venues.kalshi.rest_wire import read_status
from predsurv.venues.parsing import checked_id
from predsurv.venues.requests import OrderRefusal

TRIGGERED: Final = "triggered"
SHARDS_MAX: Final = 64
"""Most shards that groups are made on."""

_LOG = logging.getLogger(__name__)


class _CreatedGroup(Struct):
    """``{"order_group_id":"0191…","subaccount":0,"exchange_index":0}``."""

    order_group_id: str


class ExchangeLimit:
    """The order groups of one run with ``contracts`` (whole ones) each, none where that is 0; their ids by shard."""

    def __init__(self, session: KalshiSession, contracts: int) -> None:
        self._session, self._contracts = session, contracts
        self._groups: dict[int, str] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether there is a limit at all."""
        return self._contracts > 0

    async def begin(self) -> None:
        """Make a group on every shard; raises TransientError when Kalshi does not: then nothing may be placed."""
        if not self.is_wanted:
            return
        try:
            for shard in await self._shards():
                self._groups[shard] = await self._make(shard)
        except PredsurvError:
            await self.end()
            raise
        made = ", ".join(f"{group} on shard {shard}" for shard, group in self._groups.items())
        _LOG.info("kalshi: order groups take %d contracts in 15 s each: %s", self._contracts, made)

    def group_of(self, market: Market) -> str | OrderRefusal | None:
        """Return the group that an order in ``market`` belongs to, None where there is no limit.

        A market whose shard nobody stated could be in none of them, where there are several.
        """
        if not self._groups:
            return None
        if market.shard is None and len(self._groups) == 1:
            return next(iter(self._groups.values()))
        if market.shard not in self._groups:
            return OrderRefusal("exchange", "its list did not say on which shard it trades, for its order group; scan")
        return self._groups[market.shard]

    async def end(self) -> None:
        """Delete the groups, which cancels whatever is left in them."""
        groups, self._groups = self._groups, {}
        for shard, group in groups.items():
            try:
                reply = await self._session.send(delete_group(group, _on(shard)))
            except PredsurvError as error:
                _LOG.info("kalshi: order group %s may be left behind: %s", group, error)
                continue
            if not 200 <= reply.status < 300:
                _LOG.info("kalshi: order group %s is left behind: HTTP %d", group, reply.status)

    async def _shards(self) -> Sequence[int]:
        try:
            status = read_status(await self._session.read("/exchange/status"))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"what kalshi says of its shards cannot be read: {error}") from None
        return sorted({each.exchange_index for each in status.exchange_index_statuses or ()})[:SHARDS_MAX] or (0,)

    async def _make(self, shard: int) -> str:
        request = create_group(Size(self._contracts * MICROS), _on(shard))
        if isinstance(request, OrderRefusal):
            raise WireError(f"kalshi: no order group of {self._contracts} contracts: {request.detail}")
        try:
            reply = await self._session.send(request)
        except AmbiguousError as error:  # a group without orders does no harm
            raise TransientError(f"kalshi made no order group: {error}; no order was sent; try later") from None
        if not 200 <= reply.status < 300:
            raise TransientError(
                f"kalshi makes no order group on shard {shard}: HTTP {reply.status}, {summary(reply.body)}; no order "
                "was sent; set venues.kalshi.order_group_limit = 0 to trade without"
            )
        try:
            made = msgspec.json.decode(reply.body, type=_CreatedGroup)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WireError(f"what kalshi says of a new order group cannot be read: {error}") from None
        return checked_id(made.order_group_id, "an order group's id")

    def stopped_by(self, report: AccountReport) -> str:
        """Return why Kalshi stopped our orders by itself, "" where a report does not say so."""
        if not isinstance(report, OrderGroupReport) or report.change != TRIGGERED:
            return ""
        if report.group not in self._groups.values():
            return ""
        limit = format_micros(self._contracts * MICROS)
        return (
            f"kalshi: {limit} contracts were matched within 15 s, so it cancelled every order of this run and takes no "
            "more of it; look what happened, then start it again"
        )


def _on(shard: int) -> Routing:
    return Routing(shard) if shard else NO_ROUTING  # the first one needs no name, and an explicit one is charged apart
