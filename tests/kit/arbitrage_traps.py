"""Small worlds that look like arbitrage and are none, or have a catch; each is paid out as badly as it can be."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import AccountEvent, BookSnapshot, Fill, Level, OrderAccepted, OrderCancelled, Tick
from predsurv.core.fees import taker_fee
from predsurv.core.ids import EventId, InstrumentKey, OrderId, TradeId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import MICROS, Money, Price, Ratio, Size, complement, notional, notional_up
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from tests.kit.arbitrage_trial import UNLIMITED
from tests.kit.trading_samples import START, S, market

CASH: Final = 10**12
PARAMS: Final = ArbitrageParams(annual_return_min=Ratio(0))
SHARES: Final = Size(100 * MICROS)
FEE: Final = FeeSchedule(model="polymarket", rate=50_000)

Prices = tuple[int, int]
"""Best bid and ask of yes, cents."""


class TrapWorld(Struct, kw_only=True):
    """One world: what is shown of each market, how old that is, what is true, and what yes pays in each bad end.

    ``ages``: seconds since a book changed, by market. ``true``: books of yes where they differ from what is shown.
    ``reverted``: markets whose first buy is matched and comes to nothing.
    """

    markets: tuple[Market, ...]
    shown: tuple[Prices, ...]
    ends: tuple[tuple[int, ...], ...]
    ages: Mapping[int, int] = {}
    true: Mapping[int, Prices] = {}
    reverted: frozenset[int] = frozenset()


class TrapResult(Struct):
    """What the strategy did in the worlds of one trap; ``worst`` and ``total`` in micros over the worst end of each."""

    worlds: int = 0
    traded: int = 0
    worst: int = 0
    total: int = 0


def spring(name: str, worlds: int, seed: int) -> TrapResult:
    """Return what came of ``worlds`` random worlds of a trap."""
    rng, result = random.Random(seed), TrapResult()
    for _ in range(worlds):
        world = TRAPS[name](rng)
        gain, orders = _play(world)
        result.worlds += 1
        result.traded += orders > 0
        result.worst = min(result.worst, gain)
        result.total += gain
    return result


def _play(world: TrapWorld) -> tuple[int, int]:
    """Return the gain at the worst end, and the number of orders."""
    cache = MarketCache({each.venue for each in world.markets})
    for each in world.markets:
        cache.add(each)
    account = TradingAccount({each.venue: Money(CASH) for each in world.markets})
    engine = Engine(run="trap", limits=UNLIMITED, strategies=[Arbitrage(PARAMS)], cache=cache, account=account)
    venue = _Venue(world)
    oldest_first = sorted(range(len(world.markets)), key=lambda index: -world.ages.get(index, 0))
    for index in oldest_first:
        bid, ask = world.shown[index]
        key, ts = world.markets[index].key(0), START - world.ages.get(index, 0) * S
        _exchange(engine, venue, BookSnapshot(key, ts, None, 1, None, _level(bid), _level(ask)))
    for turn in range(1, 40):
        _exchange(engine, venue, Tick(START + turn * S // 2))
    return min(venue.worth(end) for end in world.ends), venue.orders


def _exchange(engine: Engine, venue: "_Venue", event: BookSnapshot | Tick) -> None:
    commands = list(engine.step(event).commands)
    while commands:
        order = commands.pop(0).command
        assert isinstance(order, PlaceOrder)
        for answer in venue.execute(order, event.ts_recv):
            commands += engine.step(answer).commands


class _Venue:
    """Executes orders against the true books."""

    def __init__(self, world: TrapWorld) -> None:
        self.orders = 0
        self._world, self._cash = world, 0
        self._held: dict[InstrumentKey, int] = {}
        self._used: dict[tuple[InstrumentKey, str], int] = {}
        self._index = {key: at for at, each in enumerate(world.markets) for key in each.keys()}  # noqa: SIM118
        self._failing = set(world.reverted)

    def execute(self, order: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        self.orders += 1
        at, name, key = self._index[order.key], order.client_order_id, order.key
        yield OrderAccepted(key, ts, name, OrderId(str(name)))
        size = self._fillable(order, at)
        if size:
            yield self._fill(order, at, size, ts)
        if size < order.size:
            yield OrderCancelled(key, ts, name, "ioc")

    def _fillable(self, order: PlaceOrder, at: int) -> Size:
        if order.side == "buy" and at in self._failing:
            self._failing.discard(at)
            return Size(0)
        bid, ask = self._world.true.get(at, self._world.shown[at])
        yes = order.key == self._world.markets[at].key(0)
        best = (ask if order.side == "buy" else bid) if yes else 100 - (bid if order.side == "buy" else ask)
        reaches = order.price >= best * 10_000 if order.side == "buy" else order.price <= best * 10_000
        left = SHARES - self._used.get((order.key, order.side), 0)
        size = Size(min(order.size, left)) if reaches and 0 < best < 100 else Size(0)
        self._used[(order.key, order.side)] = self._used.get((order.key, order.side), 0) + size
        return size

    def _fill(self, order: PlaceOrder, at: int, size: Size, ts: int) -> Fill:
        bid, ask = self._world.true.get(at, self._world.shown[at])
        own = self._world.markets[at].key(0) == order.key
        cents = (ask if order.side == "buy" else bid) if own else 100 - (bid if order.side == "buy" else ask)
        price = Price(cents * 10_000)
        fee = taker_fee(self._world.markets[at].fee, price, size, order.side)
        sign = 1 if order.side == "buy" else -1
        self._cash -= fee + (notional_up(price, size) if sign > 0 else -notional(price, size))
        self._held[order.key] = self._held.get(order.key, 0) + sign * size
        trade = TradeId(f"t{self.orders}")
        return Fill(order.key, ts, None, order.client_order_id, trade, order.side, price, size, fee, maker=False)

    def worth(self, end: tuple[int, ...]) -> int:
        """Return cash and shares where yes of each market pays ``end`` (micros)."""
        paid = 0
        for key, size in self._held.items():
            at = self._index[key]
            yes = Price(end[at])
            paid += notional(yes if key == self._world.markets[at].key(0) else complement(yes), Size(size))
        return self._cash + paid


def _level(cents: int) -> tuple[Level, ...]:
    return ((Price(cents * 10_000), SHARES),) if 0 < cents < 100 else ()


def _event(count: int, **changes: object) -> tuple[Market, ...]:
    flags = {"mutually_exclusive": True, "exhaustive": True, "neg_risk": True, "fee": NO_FEE, **changes}
    return tuple(market(f"m{number}", event_id=EventId("e"), **flags) for number in range(count))


def _winners(count: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(MICROS if at == winner else 0 for at in range(count)) for winner in range(count))


def _asks(rng: random.Random, count: int, total: int) -> tuple[Prices, ...]:
    """Asks of yes that sum up to ``total`` cents, each with a bid two cents below."""
    cuts = sorted(rng.sample(range(1, total), count - 1))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]
    return tuple((max(part - 2, 0), part) for part in parts)


def _bids(rng: random.Random, count: int, total: int) -> tuple[Prices, ...]:
    return tuple((ask, min(ask + 2, 99)) for _, ask in _asks(rng, count, total))


def _non_exhaustive(rng: random.Random) -> TrapWorld:
    count = rng.randint(2, 5)
    nobody = (0,) * count
    return TrapWorld(
        markets=_event(count, exhaustive=False), shown=_asks(rng, count, rng.randint(85, 98)), ends=(nobody,)
    )


def _fees(rng: random.Random) -> TrapWorld:
    count = rng.randint(2, 5)
    return TrapWorld(markets=_event(count, fee=FEE), shown=_asks(rng, count, rng.randint(96, 99)), ends=_winners(count))


def _stale(rng: random.Random) -> TrapWorld:
    count = rng.randint(2, 5)
    shown = _asks(rng, count, rng.randint(88, 98))
    leg = rng.randrange(count)
    truth = (min(shown[leg][0] + 15, 98), min(shown[leg][1] + 15, 99))
    return TrapWorld(
        markets=_event(count), shown=shown, ends=_winners(count), true={leg: truth}, ages={leg: rng.randint(61, 900)}
    )


def _uneven(rng: random.Random) -> TrapWorld:
    count = rng.randint(2, 5)
    return TrapWorld(markets=_event(count), shown=_asks(rng, count, rng.randint(88, 98)), ends=_winners(count))


def _reverts(rng: random.Random) -> TrapWorld:
    """Each leg fails at the rate that is charged; it is on sale no more then, and bids for it are two cents lower."""
    count = rng.randint(2, 5)
    shown = _asks(rng, count, rng.randint(92, 99))
    failing = frozenset(at for at in range(count) if rng.randrange(MICROS) < PARAMS.revert_rate)
    gone = {at: (max(shown[at][0] - 2, 0), 99) for at in failing}
    markets = tuple(replace(each, venue=VenueName("polymarket")) for each in _event(count))
    return TrapWorld(markets=markets, shown=shown, ends=_winners(count), reverted=failing, true=gone)


def _not_exclusive(rng: random.Random) -> TrapWorld:
    count = rng.randint(3, 5)
    markets = _event(count)
    loose = rng.randrange(count)
    markets = tuple(replace(each, mutually_exclusive=at != loose) for at, each in enumerate(markets))
    both = tuple(tuple(MICROS if at in (winner, loose) else 0 for at in range(count)) for winner in range(count))
    shown = _bids(rng, count, rng.randint(102, 114)) if rng.random() < 0.5 else _asks(rng, count, rng.randint(88, 98))
    return TrapWorld(markets=markets, shown=shown, ends=(*both, (0,) * count))


def _void(rng: random.Random) -> TrapWorld:
    count = rng.randint(3, 5)
    markets = _event(count, neg_risk=False, exhaustive=False)
    return TrapWorld(markets=markets, shown=_bids(rng, count, rng.randint(101, 108)), ends=((MICROS // 2,) * count,))


TRAPS: Final[Mapping[str, Callable[[random.Random], TrapWorld]]] = {
    "a set that is not exhaustive, and nothing comes true": _non_exhaustive,
    "fees that eat the edge": _fees,
    "a leg whose book is stale": _stale,
    "legs of very different prices": _uneven,
    "legs that are reverted as often as charged": _reverts,
    "a market that is not exclusive": _not_exclusive,
    "a void of three or more legs of no": _void,
}
