"""The checks that stand between a wish and an order.

Kept apart as a tuple of small pure functions, first refusal wins, so that each limit can be read,
tested and counted by itself.
"""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.market import buys_enough, on_grid
from predsurv.core.num import Money, Price, format_micros, notional, notional_up
from predsurv.core.orders import Intent
from predsurv.engine.risk.state import RiskState
from predsurv.state.features import mid

RefusalReason = Literal[
    "halted",
    "unknown_market",
    "market_closed",
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
    "cash",
    "group",  # another leg of its group was refused
    "unknown_order",
]
"""Why an intent was refused: the closed label set of the refusal counters."""


class RiskLimits(Struct, frozen=True, kw_only=True):
    """What no strategy can exceed; money and price distance in micros, age in ns."""

    max_order_notional: Money
    max_position_notional: Money
    max_total_exposure: Money
    max_open_orders: int
    max_orders_per_minute: int
    max_daily_loss: Money
    price_collar: Price
    max_data_age: int


class Verdict(Struct, frozen=True):
    """A refusal: its reason for counters, its detail for people."""

    reason: RefusalReason
    detail: str


Check = Callable[[Intent, RiskState, RiskLimits], Verdict | None]


def check(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    """Return the first refusal, or None when every check lets the intent through."""
    for rule in CHECKS:
        verdict = rule(intent, desk, limits)
        if verdict is not None:
            return verdict
    return None


def _halted(_intent: Intent, desk: RiskState, _limits: RiskLimits) -> Verdict | None:
    if desk.retired:
        return Verdict("halted", "the run is ending")
    return Verdict("halted", "trading is halted; see 'predsurv resume'") if desk.halted else None


def _form(intent: Intent, desk: RiskState, _limits: RiskLimits) -> Verdict | None:
    market = desk.market(intent.key)
    if market is None:
        return Verdict("unknown_market", "not in the universe; scan again")
    if market.status != "active":
        return Verdict("market_closed", f"market is {market.status}")
    if not on_grid(market, intent.price):
        return Verdict("off_grid", f"{format_micros(intent.price)} is no price step of this market")
    if intent.size < max(market.min_order_size, 1):
        return Verdict("below_minimum", f"{format_micros(intent.size)} < {format_micros(market.min_order_size)} shares")
    return None


def _fresh(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if desk.book(intent.key) is None:
        return Verdict("untrusted", "its book cannot be believed now")
    # A quiet book is not an old one: what counts is when its venue last said anything at all; an
    # instrument that fell silent alone has been marked by its feed with a gap.
    age = desk.now - desk.seen.get(intent.key.venue, 0)
    if age > limits.max_data_age:
        return Verdict("stale", f"nothing heard from {intent.key.venue} for {age // 1_000_000} ms")
    return None


def _collar(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    book = desk.book(intent.key)
    if book is None:
        return Verdict("untrusted", "its book cannot be believed now")
    reference = mid(book)
    if reference is None:
        only = book.best_bid() or book.best_ask()
        if only is None:
            return Verdict("no_reference", "its book is empty")
        reference = only[0]
    # A bid far below or an offer far above the middle harms nobody: only paying too much does.
    beyond = intent.price - reference if intent.side == "buy" else reference - intent.price
    if beyond > limits.price_collar:
        return Verdict(
            "price_collar",
            f"{format_micros(intent.price)} is {format_micros(beyond)} past the middle at {format_micros(reference)}",
        )
    return None


def _taker_minimum(intent: Intent, desk: RiskState, _limits: RiskLimits) -> Verdict | None:
    market = desk.market(intent.key)
    if market is None or intent.side == "sell" or intent.post_only:
        return None
    if buys_enough(market, intent.price, intent.size) or not _takes(intent, desk):
        return None
    worth, least = (format_micros(each) for each in (notional(intent.price, intent.size), market.min_taker_buy))
    return Verdict("below_taker_minimum", f"{worth} USD < {least} USD for a buy that trades on arrival")


def _takes(intent: Intent, desk: RiskState) -> bool:
    book = desk.book(intent.key)
    best = None if book is None else book.best_ask()
    return intent.tif != "gtc" or (best is not None and intent.price >= best[0])


def _held(intent: Intent, desk: RiskState, _limits: RiskLimits) -> Verdict | None:
    if intent.side == "buy":
        return None
    free = desk.free(intent.strategy, intent.key)
    if intent.size > free:
        return Verdict("not_held", f"only {format_micros(free)} to sell; to be short buy the complement")
    return None


def _order_notional(intent: Intent, _desk: RiskState, limits: RiskLimits) -> Verdict | None:
    worth = notional_up(intent.price, intent.size)
    return _above("max_order_notional", worth, limits.max_order_notional)


def _position_notional(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if intent.side == "sell":
        return None
    held = desk.exposure(intent.key)
    return _above("max_position_notional", held + notional_up(intent.price, intent.size), limits.max_position_notional)


def _total_exposure(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if intent.side == "sell":
        return None
    total = desk.exposure() + notional_up(intent.price, intent.size)
    return _above("max_total_exposure", total, limits.max_total_exposure)


def _open_orders(_intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if desk.open_count() >= limits.max_open_orders:
        return Verdict("max_open_orders", f"{desk.open_count()} orders are open")
    return None


def _rate(_intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if desk.sent_last_minute() + len(desk.planned) >= limits.max_orders_per_minute:
        return Verdict("max_orders_per_minute", f"{limits.max_orders_per_minute} orders in the last minute")
    return None


def _daily_loss(intent: Intent, desk: RiskState, limits: RiskLimits) -> Verdict | None:
    if intent.side == "sell":
        return None  # selling what is held only makes the position smaller
    return _above("max_daily_loss", desk.worth.day_loss(), Money(limits.max_daily_loss - 1))


def _cash(intent: Intent, desk: RiskState, _limits: RiskLimits) -> Verdict | None:
    if intent.side == "sell":
        return None
    cost, free = desk.worst_cost(intent), desk.cash(intent.key.venue)
    if cost > free:
        return Verdict("cash", f"needs {format_micros(cost)} USD with fees, {format_micros(free)} is free")
    return None


def _above(reason: RefusalReason, value: int, limit: Money) -> Verdict | None:
    if value <= limit:
        return None
    return Verdict(reason, f"{format_micros(value)} USD is above {format_micros(limit)}")


CHECKS: Final[tuple[Check, ...]] = (
    _halted,
    _form,
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
    _cash,
)
