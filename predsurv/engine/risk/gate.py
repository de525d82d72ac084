"""Where wishes become commands: groups stand or fall together, ids are counted, sums are kept.

Kept apart from the checks, which only compare, and from the engine, which only folds events.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from predsurv.core.ids import ClientOrderId
from predsurv.core.orders import Approved, CancelIntent, CancelOrder, Intent, PlaceOrder, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.checks import RiskLimits, Verdict, check
from predsurv.engine.risk.state import RiskState

Wish = Intent | CancelIntent


class GateDecision(Struct, frozen=True, array_like=True):
    """A command with the wish it came from (None for what the engine decided by itself)."""

    approved: Approved
    wish: Wish | None


class RiskGate:
    """Judges wishes and books what it lets through as about to be sent.

    Order ids are ``run`` and a count that goes on where the ledger's orders end.
    """

    def __init__(self, run: str, limits: RiskLimits, desk: RiskState, ledger: TradingAccount) -> None:
        self._run, self._limits, self._desk, self._ledger = run, limits, desk, ledger

    def judge(self, wishes: Iterable[Wish]) -> tuple[tuple[GateDecision, ...], tuple[Refused, ...]]:
        """Return what may be sent and what may not, in the order wished."""
        decisions: list[GateDecision] = []
        refusals: list[Refused] = []
        for _, numbered in groupby(enumerate(wishes), key=_group):
            legs = [wish for _, wish in numbered]
            verdicts = self._verdicts(legs)
            if any(verdicts):
                refusals += [self._refuse(leg, verdict) for leg, verdict in zip(legs, verdicts, strict=True)]
            else:
                decisions += [self._approve(leg) for leg in legs]
        return tuple(decisions), tuple(refusals)

    def cancel(self, ids: Iterable[ClientOrderId]) -> tuple[GateDecision, ...]:
        """Return a cancel for each live order among ``ids``; always allowed."""
        found = (self._ledger.blotter.order(each) for each in ids)
        return tuple(
            GateDecision(Approved(self._desk.now, CancelOrder(order.client_order_id, order.key)), None)
            for order in found
            if order is not None
        )

    def cancel_all(self) -> tuple[GateDecision, ...]:
        """Return a cancel for every live order."""
        return self.cancel(order.client_order_id for order in self._ledger.blotter.live())

    def _verdicts(self, legs: Sequence[Wish]) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = []
        for leg in legs:
            if isinstance(leg, CancelIntent):
                verdicts.append(self._cancellable(leg))
            else:
                verdicts.append(check(leg, self._desk, self._limits))
                self._desk.planned.append(leg)  # the legs that follow are judged as if this one were sent
        self._desk.planned.clear()
        return verdicts

    def _cancellable(self, wish: CancelIntent) -> Verdict | None:
        live = self._ledger.blotter.live_of(wish.strategy)
        if any(order.client_order_id == wish.client_order_id for order in live):
            return None
        return Verdict("unknown_order", f"{wish.client_order_id} is no open order of {wish.strategy}")

    def _refuse(self, leg: Wish, verdict: Verdict | None) -> Refused:
        if verdict is None:
            return Refused(self._desk.now, leg, "group", "another leg of its basket was refused")
        return Refused(self._desk.now, leg, verdict.reason, verdict.detail)

    def _approve(self, leg: Wish) -> GateDecision:
        if isinstance(leg, CancelIntent):
            return GateDecision(self.cancel([leg.client_order_id])[0].approved, leg)
        now = self._desk.now
        command = PlaceOrder(
            ClientOrderId(f"{self._run}-{self._ledger.placed + 1:08d}"),
            leg.strategy,
            leg.key,
            leg.side,
            leg.price,
            leg.size,
            leg.tif,
            leg.post_only,
            leg.group,
        )
        self._ledger.place(command, now)
        self._desk.sent.append(now)
        return GateDecision(Approved(now, command), leg)


def _group(numbered: tuple[int, Wish]) -> tuple[int, str]:
    number, wish = numbered
    if isinstance(wish, CancelIntent) or wish.group is None:
        return number, ""  # a wish without a group stands alone
    return -1, wish.group
