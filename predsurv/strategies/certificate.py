"""What a trade in a group of claims pays in every state, void included: exact, and computed apart from the search.

The search works with values per share, this with shares and payouts of instruments: no trade is made against it.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Money, Price, format_dollars, format_micros, notional, notional_up
from predsurv.core.text import sanitise_middle
from predsurv.state.view import View
from predsurv.strategies.claims import ClaimGroup, held
from predsurv.strategies.set_plan import PlannedOrder

_PRICED_VOIDS = frozenset({VenueName("kalshi")})
"""Venues that settle a void market at a price of their choosing instead of halves."""

_NOTE_STATES_MAX = 12
_NAME_MAX = 40

Shares = Mapping[InstrumentKey, int]
"""Micros of a share by instrument."""


class StateResult(Struct, frozen=True):
    """The change of the payout in one state less the ``cost`` of the trade (micros)."""

    name: str
    result: Money


class Certificate(Struct, frozen=True):
    """A trade's result in every state; money in micros.

    ``cost``: paid less received, fees included. ``gain``: by how much the least payout over the ``states`` rises above
    the cost. ``void_all``: the result if everything is void that can be, at the worst of what is not. ``void_worst``:
    by how much the least payout rises above the cost where besides the state any of the markets may be void, none and
    all included. ``whole_gain``, ``whole_void``: the least payout, and that with voids, of all that is held after the
    trade, less what that cost. Voids are None where nothing can be void: in a neg-risk event of Polymarket, whose
    contract refuses any answer but yes and no. ``until``: when all markets have closed (ns UTC), None where nobody
    stated it.
    """

    cost: Money
    fees: Money
    gain: Money
    states: tuple[StateResult, ...]
    void_all: Money | None
    void_worst: Money | None
    whole_gain: Money
    whole_void: Money | None
    until: int | None

    def annual_return(self, now: int) -> int | None:
        """Return the gain a year on the cost, in millionths; None where money is received, or no end is known."""
        if self.until is None or self.until <= now or self.cost <= 0:
            return None
        return self.gain * MICROS * 365 * 86_400 * 1_000_000_000 // (self.cost * (self.until - now))

    def text(self, now: int) -> str:
        """Return it in one line for people: what it costs and what that pays, whichever outcome wins, and if void."""
        annual = self.annual_return(now)
        a_year = "" if annual is None else f", {format_micros(annual * 100 // 10_000 * 10_000)} % a year"
        paid = "costs" if self.cost >= 0 else "brings"
        with_held = "" if self.gain == min(each.result for each in self.states) else " with what is held"
        return (
            f"{paid} {format_dollars(abs(self.cost))} with fees of {format_dollars(self.fees)}; {self._by_outcome()}: "
            f"sure gain{with_held} {format_dollars(self.gain)}{a_year}; {self._if_void()}"
        )

    def _by_outcome(self) -> str:
        """Return what is paid in each state: once where it is the same in all."""
        names: dict[int, list[str]] = {}
        for each in self.states[:_NOTE_STATES_MAX]:
            names.setdefault(each.result + self.cost, []).append(each.name)
        rest = [each.result + self.cost for each in self.states[_NOTE_STATES_MAX:]]
        if len({each.result for each in self.states}) == 1:
            ((paid, alike),) = names.items()
            more = [f"{len(rest)} more"] if rest else []
            return f"pays {format_dollars(paid)} whichever outcome ({', '.join([*alike, *more])})"
        amounts = [f"{format_dollars(paid)} if {' or '.join(each)}" for paid, each in names.items()]
        least = [f"{format_dollars(min(rest))} or more if any of {len(rest)} more"] if rest else []
        return f"pays {', '.join([*amounts, *least])}"

    def _if_void(self) -> str:
        if self.void_all is None or self.void_worst is None:
            return "none of it can be void"
        everything, worst = (
            f"{format_dollars(result + self.cost)} ({format_dollars(result)})"
            for result in (self.void_all, self.void_worst)
        )
        return f"if all is void {everything}, if only some is, at worst {worst}"


def certify(group: ClaimGroup, orders: Sequence[PlannedOrder], view: View) -> Certificate:
    """Return what ``orders`` change, given what is held, if they fill as planned."""
    before = {key: size for key in group.instruments() if (size := held(key, view))}
    after = after_orders(before, orders)
    cost, fees = trade_cost(orders, view)
    states = tuple(_states(group))
    least_before, least_after = (min(payout(group, shares, each) for each in states) for shares in (before, after))
    worst_before, worst_after = (worst_payout(group, shares, view) for shares in (before, after))
    change = {key: after.get(key, 0) - before.get(key, 0) for key in {**before, **after}}
    voidable = _void_prices(change, view)
    invested = cost + sum(position.cost for key in group.instruments() if (position := view.position(key)) is not None)
    markets = {(key.venue, key.market_id): view.market(key.venue, key.market_id) for key in after}
    return Certificate(
        cost=cost,
        fees=fees,
        gain=Money(least_after - least_before - cost),
        states=tuple(
            StateResult(_name(group, state, view), Money(payout(group, change, state) - cost)) for state in states
        ),
        void_all=_void_all(group, change, view, cost),
        void_worst=Money(worst_after - worst_before - cost) if voidable else None,
        whole_gain=Money(least_after - invested),
        whole_void=Money(worst_after - invested) if _void_prices(after, view) else None,
        until=_until([market for market in markets.values() if market is not None]),
    )


def after_orders(before: Shares, orders: Sequence[PlannedOrder]) -> dict[InstrumentKey, int]:
    """Return the shares held once ``orders`` have filled as planned."""
    after = dict(before)
    for order in orders:
        after[order.key] = after.get(order.key, 0) + (order.size if order.side == "buy" else -order.size)
    return after


def trade_cost(orders: Sequence[PlannedOrder], view: View) -> tuple[Money, Money]:
    """Return (what ``orders`` cost less what they bring, fees included; the fees), each level rounded against us."""
    cost = fees = 0
    for order in orders:
        market = view.market(order.key.venue, order.key.market_id)
        schedule = NO_FEE if market is None else market.fee
        for price, size in order.takes:
            fee = taker_fee(schedule, price, size, order.side)
            fees += fee
            cost += fee + (notional_up(price, size) if order.side == "buy" else -notional(price, size))
    return Money(cost), Money(fees)


def payout(group: ClaimGroup, shares: Shares, winner: int | None) -> int:
    """Return what ``shares`` pay when claim number ``winner`` comes true and no other, None for none at all; micros."""
    total = 0
    for index, claim in enumerate(group.claims):
        for source in claim.sources:
            key = source.yes if index == winner else source.no
            if key is not None:
                total += shares.get(key, 0)
    return total


def worst_payout(group: ClaimGroup, shares: Shares, view: View) -> int:
    """Return the least that ``shares`` pay in any state with any of their markets void, none and all included; micros.

    Whatever comes true, a market is void or not whatever the others are: each pays the less of the two.
    """
    voids: dict[tuple[VenueName, MarketId], int] = {}
    for key, price in _void_prices(shares, view).items():
        name = (key.venue, key.market_id)
        voids[name] = voids.get(name, 0) + shares[key] * price // MICROS
    return min(
        sum(min(paid, voids.get(name, paid)) for name, paid in _paid_by_market(group, shares, state).items())
        for state in _states(group)
    )


def void_price(market: Market, key: InstrumentKey, view: View) -> Price | None:
    """Return what a share pays in a void market, None where it cannot be void.

    Halves, or a price where the venue pays by one. That price is not known before: what buyers bid now is taken for it.
    """
    if market.neg_risk:
        return None
    if market.venue not in _PRICED_VOIDS:
        return Price(MICROS // max(len(market.outcomes), 1))
    first = market.key(0)
    book = view.book(first)
    best = None if book is None else book.best_bid()
    price = Price(0) if best is None else best[0]
    return price if key == first else Price(MICROS - price)


def _states(group: ClaimGroup) -> Iterator[int | None]:
    yield from range(len(group.claims))
    if not group.exhaustive:
        yield None


def _paid_by_market(group: ClaimGroup, shares: Shares, winner: int | None) -> dict[tuple[VenueName, MarketId], int]:
    paid: dict[tuple[VenueName, MarketId], int] = {}
    for index, claim in enumerate(group.claims):
        for source in claim.sources:
            name, key = (source.yes.venue, source.yes.market_id), source.yes if index == winner else source.no
            paid[name] = paid.get(name, 0) + (0 if key is None else shares.get(key, 0))
    return paid


def _void_all(group: ClaimGroup, change: Shares, view: View, cost: Money) -> Money | None:
    prices = _void_prices(change, view)
    if not prices:
        return None
    voided = sum(change[key] * price // MICROS for key, price in prices.items())
    rest = {key: size for key, size in change.items() if key not in prices}
    return Money(voided + min(payout(group, rest, state) for state in _states(group)) - cost)


def _void_prices(change: Shares, view: View) -> dict[InstrumentKey, Price]:
    prices: dict[InstrumentKey, Price] = {}
    for key, size in change.items():
        market = view.market(key.venue, key.market_id)
        price = None if market is None or not size else void_price(market, key, view)
        if price is not None:
            prices[key] = price
    return prices


def _name(group: ClaimGroup, state: int | None, view: View) -> str:
    if state is None:
        return "none of them"
    key = group.claims[state].sources[0].yes
    market = view.market(key.venue, key.market_id)
    if market is None:
        return str(state)
    labels = {outcome.instrument_id: outcome.label for outcome in market.outcomes}
    name = market.question if len(group.claims) > 1 and len(market.outcomes) == 2 else labels[key.instrument_id]
    return sanitise_middle(name, _NAME_MAX)


def _until(markets: Sequence[Market]) -> int | None:
    times = [market.close_time for market in markets if market.close_time is not None]
    return max(times) if markets and len(times) == len(markets) else None
