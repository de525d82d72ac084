"""Trades in a group of claims: the best that books, money and the venues' minimums allow, proved by a certificate."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import NO_FEE, settles_later
from predsurv.core.num import MICROS, Size, notional, notional_up
from predsurv.state.view import View
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.certificate import Certificate, certify, trade_cost
from predsurv.strategies.claim_tiers import LEVELS, LOT, ClaimTiers, KnownTiers, allowed, claim_tiers, may_be_allowed
from predsurv.strategies.claims import ClaimGroup, held, net_held
from predsurv.strategies.set_plan import PlannedOrder, SetSearch, best_level, capped, orders_at, without

RESERVE: Final = 10_000
"""Micros that risk sets aside for each buy beside its cost at the limit: every fill is rounded up."""

_HALVINGS: Final = 6


class SetTrade(Struct, frozen=True):
    """Orders of one group with their proof."""

    orders: tuple[PlannedOrder, ...]
    certificate: Certificate


def opening_trade(
    group: ClaimGroup, view: View, params: ArbitrageParams, known: KnownTiers | None = None
) -> SetTrade | None:
    """Return the trade of the greatest sure gain that ``params`` accept, None when there is none.

    Where the whole of it is not accepted, smaller ones are tried: with less money than it needs the largest that can
    be paid; fewer of the dearer levels; and of many legs of no the two cheapest, which lose least in a void.
    """
    for search in _searches(group, view, params, known or KnownTiers()):
        trade = _within_means(group, view, params, search)
        for _ in range(_HALVINGS):
            if trade is None or accepted(trade, view, params):
                break
            trade = best_trade(group, view, capped(search, largest(trade.orders) // 2 // LOT * LOT))
        if trade is not None and accepted(trade, view, params):
            return trade
    return None


def rebalancing_orders(
    group: ClaimGroup,
    view: View,
    params: ArbitrageParams,
    known: KnownTiers | None = None,
    *,
    keys: AbstractSet[InstrumentKey],
    may_buy: bool,
) -> tuple[PlannedOrder, ...]:
    """Return the orders that make the most of what is held: complete sets, or sell what is in none; often none.

    Only instruments of ``keys``, those that the sets were bought with, are traded: another leg is another trade.
    Compared is what surely is paid for what is held and what the books offer now, not what it cost.
    """
    if not any(held(key, view) for key in group.instruments()):
        return ()  # no set to complete, nothing to sell, and no pair of yes and no earns a dollar
    if _is_too_small(group, view):
        return ()
    terms = replace(params.terms(may_buy=may_buy), annual_return=0)
    claims = tuple(claim_tiers(claim, view, terms, known) for claim in group.claims)
    search = without(SetSearch(claims, group.exhaustive), frozenset(group.instruments()) - keys)
    trade = best_trade(group, view, search, completing=True)
    return () if trade is None or trade.certificate.gain <= 0 else trade.orders


def _is_too_small(group: ClaimGroup, view: View) -> bool:
    """Return whether venues take no order that completes sets or sells what is in none, whatever the books offer.

    Such an order is for the difference between a claim and the one held most, or least, at most. What partial fills
    leave is often less than the smallest order, and is looked at again and again until the markets settle.
    """
    nets = [net_held(claim, view) for claim in group.claims]
    level, highest = (each if group.exhaustive else min(each, 0) for each in (min(nets), max(nets)))
    for claim, net in zip(group.claims, nets, strict=True):
        size = Size(max(-(-(highest - net) // LOT) * LOT, net - level))
        markets = (view.market(source.yes.venue, source.yes.market_id) for source in claim.sources)
        if any(market is not None and may_be_allowed(market, size) for market in markets):
            return False
    return True


def accepted(trade: SetTrade, view: View, params: ArbitrageParams) -> bool:
    """Return whether the gain is enough for what it risks and how long it lasts, and small enough to be believed."""
    proof = trade.certificate
    sets = largest(trade.orders)
    charged = -(-params.void_rate * max(-(proof.void_worst or 0), 0) // MICROS)
    charged += _capital_cost(trade.orders, view, params) + _revert_charge(trade.orders, view, params)
    void_loss = -(proof.whole_void or 0)
    if (proof.void_worst or 0) < 0 < void_loss and proof.whole_gain * MICROS < params.void_cover * void_loss:
        return False
    return params.edge_min * sets <= (proof.gain - charged) * MICROS and proof.gain * MICROS <= params.edge_max * sets


def affordable(orders: Sequence[PlannedOrder], view: View, cost_max: int) -> bool:
    """Return whether ``orders`` cost at most ``cost_max``, are within the limits, and what risk reserves is there."""
    reserves: dict[VenueName, int] = {}
    for order in _buys(orders):
        market = view.market(order.key.venue, order.key.market_id)
        fee = taker_fee(NO_FEE if market is None else market.fee, order.limit, order.size)
        reserve = notional_up(order.limit, order.size) + fee + RESERVE
        reserves[order.key.venue] = reserves.get(order.key.venue, 0) + reserve
    worth = [(order.key, notional_up(order.limit, order.size)) for order in _buys(orders)]
    if any(each > view.buying_room(key) for key, each in worth) or sum(each for _, each in worth) > view.buying_room():
        return False
    spent, _ = trade_cost(tuple(_buys(orders)), view)
    return spent <= cost_max and all(reserve <= view.cash(venue) for venue, reserve in reserves.items())


def _searches(group: ClaimGroup, view: View, params: ArbitrageParams, known: KnownTiers) -> Iterator[SetSearch]:
    terms = params.terms()
    claims = tuple(claim_tiers(claim, view, terms, known) for claim in group.claims)
    edge = params.edge_min
    yield SetSearch(claims, group.exhaustive, edge, edge)
    if len(claims) > 2:
        chosen = sorted(range(len(claims)), key=lambda index: -_first_sale(claims[index]))[:2]
        two = tuple(each if at in chosen else ClaimTiers(each.net, (), ()) for at, each in enumerate(claims))
        yield SetSearch(two, group.exhaustive, edge, edge)


def _first_sale(claim: ClaimTiers) -> int:
    return claim.sells[0].value if claim.sells else 0


def _within_means(group: ClaimGroup, view: View, params: ArbitrageParams, search: SetSearch) -> SetTrade | None:
    """Return the best trade that can be paid: all of it, or cut to the most shares that money is there for."""
    orders = _best_orders(view, search)
    if not orders or affordable(orders, view, params.cost_max):
        return _proved(group, view, orders)
    low, high, best = 0, largest(orders) // LOT, None
    while high - low > 1:
        middle = (low + high) // 2
        orders = _best_orders(view, capped(search, middle * LOT))
        if not orders or affordable(orders, view, params.cost_max):
            low, best = middle, orders or best
        else:
            high = middle
    return _proved(group, view, best)


def best_trade(group: ClaimGroup, view: View, search: SetSearch, *, completing: bool = False) -> SetTrade | None:
    """Return the trade at the best level, without what the venues' minimums forbid; None when there is nothing to do.

    ``completing``: between what is held of every claim and of any; no further sets.
    """
    return _proved(group, view, _best_orders(view, search, completing=completing))


def _proved(group: ClaimGroup, view: View, orders: tuple[PlannedOrder, ...] | None) -> SetTrade | None:
    return SetTrade(orders, certify(group, orders, view)) if orders else None


def _best_orders(view: View, search: SetSearch, *, completing: bool = False) -> tuple[PlannedOrder, ...] | None:
    while True:
        level = best_level(search)
        if completing:
            level = min(max(level, search.level), search.highest)
        orders = orders_at(search, level)
        if not orders:
            return None
        small = frozenset(order.key for order in orders if not _allowed(order, view))
        if not small:
            return orders
        search = without(search, small)


def _allowed(order: PlannedOrder, view: View) -> bool:
    market = view.market(order.key.venue, order.key.market_id)
    return market is not None and allowed(market, order.side, order.limit, order.size)


def _buys(orders: Sequence[PlannedOrder]) -> Iterator[PlannedOrder]:
    return (order for order in orders if order.side == "buy")


def largest(orders: Sequence[PlannedOrder]) -> int:
    """Return the size of the largest of ``orders``: how many sets they are, in micros."""
    return max(order.size for order in orders)


def _capital_cost(orders: Sequence[PlannedOrder], view: View, params: ArbitrageParams) -> int:
    """Return what the money spent has to earn until its markets close, in micros."""
    terms, total = params.terms(), 0
    for order in _buys(orders):
        market = view.market(order.key.venue, order.key.market_id)
        if market is not None:
            spent, _ = trade_cost((order,), view)
            total += -(-spent * terms.capital_cost(market, view.now) // MICROS)
    return total


def _revert_charge(orders: Sequence[PlannedOrder], view: View, params: ArbitrageParams) -> int:
    """Return what reverted legs cost on average: for each that may be, the loss of selling everything at once."""
    legs = sum(settles_later(order.key.venue) for order in orders)
    if not legs:
        return 0
    spent, _ = trade_cost(tuple(_buys(orders)), view)
    loss = max(spent - sum(_resale(order, view) for order in _buys(orders)), 0)
    return -(-loss * legs * params.revert_rate // MICROS)


def _resale(order: PlannedOrder, view: View) -> int:
    """Return what the shares of a buy would bring now, after fees."""
    market, book = view.market(order.key.venue, order.key.market_id), view.book(order.key)
    if market is None or book is None:
        return 0
    proceeds, left = 0, int(order.size)
    for price, size in book.bids.top(LEVELS):
        sold = Size(min(size, left))
        if sold:
            proceeds += notional(price, sold) - taker_fee(market.fee, price, sold, "sell")
            left -= sold
    return proceeds
