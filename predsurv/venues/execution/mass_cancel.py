"""Cancels many open orders of an account in as few requests as its venue offers, for somebody in a hurry.

What is open is read before, and again after every round: an answer that was lost says nothing, the venue's list does.
Where it cannot be read at first, all is cancelled all the same if the venue has one request for that.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from predsurv.core.errors import AmbiguousError, PermanentError, PredsurvError
from predsurv.core.ids import OrderId
from predsurv.ports import Clock
from predsurv.venues.account_reports import OrderReport, order_at_venue
from predsurv.venues.answers import Verdict, lost
from predsurv.venues.execution.gateway import VenueAccount

ROUNDS_MAX: Final = 3
"""Most times that open orders are cancelled and read again: answers may be lost, and others may place meanwhile."""

TellFate = Callable[[OrderId, Verdict], None]
"""Hears what the venue answered about an order."""


class MassCancel:
    """Cancels the orders of ``wanted`` (the venue's ids in lower case), or all of the account where it is None.

    ``found``: the orders that were open, or that the venue says it cancelled. ``tell`` hears the answer about each.
    """

    def __init__(self, account: VenueAccount, clock: Clock, wanted: frozenset[str] | None, tell: TellFate) -> None:
        self._account, self._clock, self._wanted, self._tell = account, clock, wanted, tell
        self.found: set[OrderId] = set()

    async def run(self) -> frozenset[OrderId]:
        """Cancel, and return the orders that are still open; raises PredsurvError when the account cannot be read."""
        try:
            todo = left = await self._open()
        except PredsurvError:
            if not await self._unread():
                raise
            todo = left = await self._open()
        for turn in range(ROUNDS_MAX):
            if not todo:
                break
            verdicts = await self._in_one_request(todo) if turn == 0 else None
            if verdicts is None:
                verdicts = await self._by_name(todo)
            for order_id, verdict in verdicts.items():
                self._tell(order_id, verdict)
            self.found |= verdicts.keys()
            left = await self._open()
            todo = [each for each in left if _is_worth_another(verdicts.get(each.order_id))]
        return frozenset(each.order_id for each in left)

    async def _open(self) -> Sequence[OrderReport]:
        state = await self._account.reader.account(self._clock.now(), ())
        chosen = [each for each in state.orders if self._wanted is None or each.order_id.lower() in self._wanted]
        self.found |= {each.order_id for each in chosen}
        return chosen

    async def _unread(self) -> bool:
        """Cancel all although the account cannot be read; return whether its venue has a request for that."""
        verdicts = await self._in_one_request(())
        if verdicts is None:
            return False
        for order_id, verdict in verdicts.items():
            self._tell(order_id, verdict)
        self.found |= verdicts.keys()
        return True

    async def _in_one_request(self, orders: Sequence[OrderReport]) -> Mapping[OrderId, Verdict] | None:
        """Cancel whatever is open; None unless all is wanted, and the venue has a request for just that."""
        if self._wanted is not None:
            return None
        ids = [each.order_id for each in orders]
        try:
            return await self._account.cancel_all(ids)
        except PredsurvError as error:
            return dict.fromkeys(ids, _failed(error))

    async def _by_name(self, orders: Sequence[OrderReport]) -> Mapping[OrderId, Verdict]:
        """Cancel in batches, each as large as the account's limit lets through when it leaves."""
        gateway, verdicts = self._account.gateway, dict[OrderId, Verdict]()
        while len(verdicts) < len(orders):
            size = len(next(gateway.batching("cancel").parts(len(orders) - len(verdicts))))
            named = orders[len(verdicts) : len(verdicts) + size]
            part = [order_at_venue(each) for each in named]
            try:
                answers = [await gateway.cancel(part[0])] if size == 1 else await gateway.cancel_together(part)
            except PredsurvError as error:
                answers = [_failed(error)] * size
            verdicts.update(zip((each.order_id for each in named), answers, strict=True))
        return verdicts


def _failed(error: PredsurvError) -> Verdict:
    """Return what an error says of each order of its request."""
    if isinstance(error, AmbiguousError):
        return lost(str(error))
    return Verdict("rejected", "halt" if isinstance(error, PermanentError) else "retry_after", str(error))


def _is_worth_another(verdict: Verdict | None) -> bool:
    """Return whether an order that is still open may be cancelled by another request: nothing definite was said."""
    if verdict is None:
        return True
    return verdict.reaction == "retry_after" or (verdict.fate == "unknown" and verdict.reaction != "halt")
