"""A limit that the exchange itself keeps: every order of a run is in one order group with a number of contracts.

When so many were matched within 15 seconds, Kalshi cancels all of the group and takes nothing more into it, whatever
this process does. A group is made for each run, so a new run trades again; what an earlier run left keeps its own.
"""

import logging
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import AmbiguousError, PredsurvError, TransientError, WireError
from predsurv.core.num import MICROS, Size, format_micros
from predsurv.net.http_errors import summary
from predsurv.venues.account_reports import AccountReport, OrderGroupReport
from predsurv.venues.kalshi.execution.session import KalshiSession
from predsurv.venues.kalshi.orders.groups import create_group, delete_group
from predsurv.venues.parsing import checked_id
from predsurv.venues.requests import OrderRefusal

TRIGGERED: Final = "triggered"

_LOG = logging.getLogger(__name__)


class _CreatedGroup(Struct):
    """``{"order_group_id":"0191…","subaccount":0,"exchange_index":0}``."""

    order_group_id: str


class ExchangeLimit:
    """The order group of one run with ``contracts`` (whole ones), none where that is 0; ``group``: its id, or None."""

    def __init__(self, session: KalshiSession, contracts: int) -> None:
        self._session, self._contracts = session, contracts
        self.group: str | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is a limit at all."""
        return self._contracts > 0

    async def begin(self) -> None:
        """Make the group; raises TransientError when Kalshi does not: then nothing may be placed."""
        if not self.is_wanted:
            return
        request = create_group(Size(self._contracts * MICROS))
        if isinstance(request, OrderRefusal):
            raise WireError(f"kalshi: no order group of {self._contracts} contracts: {request.detail}")
        try:
            reply = await self._session.send(request)
        except AmbiguousError as error:  # a group without orders does no harm
            raise TransientError(f"kalshi made no order group: {error}; no order was sent; try later") from None
        if not 200 <= reply.status < 300:
            raise TransientError(
                f"kalshi makes no order group: HTTP {reply.status}, {summary(reply.body)}; no order was sent; set "
                "venues.kalshi.order_group_limit = 0 to trade without"
            )
        try:
            made = msgspec.json.decode(reply.body, type=_CreatedGroup)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WireError(f"what kalshi says of a new order group cannot be read: {error}") from None
        self.group = checked_id(made.order_group_id, "an order group's id")
        _LOG.info("kalshi: order group %s takes %d contracts in 15 s", self.group, self._contracts)

    async def end(self) -> None:
        """Delete the group, which cancels whatever is left in it."""
        if self.group is None:
            return
        group, self.group = self.group, None
        try:
            reply = await self._session.send(delete_group(group))
        except PredsurvError as error:
            _LOG.info("kalshi: order group %s may be left behind: %s", group, error)
            return
        if not 200 <= reply.status < 300:
            _LOG.info("kalshi: order group %s is left behind: HTTP %d", group, reply.status)

    def stopped_by(self, report: AccountReport) -> str:
        """Return why Kalshi stopped our orders by itself, "" where a report does not say so."""
        if not isinstance(report, OrderGroupReport) or report.group != self.group or report.change != TRIGGERED:
            return ""
        limit = format_micros(self._contracts * MICROS)
        return (
            f"kalshi: {limit} contracts were matched within 15 s, so it cancelled every order of this run and takes no "
            "more of it; look what happened, then start it again"
        )
