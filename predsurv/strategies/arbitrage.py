"""Cross-outcome arbitrage: buy a basket of outcomes that must pay more than it costs."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from predsurv.core.durations import Duration
from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, MarketChange, OrderCancelled, OrderRejected, Tick
from predsurv.core.ids import InstrumentKey, MarketId, StrategyName
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import Intent
from predsurv.engine.interest import EventFilter, Interest
from predsurv.state.view import View
from predsurv.strategies.attempts import BasketAttempt, BasketAttempts, improves_best
from predsurv.strategies.baskets import Basket, baskets_of, best_cost, legs_of, without_costly_legs
from predsurv.strategies.rebalance import is_balanced, rebalancing_orders
from predsurv.strategies.sizing import SizingConstraints, size_basket


class ArbitrageParams(Struct, frozen=True, kw_only=True):
    """Money in micros, times in ns."""

    edge_min: Annotated[Money, Meta(ge=0, description="Least profit per set after fees.")] = Money(5_000)
    edge_max: Annotated[
        Money, Meta(ge=0, description="Most profit per set; more is likely a market that our universe lacks.")
    ] = Money(150_000)
    cost_max: Annotated[Money, Meta(ge=1, description="Most money for one basket.")] = Money(200 * MICROS)
    cooldown: Annotated[Duration, Meta(ge=0, description="Pause between two orders for one basket.")] = Duration(
        2_000_000_000
    )
    completions_max: Annotated[
        int, Meta(ge=0, description="Attempts to complete a basket before its excess is sold instead.")
    ] = 3


class Arbitrage:
    """Edge: a set of outcomes of which exactly one (or all but one) pays, on sale for less.

    ``outcomes``: every outcome of one market pays 1. ``yes_basket``: YES of every market of an
    exclusive and exhaustive event pays 1. ``no_basket``: NO of n markets of an exclusive event pays
    at least n − 1. Bought with one immediate order per leg, sized by the thinnest level.
    Exit: settlement. Risk: a leg fails (rebalanced at once: completed where that is worth more than
    selling the excess; less than a minimum order stays as it is), the market is voided, the venue's
    flags are wrong, capital is tied up until settlement.
    """

    Params = ArbitrageParams
    name = StrategyName("arbitrage")
    signals = frozenset({"outcomes", "yes_basket", "no_basket", "complete", "unwind"})

    def __init__(self, params: ArbitrageParams | None = None) -> None:
        self._params = params or ArbitrageParams()
        # No basket has an edge unless the best prices of its event sum up to it; an ask of NO is 1 − the bid of YES.
        edge = EventFilter(
            ask_sum_max=Price(MICROS - self._params.edge_min), bid_sum_min=Price(MICROS + self._params.edge_min)
        )
        self.interest = Interest(books="best", where_event=edge, filter_engaged=True, trades=False)
        self._attempts = BasketAttempts(self.name)
        self._baskets: dict[MarketId, tuple[Basket, ...]] = {}  # by watched market, until any market changes

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        """Search for baskets when a best price improves; rebalance half-filled ones at account events and ticks."""
        if isinstance(event, BookDelta | BookSnapshot):
            return self._search(event, view) if improves_best(event, view) else ()
        if isinstance(event, Tick):
            self._adopt_held(view)
        if isinstance(event, Fill | OrderCancelled | OrderRejected | Tick):
            return tuple(self._follow_up(event, view))
        if isinstance(event, MarketChange):
            self._baskets.clear()
        return ()

    def _search(self, event: BookDelta | BookSnapshot, view: View) -> Iterable[Intent]:
        for candidate in self._baskets_of(event.key, view):
            basket = without_costly_legs(candidate, view)
            if basket is not None and self._has_edge(basket, view):
                intents = self._buy(self._attempts.as_begun(basket, view), view)
                if intents:
                    return intents
        return ()

    def _baskets_of(self, key: InstrumentKey, view: View) -> tuple[Basket, ...]:
        baskets = self._baskets.get(key.market_id)
        if baskets is None:
            market = view.market(key.venue, key.market_id)
            baskets = () if market is None else tuple(baskets_of(market, view))
            self._baskets[key.market_id] = baskets
        return baskets

    def _adopt_held(self, view: View) -> None:
        """Take up baskets that were bought before a restart."""
        for position in view.positions():
            for basket in self._baskets_of(position.key, view):
                self._attempts.adopt_held(basket, view)

    def _has_edge(self, basket: Basket, view: View) -> bool:
        cost = best_cost(basket, view)
        return cost is not None and self._params.edge_min <= basket.payout - cost <= self._params.edge_max

    def _buy(self, basket: Basket, view: View) -> tuple[Intent, ...]:
        params = self._params
        self._adopt_held(view)
        if self._attempts.blocked(basket, view):
            return ()
        legs = legs_of(basket, view, "ask")
        if legs is None or not self._has_edge(basket, view):
            return ()
        cost_max = Money(min(params.cost_max, view.cash(basket.keys[0].venue)))
        order = size_basket(legs, SizingConstraints(basket.payout, params.edge_min, cost_max))
        if order is None:
            return ()
        group = f"{basket.name}@{view.now}"
        self._attempts.add(BasketAttempt(basket, group, view.now + params.cooldown))
        return tuple(
            Intent(self.name, leg.key, "buy", limit, order.size, "ioc", basket.kind, group=group)
            for leg, limit in zip(legs, order.limits, strict=True)
        )

    def _follow_up(self, event: Event, view: View) -> Iterator[Intent]:
        filled = event.key if isinstance(event, Fill) else None
        for attempt in self._attempts.unbalanced(view, filled):
            if is_balanced(attempt.basket, view):
                attempt.unbalanced, attempt.completions = False, 0
            elif view.now >= attempt.retry_at or not isinstance(event, Tick):
                yield from self._rebalance(attempt, view)

    def _rebalance(self, attempt: BasketAttempt, view: View) -> Iterator[Intent]:
        attempt.retry_at = view.now + self._params.cooldown
        may_complete = attempt.completions < self._params.completions_max
        orders = rebalancing_orders(attempt.basket, view, may_complete=may_complete)
        attempt.completions += any(order.signal == "complete" for order in orders)
        for order in orders:
            yield Intent(
                self.name, order.key, order.side, order.price, order.size, "ioc", order.signal, group=attempt.group
            )
