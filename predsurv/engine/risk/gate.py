"""The gate between intents and commands: checks each intent, assigns order ids, books approved orders as pending."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from predsurv.core.ids import ClientOrderId, OrderSide
from predsurv.core.orders import Approved, CancelIntent, CancelOrder, Intent, PlaceOrder, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.checks import RiskLimits, RiskRefusal, first_refusal
from predsurv.engine.risk.state import RiskState


class GateDecision(Struct, frozen=True, array_like=True):
    """An approved command with the intent it came from (None for a cancel that the engine decided by itself)."""

    approved: Approved
    intent: Intent | CancelIntent | None


class RiskGate:
    """Approves or refuses intents; approved orders are pending in ``account`` when it returns.

    Order ids are ``run`` and a number that continues where the account's orders end.
    """

    def __init__(self, run: str, limits: RiskLimits, state: RiskState, account: TradingAccount) -> None:
        self._run, self._limits, self._state, self._account = run, limits, state, account

    def evaluate(
        self, intents: Iterable[Intent | CancelIntent]
    ) -> tuple[tuple[GateDecision, ...], tuple[Refused, ...]]:
        """Return what may be sent and what may not, in order; a group is approved or refused as a whole.

        Limits hold for each order by itself, those of a group too: what is safe together is so only when all of it
        fills, and each order is sent, and may fail, alone. Less than the group is not what its strategy decided.
        """
        decisions: list[GateDecision] = []
        refused: list[Refused] = []
        for legs in _grouped(tuple(intents)):
            refusals = self._refusals(legs)
            first = next((each for each in refusals if each is not None), None)
            if first is not None:
                refused += [self._refuse(leg, each, first) for leg, each in zip(legs, refusals, strict=True)]
            else:
                decisions += [decision for leg in legs for decision in (*self._make_way(leg), self._approve(leg))]
        return tuple(decisions), tuple(refused)

    def cancel(self, ids: Iterable[ClientOrderId]) -> tuple[GateDecision, ...]:
        """Return a cancel for each known order among ``ids``; never refused."""
        orders = [self._account.orders.get(each) for each in ids]
        self._state.self_trades.on_cancels(order.client_order_id for order in orders if order is not None)
        return tuple(
            GateDecision(Approved(self._state.now, CancelOrder(order.client_order_id, order.key)), None)
            for order in orders
            if order is not None
        )

    def may_rest(self, side: OrderSide) -> bool:
        """Return whether an order of ``side`` may go on resting: none while halted, no entry while reducing."""
        return not self._state.blocked and (side == "sell" or self._state.trading == "active")

    def cancel_forbidden(self) -> tuple[GateDecision, ...]:
        """Return a cancel for every order that may still trade and must not rest now."""
        live = self._account.orders.live()
        return self.cancel(order.client_order_id for order in live if not self.may_rest(order.side))

    def _refusals(self, legs: Sequence[Intent | CancelIntent]) -> list[RiskRefusal | None]:
        refusals: list[RiskRefusal | None] = []
        for leg in legs:
            if isinstance(leg, CancelIntent):
                refusals.append(self._cancel_refusal(leg))
            else:
                refusals.append(first_refusal(leg, self._state, self._limits))
                self._state.staged.append(leg)  # the legs that follow are checked as if this one were sent
        self._state.staged.clear()
        return refusals

    def _cancel_refusal(self, intent: CancelIntent) -> RiskRefusal | None:
        live = self._account.orders.live_of(intent.strategy)
        order = next((each for each in live if each.client_order_id == intent.client_order_id), None)
        if order is None:
            return RiskRefusal("unknown_order", f"{intent.client_order_id} is no open order of {intent.strategy}")
        if self._state.phase(order.key.venue) == "closed":
            return RiskRefusal("venue_paused", f"{order.key.venue} accepts no cancels now")
        return None

    def _make_way(self, leg: Intent | CancelIntent) -> tuple[GateDecision, ...]:
        """Return the cancels of what a sale would trade with, which leave before it."""
        if isinstance(leg, CancelIntent) or leg.side == "buy":
            return ()
        return self.cancel(order.client_order_id for order in self._state.self_trades.resting(leg))

    def _refuse(self, leg: Intent | CancelIntent, refusal: RiskRefusal | None, first: RiskRefusal) -> Refused:
        if refusal is None:
            detail = f"another leg of its basket was refused ({first.reason}): {first.detail}"
            return Refused(self._state.now, leg, "group", detail)
        return Refused(self._state.now, leg, refusal.reason, refusal.detail)

    def _approve(self, leg: Intent | CancelIntent) -> GateDecision:
        if isinstance(leg, CancelIntent):
            return GateDecision(self.cancel([leg.client_order_id])[0].approved, leg)
        now = self._state.now
        command = PlaceOrder(
            ClientOrderId(f"{self._run}-{self._account.placed + 1:08d}"),
            leg.strategy,
            leg.key,
            leg.side,
            leg.price,
            leg.size,
            leg.tif,
            leg.post_only,
            leg.group,
            leg.expires,
        )
        self._account.place(command, now)
        self._state.sent.append(now)
        return GateDecision(Approved(now, command), leg)


def _grouped(intents: Sequence[Intent | CancelIntent]) -> Iterable[Sequence[Intent | CancelIntent]]:
    if len(intents) == 1:  # most often, and on the way of every order
        return (intents,)
    groups = groupby(enumerate(intents), key=lambda numbered: _group_of(*numbered))
    return ([intent for _, intent in numbered] for _, numbered in groups)


def _group_of(number: int, intent: Intent | CancelIntent) -> tuple[int, str]:
    if isinstance(intent, CancelIntent) or intent.group is None:
        return number, ""  # an intent without a group is one of its own
    return -1, intent.group
