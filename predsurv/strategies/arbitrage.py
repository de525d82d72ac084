"""Cross-outcome arbitrage: buy a set of outcomes that must pay more than it costs.

Kept apart from sizing, which is arithmetic: here is when to look and what to do about half a basket.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, OrderCancelled, OrderRejected, Tick
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Intent
from predsurv.state.view import View
from predsurv.strategies.attempts import Attempt, Attempts, improved
from predsurv.strategies.balance import even_out, is_even
from predsurv.strategies.baskets import Basket, baskets_of, legs_of
from predsurv.strategies.sizing import Wanted, fit


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
        self._attempts = Attempts(self.name)

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        """Look for baskets when a best price improved; follow up half-filled ones at answers and ticks."""
        if isinstance(event, BookDelta | BookSnapshot):
            return self._look(event, view) if improved(event, view) else ()
        if isinstance(event, Fill | OrderCancelled | OrderRejected | Tick):
            return tuple(self._follow_up(event, view))
        return ()

    def _look(self, event: BookDelta | BookSnapshot, view: View) -> Iterable[Intent]:
        market = view.market(event.key.venue, event.key.market_id)
        if market is not None:
            for found in baskets_of(market, view):
                wishes = self._try(found, view)
                if wishes:
                    return wishes
        return ()

    def _try(self, found: Basket, view: View) -> tuple[Intent, ...]:
        basket = self._attempts.chosen(found, view)
        legs = None if basket is None else legs_of(basket, view, "ask")
        if basket is None or legs is None or not all(leg.levels for leg in legs):
            return ()
        params = self._params
        rough = basket.payout - sum(leg.levels[0][0] for leg in legs)
        if not params.edge_min <= rough <= params.edge_max or self._attempts.blocked(basket, view):
            return ()
        spend = Money(min(params.cost_max, view.cash(basket.keys[0].venue)))
        offer = fit(legs, Wanted(basket.payout, params.edge_min, spend))
        if offer is None:
            return ()
        group = f"{basket.name}@{view.now}"
        self._attempts.remember(Attempt(basket, group, view.now + params.cooldown))
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

    def _even_out(self, tried: Attempt, view: View) -> Iterator[Intent]:
        tried.retry = view.now + self._params.cooldown
        moves = even_out(tried.basket, view, may_complete=tried.completions < self._params.completions_max)
        tried.completions += any(move.signal == "complete" for move in moves)
        for move in moves:
            yield Intent(self.name, move.key, move.side, move.price, move.size, "ioc", move.signal, group=tried.group)
