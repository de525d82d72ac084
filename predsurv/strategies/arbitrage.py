"""Cross-outcome arbitrage: buy a set of outcomes that must pay more than it costs.

Kept apart from sizing, which is arithmetic: here is when to look and what to do about half a basket.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, MarketChange, OrderCancelled, OrderRejected, Tick
from predsurv.core.ids import InstrumentKey, MarketId, StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Intent
from predsurv.state.view import View
from predsurv.strategies.attempts import BasketAttempt, BasketAttempts, improved
from predsurv.strategies.balance import even_out, is_even
from predsurv.strategies.baskets import Basket, baskets_of, best_sum, legs_of, narrowed
from predsurv.strategies.sizing import SizingLimits, fit


class ArbitrageParams(Struct, frozen=True, kw_only=True):
    """Money per set and in all in micros, times in ns.

    ``edge_max``: what looks better than this is more likely a sibling that we do not know of.
    ``completions_max``: tries to complete a basket before its excess is sold instead.
    """

    edge_min: Money = Money(5_000)
    edge_max: Money = Money(150_000)
    cost_max: Money = Money(200 * MICROS)
    cooldown: int = 2_000_000_000
    completions_max: int = 3


class Arbitrage:
    """Edge: a set of outcomes of which exactly one (or all but one) pays, on sale for less.

    ``outcomes``: every outcome of one market pays 1. ``yes_basket``: YES of every market of an
    exclusive and exhaustive event pays 1. ``no_basket``: NO of n markets of an exclusive event pays
    at least n − 1. Bought with one immediate order per leg, sized by the thinnest level.
    Exit: settlement. Risk: a leg fails (evened out at once: completed where that is worth more than
    selling the excess; less than a minimum order stays as it is), the market is voided, the venue's
    flags are wrong, capital is tied up until settlement.
    """

    name = StrategyName("arbitrage")
    signals = frozenset({"outcomes", "yes_basket", "no_basket", "complete", "unwind"})

    def __init__(self, params: ArbitrageParams | None = None) -> None:
        self._params = params or ArbitrageParams()
        self._attempts = BasketAttempts(self.name)
        self._known: dict[MarketId, tuple[Basket, ...]] = {}  # of the markets watched, until one changes

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        """Look for baskets when a best price improved; follow up half-filled ones at answers and ticks."""
        if isinstance(event, BookDelta | BookSnapshot):
            return self._look(event, view) if improved(event, view) else ()
        if isinstance(event, Fill | OrderCancelled | OrderRejected | Tick):
            return tuple(self._follow_up(event, view))
        if isinstance(event, MarketChange):
            self._known.clear()
        return ()

    def _look(self, event: BookDelta | BookSnapshot, view: View) -> Iterable[Intent]:
        for found in self._baskets(event.key, view):
            basket = narrowed(found, view)
            if basket is not None and self._worthwhile(basket, view):
                wishes = self._try(self._attempts.chosen(basket, view), view)
                if wishes:
                    return wishes
        return ()

    def _baskets(self, key: InstrumentKey, view: View) -> tuple[Basket, ...]:
        known = self._known.get(key.market_id)
        if known is None:
            market = view.market(key.venue, key.market_id)
            known = () if market is None else tuple(baskets_of(market, view))
            self._known[key.market_id] = known
            for basket in known:
                self._attempts.meet(basket, view)
        return known

    def _worthwhile(self, basket: Basket, view: View) -> bool:
        cost = best_sum(basket, view)
        return cost is not None and self._params.edge_min <= basket.payout - cost <= self._params.edge_max

    def _try(self, basket: Basket, view: View) -> tuple[Intent, ...]:
        params = self._params
        if self._attempts.blocked(basket, view):
            return ()
        legs = legs_of(basket, view, "ask")
        if legs is None or not self._worthwhile(basket, view):
            return ()
        spend = Money(min(params.cost_max, view.cash(basket.keys[0].venue)))
        offer = fit(legs, SizingLimits(basket.payout, params.edge_min, spend))
        if offer is None:
            return ()
        group = f"{basket.name}@{view.now}"
        self._attempts.remember(BasketAttempt(basket, group, view.now + params.cooldown))
        return tuple(
            Intent(self.name, leg.key, "buy", limit, offer.size, "ioc", basket.kind, group=group)
            for leg, limit in zip(legs, offer.limits, strict=True)
        )

    def _follow_up(self, event: Event, view: View) -> Iterator[Intent]:
        filled = event.key if isinstance(event, Fill) else None
        for tried in self._attempts.unsettled(view, filled):
            if is_even(tried.basket, view):
                tried.uneven, tried.completions = False, 0
            elif view.now >= tried.retry or not isinstance(event, Tick):
                yield from self._even_out(tried, view)

    def _even_out(self, tried: BasketAttempt, view: View) -> Iterator[Intent]:
        tried.retry = view.now + self._params.cooldown
        moves = even_out(tried.basket, view, may_complete=tried.completions < self._params.completions_max)
        tried.completions += any(move.signal == "complete" for move in moves)
        for move in moves:
            yield Intent(self.name, move.key, move.side, move.price, move.size, "ioc", move.signal, group=tried.group)
