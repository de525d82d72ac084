"""Arbitrage: buy what together must pay more than it costs, in one event or across venues, and prove it first."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    FillFailed,
    MarketChange,
    MarketResolved,
    OrderCancelled,
    OrderRejected,
    Tick,
)
from predsurv.core.ids import InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.num import MICROS, Price
from predsurv.core.orders import Intent
from predsurv.engine.interest import EventFilter, Interest
from predsurv.state.view import View
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.attempts import SetAttempt, SetAttempts, improves_best
from predsurv.strategies.claim_tiers import LOT, KnownTiers
from predsurv.strategies.claims import ClaimGroup, ClaimGroups, net_held
from predsurv.strategies.quick_look import may_pay
from predsurv.strategies.set_plan import PlannedOrder
from predsurv.strategies.set_signals import signal_of
from predsurv.strategies.set_trades import opening_trade, rebalancing_orders
from predsurv.strategies.tradable import has_ended


class Arbitrage:
    """Edge: claims of which exactly one, or at most one, comes true, on sale for less than they surely pay together.

    ``outcomes``: every outcome of one market. ``yes_basket``: YES of every market of an exclusive and exhaustive event.
    ``no_basket``: NO of markets of an exclusive event, each in as many shares as pay. ``cross``: the same with the
    books of other venues, where a person approved that the markets are the same contract. The sizes are the solution
    of the event's linear program, in integers; a certificate of the result in every state goes with the first order.
    Exit: settlement; sooner where complete sets can be sold for more than they pay. Risk: a leg fails, is stale or is
    reverted (what is held is completed or sold, whichever leaves more for sure), a market is void, the venue's flags
    or the mapping are wrong, money is locked up until settlement.

    ``wake_at``: when an attempt that may hold incomplete sets has to be looked at again, ns UTC.
    """

    Params = ArbitrageParams
    name = StrategyName("arbitrage")
    signals = frozenset({"outcomes", "yes_basket", "no_basket", "cross", "complete", "unwind"})

    def __init__(self, params: ArbitrageParams | None = None) -> None:
        self._params = params or ArbitrageParams()
        # What pays in one event shows in the sums of its best prices: an ask of NO is 1 − the bid of YES, and the sums
        # leave out the markets that ``ClaimGroups`` leaves out: those that have settled, and that are in no group.
        edge = self._params.edge_min
        sums = EventFilter(ask_sum_max=Price(MICROS - edge), bid_sum_min=Price(MICROS + edge), exclusive=True)
        self.interest = Interest(books="best", where_event=sums, filter_engaged=True, trades=False)
        self._claims = ClaimGroups()
        self._groups: dict[tuple[VenueName, MarketId], ClaimGroup | None] = {}  # until any market changes
        self._attempts = SetAttempts(self.name)
        self._known, self._known_held = KnownTiers(), KnownTiers()  # to open, and to rebalance: capital costs differ
        self.wake_at = 0

    def use_mappings(self, mappings: Iterable[ApprovedMapping]) -> None:
        """Trade the claims of mapped markets on every venue; what pays across venues shows in no sum of one event."""
        self._claims = ClaimGroups(mappings)
        self.interest = replace(self.interest, where_event=None)

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        """Search when a best price improves; rebalance incomplete sets at account events and ticks."""
        if isinstance(event, BookDelta | BookSnapshot):
            return self._open(self._group_of(event.key, view), view) if improves_best(event, view) else ()
        self.wake_at = view.now
        if isinstance(event, MarketChange | MarketResolved):
            self._groups.clear()
            self._attempts.look_again()
        elif isinstance(event, Fill | FillFailed | OrderCancelled | OrderRejected | Tick):
            intents = tuple(self._follow_up(event, view))
            if isinstance(event, Tick):
                self.wake_at = self._attempts.next_look()
            return intents
        return ()

    def _open(self, group: ClaimGroup | None, view: View) -> Iterable[Intent]:
        if (
            group is None
            or not may_pay(group, view, self._params.edge_min, self._known)
            or self._attempts.blocked(group, view)
        ):
            return ()
        keys = self._attempts.keys_of(group, view)
        if rebalancing_orders(group, view, self._params, self._known_held, keys=keys, may_buy=True):
            self._attempts.adopt(group, view)
            self.wake_at = view.now
            return ()  # first things first: the next tick makes the most of what is held
        trade = opening_trade(group, view, self._params, self._known)
        if trade is None:
            return ()
        signal = signal_of(group, trade.orders)
        name = f"{signal}:{group.name}@{view.now}"
        self.wake_at = view.now
        ordered = keys | {order.key for order in trade.orders}
        self._attempts.add(SetAttempt(group, name, view.now + self._params.cooldown, ordered))
        return tuple(self._intents(trade.orders, signal, name, trade.certificate.text(view.now)))

    def _group_of(self, key: InstrumentKey, view: View) -> ClaimGroup | None:
        name = (key.venue, key.market_id)
        if name not in self._groups:
            market = view.market(*name)
            self._groups[name] = None if market is None else self._claims.of(market, view)
        return self._groups[name]

    def _follow_up(self, event: Event, view: View) -> Iterator[Intent]:
        if isinstance(event, Tick):
            for position in view.positions():
                group = self._group_of(position.key, view)
                if group is not None:
                    self._attempts.adopt(group, view)
        filled = event.key if isinstance(event, Fill) else None
        for attempt in self._attempts.unbalanced(view, filled):
            groups = (self._group_of(key, view) for key in attempt.group.instruments())
            attempt.group = next((group for group in groups if group is not None), attempt.group)
            if _is_balanced(attempt.group, view):
                attempt.unbalanced, attempt.completions = False, 0
                if filled is not None:  # nothing failed: what is left of it, or came since, need not wait
                    attempt.retry_at = view.now
                    yield from self._open(attempt.group, view)
            elif view.now >= attempt.retry_at or not isinstance(event, Tick):
                yield from self._rebalance(attempt, view)

    def _rebalance(self, attempt: SetAttempt, view: View) -> Iterator[Intent]:
        attempt.retry_at = view.now + self._params.cooldown
        may_buy = attempt.completions < self._params.completions_max
        keys = self._attempts.keys_of(attempt.group, view)
        orders = rebalancing_orders(attempt.group, view, self._params, self._known_held, keys=keys, may_buy=may_buy)
        attempt.completions += any(order.side == "buy" for order in orders)
        yield from self._intents(orders, "complete", attempt.orders)

    def _intents(self, orders: Iterable[PlannedOrder], signal: str, name: str, note: str = "") -> Iterator[Intent]:
        for order in orders:
            reason = signal if order.side == "buy" else "unwind"
            yield Intent(
                self.name, order.key, order.side, order.limit, order.size, "ioc", reason, group=name, note=note
            )
            note = ""


def _is_balanced(group: ClaimGroup, view: View) -> bool:
    """Return whether every claim is held alike, or cannot be made so: a market has ended."""
    markets = (view.market(key.venue, key.market_id) for key in group.instruments())
    if any(market is None or has_ended(market, view) for market in markets):
        return True
    nets = [net_held(claim, view) for claim in group.claims]
    lowest = min(nets) if group.exhaustive else min(*nets, 0)
    return max(nets) - lowest < LOT
