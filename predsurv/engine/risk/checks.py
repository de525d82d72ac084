"""Pre-trade checks: each compares one intent with one limit; the first refusal wins."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from predsurv.core.events import NO_ORDERS
from predsurv.core.market import BINARY, Market, buys_enough, on_grid, size_allowed
from predsurv.core.num import Money, Price, format_micros, notional, notional_up
from predsurv.core.orders import RESTING, Intent, Order
from predsurv.engine.risk.reserves import max_cost
from predsurv.engine.risk.state import RiskState
from predsurv.state.book import BookView
from predsurv.state.features import mid

RefusalReason = Literal[
    "halted",
    "reducing",
    "unknown_market",
    "market_closed",
    "not_binary",
    "venue_paused",
    "unreconciled",
    "order_unknown",
    "netted",
    "expired",
    "off_grid",
    "below_minimum",
    "below_taker_minimum",
    "untrusted",
    "stale",
    "no_reference",
    "price_collar",
    "not_held",
    "max_order_notional",
    "max_position_notional",
    "max_total_exposure",
    "max_open_orders",
    "max_orders_per_minute",
    "max_daily_loss",
    "self_trade",
    "cash",
    "group",  # another leg of its group was refused
    "unknown_order",
]
"""Why an intent was refused: the closed label set of the refusal counters."""


class RiskLimits(Struct, frozen=True, kw_only=True):
    """Limits that hold for all strategies together; money and price distance in micros, age in ns."""

    max_order_notional: Money
    max_position_notional: Money
    max_total_exposure: Money
    max_open_orders: int
    max_orders_per_minute: int
    max_daily_loss: Money
    price_collar: Price
    max_data_age: int


class RiskRefusal(Struct, frozen=True):
    """Why a check refused an intent: ``reason`` for counters, ``detail`` for people."""

    reason: RefusalReason
    detail: str


class Proposal(NamedTuple):
    """An intent with what several checks ask of it: its market, its book while trusted, its worth at the limit."""

    intent: Intent
    market: Market | None
    book: BookView | None
    worth: Money


Check = Callable[[Proposal, RiskState, RiskLimits], RiskRefusal | None]


def proposal_of(intent: Intent, state: RiskState) -> Proposal:
    """Return what the checks are given of an intent."""
    key = intent.key
    return Proposal(intent, state.market(key), state.books.book(key), notional_up(intent.price, intent.size))


def first_refusal(intent: Intent, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    """Return the refusal of the first check that the intent fails, None when it passes all of them."""
    proposal = proposal_of(intent, state)
    for check in CHECKS:
        refusal = check(proposal, state, limits)
        if refusal is not None:
            return refusal
    return None


def _halted(_proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    if state.shutting_down:
        return RiskRefusal("halted", "the run is ending")
    return RiskRefusal("halted", "trading is halted; see 'predsurv resume'") if state.requested == "halted" else None


def _reducing(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell" or state.requested != "reducing":
        return None
    return RiskRefusal("reducing", "positions are only reduced now; see 'predsurv resume'")


def _valid(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent, market = proposal.intent, proposal.market
    if market is None:
        return RiskRefusal("unknown_market", "not in the universe; scan again")
    if market.status != "active":
        return RiskRefusal("market_closed", f"market is {market.status}")
    if not market.open_at(state.now):
        return RiskRefusal("market_closed", "its time of trading has ended")
    if market.market_type != BINARY:
        return RiskRefusal("not_binary", f"market is {market.market_type}: it is recorded and not traded")
    if not on_grid(market, intent.price):
        return RiskRefusal("off_grid", f"{format_micros(intent.price)} is no price step of this market")
    if not size_allowed(market, intent.price, intent.size, side=intent.side, rests=intent.tif in RESTING):
        return RiskRefusal(
            "below_minimum", f"{format_micros(intent.size)} < {format_micros(market.min_order_size)} shares"
        )
    return None


def _expiry(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if (intent.tif == "gtd") != (intent.expires is not None):
        return RiskRefusal("expired", "good till a time, and only that, needs the time")
    if intent.expires is not None and intent.expires <= state.now:
        return RiskRefusal("expired", "it would be over before it is sent")
    return None


def _phase(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    venue = proposal.intent.key.venue
    phase = state.phase(venue)
    if phase in NO_ORDERS:
        return RiskRefusal("venue_paused", f"{venue} accepts no orders now")
    if phase == "post_only" and _trades_on_arrival(proposal):
        return RiskRefusal("venue_paused", f"{venue} accepts only orders that rest now")
    return None


def _unreconciled(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    reason = state.execution.held.get(intent.key.venue)
    return None if reason is None else RiskRefusal("unreconciled", f"nothing is placed at {intent.key.venue}: {reason}")


def _order_unknown(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    for order in state.working(intent.side, intent.key):
        if isinstance(order, Order) and order.state == "unknown":
            return RiskRefusal("order_unknown", f"what became of order {order.client_order_id} is not known yet")
    return None


def _netted(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent, market = proposal.intent, proposal.market
    if market is None or intent.side == "sell" or not state.execution.is_netted(market, intent.key):
        return None
    return RiskRefusal("netted", f"{intent.key.venue} would take it for the sale of the other outcome; sell that")


def _fresh(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if proposal.book is None:
        return RiskRefusal("untrusted", "its book cannot be believed now")
    # A book without updates is not stale by itself: what counts is the venue's last message of any kind.
    # When the stream of a single instrument stalls, the feed marks it with a gap.
    age = state.now - state.last_recv.get(intent.key.venue, 0)
    if age > limits.max_data_age:
        return RiskRefusal("stale", f"nothing heard from {intent.key.venue} for {age // 1_000_000} ms")
    return None


def _collar(proposal: Proposal, _state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    intent, book = proposal.intent, proposal.book
    if book is None:
        return RiskRefusal("untrusted", "its book cannot be believed now")
    best = book.best_bid() or book.best_ask()
    if best is None:
        return RiskRefusal("no_reference", "its book is empty")
    middle = mid(book)
    reference = best[0] if middle is None else middle
    if intent.side == "sell":  # what is held has to find a way out where bids fell away
        reference = min(reference, best[0])
    # Only a price on the costly side of the reference is dangerous: a low bid or a high offer is not.
    excess = intent.price - reference if intent.side == "buy" else reference - intent.price
    if excess > limits.price_collar:
        where = "the middle at" if reference == middle else "the best price,"
        return RiskRefusal(
            "price_collar",
            f"{format_micros(intent.price)} is {format_micros(excess)} past {where} {format_micros(reference)}",
        )
    return None


def _taker_minimum(proposal: Proposal, _state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent, market = proposal.intent, proposal.market
    if market is None or intent.side == "sell" or intent.post_only:
        return None
    if buys_enough(market, intent.price, intent.size) or not _trades_on_arrival(proposal):
        return None
    value, minimum = (format_micros(each) for each in (notional(intent.price, intent.size), market.min_taker_buy))
    return RiskRefusal("below_taker_minimum", f"{value} USD < {minimum} USD for a buy that trades on arrival")


def _trades_on_arrival(proposal: Proposal) -> bool:
    intent, book = proposal.intent, proposal.book
    if intent.tif not in RESTING or book is None:
        return intent.tif not in RESTING
    best = book.best_ask() if intent.side == "buy" else book.best_bid()
    if best is None:
        return False
    return intent.price >= best[0] if intent.side == "buy" else intent.price <= best[0]


def _held(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if intent.side == "buy":
        return None
    free = state.sellable(intent.strategy, intent.key)
    if intent.size > free:
        return RiskRefusal("not_held", f"only {format_micros(free)} to sell; to be short buy the complement")
    return None


def _order_notional(proposal: Proposal, _state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell":
        return None  # nothing is sold that is not held: a sale only reduces the position
    return _above("max_order_notional", proposal.worth, limits.max_order_notional)


def _position_notional(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if intent.side == "sell":
        return None
    total = state.exposure(intent.key) + proposal.worth
    return _above("max_position_notional", total, limits.max_position_notional)


def _total_exposure(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell":
        return None
    total = state.exposure() + proposal.worth
    return _above("max_total_exposure", total, limits.max_total_exposure)


def _open_orders(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell":
        return None  # it counts, but a way out is never refused for the number of orders
    if state.open_order_count() >= limits.max_open_orders:
        return RiskRefusal("max_open_orders", f"{state.open_order_count()} orders are open")
    return None


def _rate(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell":
        return None
    if state.sent_last_minute() + len(state.staged) >= limits.max_orders_per_minute:
        return RiskRefusal("max_orders_per_minute", f"{limits.max_orders_per_minute} orders in the last minute")
    return None


def _daily_loss(proposal: Proposal, state: RiskState, limits: RiskLimits) -> RiskRefusal | None:
    if proposal.intent.side == "sell":
        return None  # a sale only reduces the position
    if state.lost_too_much:
        return RiskRefusal("max_daily_loss", "the day's limit was reached; only sales until tomorrow (UTC)")
    highest = Money(limits.max_daily_loss - 1)
    if state.valuation.day_loss_max() <= highest:
        return None
    return _above("max_daily_loss", state.valuation.day_loss(), highest)


def _self_trade(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if state.self_trades.among(state.staged, intent):
        return RiskRefusal("self_trade", "it would trade with an order that is sent with it")
    opposed = state.self_trades.resting(intent) if intent.side == "buy" else ()
    if not opposed:
        return None
    return RiskRefusal("self_trade", f"it would trade with order {opposed[0].client_order_id} of this account")


def _cash(proposal: Proposal, state: RiskState, _limits: RiskLimits) -> RiskRefusal | None:
    intent = proposal.intent
    if intent.side == "sell":
        return None
    cost, free = max_cost(intent, proposal.market), state.free_cash(intent.key.venue)
    if cost > free:
        return RiskRefusal("cash", f"needs {format_micros(cost)} USD with fees, {format_micros(free)} is free")
    return None


def _above(reason: RefusalReason, value: int, limit: Money) -> RiskRefusal | None:
    if value <= limit:
        return None
    return RiskRefusal(reason, f"{format_micros(value)} USD is above {format_micros(limit)}")


CHECKS: Final[tuple[Check, ...]] = (
    _halted,
    _reducing,
    _valid,
    _expiry,
    _unreconciled,
    _order_unknown,
    _netted,
    _phase,
    _fresh,
    _collar,
    _taker_minimum,
    _held,
    _order_notional,
    _position_notional,
    _total_exposure,
    _open_orders,
    _rate,
    _daily_loss,
    _self_trade,
    _cash,
)
