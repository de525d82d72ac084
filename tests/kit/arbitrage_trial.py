"""``arbitrage`` with real orders on the exchange in miniature, and what an agent takes there that knows the truth.

Both trade on an exchange of their own from the same seed, with the same latency. The one that knows sees every book as
it is, and its orders turn out, when they arrive, to have been for just what is left of what it saw then: nobody with
that latency can be sure of more. It shares nothing with the strategy and computes in fractions.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from msgspec import Struct, field

from predsurv.core.events import Fill, Level, MarketChange, Tick
from predsurv.core.ids import ClientOrderId, InstrumentKey, Side, StrategyName, VenueName
from predsurv.core.num import MICROS, Money, Price, Ratio, Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.step import Step
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.market_group import MarketGroup
from predsurv.exchange.world import market_records
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.venues.mock.delivery import FaultyDelivery

VENUE: Final = VenueName("mock")
STEP: Final = 10_000_000
"""How often the feed delivers, ns."""
TICK: Final = 200_000_000
LEVELS: Final = 10
"""Levels of each book that count, as for the strategy."""
CASH: Final = 10**15
UNLIMITED: Final = RiskLimits(
    max_order_notional=Money(CASH),
    max_position_notional=Money(CASH),
    max_total_exposure=Money(CASH),
    max_open_orders=10_000,
    max_orders_per_minute=1_000_000,
    max_daily_loss=Money(CASH),
    price_collar=Price(MICROS),
    max_data_age=60_000_000_000,
)
PARAMS: Final = ArbitrageParams(cost_max=Money(CASH), annual_return_min=Ratio(0))
"""The defaults, but for what limits money and time, of which the one that knows has as much as it likes."""

_SIDES: Final[tuple[Side, Side]] = ("ask", "bid")
_ME: Final = StrategyName("oracle")

Levels = Mapping[Side, Sequence[Sequence[Level]]]
"""Levels of each book of a group, by side."""


class Gains(Struct):
    """What the holdings of each group surely pay less what they cost (micros)."""

    by_group: dict[int, int] = field(default_factory=dict)
    orders: int = 0

    @property
    def total(self) -> int:
        """The sum over all groups."""
        return sum(self.by_group.values())


class TrialResult(Struct):
    """What the strategy gained, and the one that knows; ``events`` of the exchange."""

    taken: Gains
    there: Gains
    events: int

    @property
    def share(self) -> Fraction:
        """The part of what was there that was taken."""
        return Fraction(self.taken.total, self.there.total) if self.there.total else Fraction(1)


def try_arbitrage(seed: int, markets: int, rate: int, latency: int, *, seconds: int) -> TrialResult:
    """Return what the strategy takes, and what was there, in ``seconds`` of exchange time with ``latency`` ns."""
    oracle = Exchange(seed, markets, rate)
    there = _Oracle(oracle, latency).run(seconds)
    trial = _StrategyTrial(Exchange(seed, markets, rate), latency)
    return TrialResult(trial.run(seconds), there, trial.events)


class _StrategyTrial:
    """The engine with the strategy, connected to an exchange."""

    def __init__(self, exchange: Exchange, latency: int) -> None:
        self.events = 0
        self._exchange, self._latency, self._orders = exchange, latency, 0
        self._account = exchange.open_account(CASH)
        self._answers = self._account.publisher.subscribe()
        self._fills: list[Fill] = []
        self._delivery = FaultyDelivery(exchange, ())
        cache = MarketCache({VENUE})
        for market in exchange.markets():
            cache.add(market)
        account = TradingAccount({VENUE: Money(CASH)})
        strategies = [Arbitrage(PARAMS)]
        self._engine = Engine(run="trial", limits=UNLIMITED, strategies=strategies, cache=cache, account=account)
        # The exchange executes, so its books show what is left: nothing has to be counted as consumed beside them.
        self._engine.books.on_fill = lambda fill: None  # type: ignore[method-assign]

    def run(self, seconds: int) -> Gains:
        exchange, until = self._exchange, self._exchange.now + seconds * 1_000_000_000
        self._watch()
        next_tick = exchange.now
        while exchange.now < until:
            tape = exchange.advance(exchange.now + STEP)
            self.events += len(tape)
            for event in self._delivery.deliver(exchange.now, tape, 0, 10_000):
                if isinstance(event, MarketChange) and event.kind == "created":
                    self._watch()
                self._send(self._engine.step(event))
            while self._answers.events:
                answer = self._answers.events.popleft()
                self._fills += [answer] if isinstance(answer, Fill) else []
                self._send(self._engine.step(answer))
            if exchange.now >= next_tick:
                next_tick = exchange.now + TICK
                self._send(self._engine.step(Tick(exchange.now)))
        return _gains(exchange, self._fills, self._orders)

    def _watch(self) -> None:
        markets = self._exchange.markets()
        self._delivery.watch(frozenset(key for each in markets for key in each.primary_keys(mirrored=True)))

    def _send(self, step: Step) -> None:
        for approved in step.commands:
            self._orders += 1
            self._exchange.submit_at(self._exchange.now + self._latency, self._account, approved.command)


class _Oracle:
    """Takes the best sets of every group, always of what was there ``latency`` ns before and still is."""

    def __init__(self, exchange: Exchange, latency: int) -> None:
        self._exchange, self._latency, self._orders = exchange, latency, 0
        self._account = exchange.open_account(CASH)
        self._answers = self._account.publisher.subscribe()
        self._waiting: set[int] = set()

    def run(self, seconds: int) -> Gains:
        exchange, until = self._exchange, self._exchange.now + seconds * 1_000_000_000
        fills: list[Fill] = []
        while exchange.now < until:
            exchange.advance(exchange.now + STEP)
            for index, group in enumerate(exchange.groups):
                if index not in self._waiting and _may_pay(group):
                    self._see(index, group)
            fills += [each for each in self._answers.events if isinstance(each, Fill)]
            self._answers.events.clear()
        return _gains(exchange, fills, self._orders)

    def _see(self, index: int, group: MarketGroup) -> None:
        seen = _levels(group)
        if not best_sets(self._exchange, group, seen):
            return
        self._waiting.add(index)

        def arrive(_: int) -> None:
            self._waiting.discard(index)
            if not group.is_closed:
                self._take(group, _still_there(seen, _levels(group)))

        self._exchange.schedule(self._exchange.now + self._latency, arrive)

    def _take(self, group: MarketGroup, levels: Levels) -> None:
        for key, price, size in best_sets(self._exchange, group, levels):
            self._orders += 1
            name = ClientOrderId(f"o{self._orders}")
            self._exchange.submit(self._account, PlaceOrder(name, _ME, key, "buy", price, size, "ioc"))


class _Offer(Struct):
    value: Fraction
    price: Price
    size: int


class _SetsFound(Struct):
    """Sets down the ladders: their gain (micros), and (worst price, size) of each leg that is part of them."""

    gain: Fraction
    legs: dict[int, tuple[Price, int]]


def best_sets(exchange: Exchange, group: MarketGroup, levels: Levels) -> list[tuple[InstrumentKey, Price, Size]]:
    """Return (instrument, limit, size) of the sets of yes, or of no, that surely gain most at ``levels``.

    Sets are taken level by level as long as each gains ``edge_min``; fewer than the market's minimum are none.
    """
    markets = market_records(group.spec, exchange.origin)
    rate, minimum = Fraction(markets[0].fee.rate, MICROS), markets[0].min_order_size
    yes = [[_Offer(_cost(price, rate), price, size) for price, size in book] for book in levels["ask"]]
    best, first = _walk(yes, minimum, every=True), 0
    if group.spec.kind == "event":
        no = [
            [_Offer(MICROS - _cost(MICROS - price, rate), Price(MICROS - price), size) for price, size in book]
            for book in levels["bid"]
        ]
        opposite = _walk(no, minimum, every=False)
        if opposite.gain > best.gain:
            best, first = opposite, 1
    keys = [each.key(first) for each in markets] if group.spec.kind == "event" else list(markets[0].keys())
    return [(keys[index], price, Size(size)) for index, (price, size) in best.legs.items()]


def _cost(price: int, rate: Fraction) -> Fraction:
    """What a share costs with its fee, micros."""
    return price + rate * price * (MICROS - price) / MICROS


def _walk(ladders: list[list[_Offer]], minimum: int, *, every: bool) -> _SetsFound:
    """Return the sets down the ladders: of yes where ``every`` leg is needed, else of no."""
    found, sets = _SetsFound(Fraction(0), {}), 0
    while not every or all(ladders):
        legs = [index for index, ladder in enumerate(ladders) if ladder and (every or ladder[0].value > 0)]
        total = sum((ladders[index][0].value for index in legs), Fraction(0))
        edge = MICROS - total if every else total - MICROS
        if not legs or edge < PARAMS.edge_min:
            break
        size = min(ladders[index][0].size for index in legs)
        found.gain += edge * size / MICROS
        sets += size
        for index in legs:
            offer = ladders[index][0]
            found.legs[index] = (offer.price, found.legs.get(index, (offer.price, 0))[1] + size)
            offer.size -= size
            if not offer.size:
                ladders[index].pop(0)
    return found if sets >= minimum else _SetsFound(Fraction(0), {})


def _may_pay(group: MarketGroup) -> bool:
    """Return whether the best prices leave ``edge_min`` before fees: cheap, and often enough to know."""
    if group.is_closed or len(group.books) < 2:
        return False
    asks = [book.best("ask") for book in group.books]
    bids = [book.best("bid") for book in group.books]
    total = sum(MICROS if price is None else price for price in asks)
    return total <= MICROS - PARAMS.edge_min or sum(price or 0 for price in bids) >= MICROS + PARAMS.edge_min


def _levels(group: MarketGroup) -> Levels:
    return {side: [book.levels(side)[:LEVELS] for book in group.books] for side in _SIDES}


def _still_there(seen: Levels, now: Levels) -> Levels:
    """Return what was on sale when it was seen and still is: up to each price the less of what there was and is."""
    return {
        side: [_less(side, before, after) for before, after in zip(seen[side], now[side], strict=True)]
        for side in _SIDES
    }


def _less(side: Side, before: Sequence[Level], after: Sequence[Level]) -> list[Level]:
    left: list[Level] = []
    taken = total = 0
    for price, size in before:
        total += size
        now = sum(part for at, part in after if (at <= price if side == "ask" else at >= price))
        if min(total, now) > taken:
            left.append((price, Size(min(total, now) - taken)))
            taken = min(total, now)
    return left


def _gains(exchange: Exchange, fills: Iterable[Fill], orders: int) -> Gains:
    held: dict[int, dict[InstrumentKey, int]] = {}
    gains = Gains(orders=orders)
    for fill in fills:
        index = _group_of(exchange, fill.key)
        sign = 1 if fill.side == "buy" else -1
        shares = held.setdefault(index, {})
        shares[fill.key] = shares.get(fill.key, 0) + sign * fill.size
        paid = sign * -(-fill.price * fill.size // MICROS) + fill.fee
        gains.by_group[index] = gains.by_group.get(index, 0) - paid
    for index, shares in held.items():
        gains.by_group[index] += _least_payout(exchange, exchange.groups[index], shares)
    return gains


def _group_of(exchange: Exchange, key: InstrumentKey) -> int:
    location = exchange.directory.locate(key)
    assert location is not None
    return next(
        index
        for index, group in enumerate(exchange.groups)
        if group.books[0].index <= location.book <= group.books[-1].index
    )


def _least_payout(exchange: Exchange, group: MarketGroup, shares: dict[InstrumentKey, int]) -> int:
    """What ``shares`` pay in the worst state: one market of an event wins, or one outcome of the only market."""
    markets = market_records(group.spec, exchange.origin)
    if group.spec.kind != "event":
        return min(shares.get(key, 0) for key in markets[0].keys())  # noqa: SIM118 - a market is no mapping
    return min(sum(shares.get(each.key(0 if each is winner else 1), 0) for each in markets) for winner in markets)
