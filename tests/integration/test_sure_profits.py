"""Situations in which an independent model of sure profits once disagreed with the engine, with its figures."""

from itertools import product
from random import Random

import pytest

from predsurv.core.ids import EventId, InstrumentKey
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Money, Price, Size, notional
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.step import Step
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.claims import ClaimGroups
from predsurv.strategies.set_trades import rebalancing_orders
from tests.kit.manual_view import EVENT, ManualView
from tests.kit.trading_samples import LIMITS, START, V, book, market, shares

WIDE = RiskLimits(**{
    **{name: getattr(LIMITS, name) for name in RiskLimits.__struct_fields__},
    "max_order_notional": Money(10**12),
    "max_position_notional": Money(10**12),
    "max_total_exposure": Money(10**12),
    "price_collar": Price(MICROS),
})  # fmt: skip
WORLDS = 4_000


def event(*exclusive: bool, exhaustive: bool = False, least: float = 0) -> tuple[Market, ...]:
    return tuple(
        market(
            f"m{number}",
            event_id=EventId("e"),
            mutually_exclusive=each,
            exhaustive=exhaustive,
            fee=NO_FEE,
            min_order_size=shares(least),
        )
        for number, each in enumerate(exclusive)
    )


def engine(markets: tuple[Market, ...], cash: int = 10_000 * MICROS) -> Engine:
    cache = MarketCache({V})
    for each in markets:
        cache.add(each)
    return Engine(
        run="r", limits=WIDE, strategies=[Arbitrage()], cache=cache, account=TradingAccount({V: Money(cash)})
    )  # fmt: skip


def orders(steps: list[Step]) -> list[PlaceOrder]:
    return [each.command for step in steps for each in step.commands if isinstance(each.command, PlaceOrder)]


@pytest.mark.parametrize("asks", [((31, 1_000),), ((30, 30), (32, 1_000))], ids=["one level", "two levels"])
def test_every_small_account_trades_the_basket_that_it_can_pay(asks: tuple[tuple[int, int], ...]) -> None:
    """A basket sized to the last cent was refused whole at every look, for what risk sets aside for each leg."""
    markets, rng = event(True, True, True, exhaustive=True), Random(1)
    for _ in range(100):
        made = engine(markets, rng.randint(40 * MICROS, 150 * MICROS))
        steps = [made.step(book(((20, 100),), asks, key=each.key(0), ts=START + n)) for n, each in enumerate(markets)]
        assert len(orders(steps)) == 3
        assert all(not step.refusals for step in steps)


@pytest.mark.parametrize(("thin", "legs"), [(0, [100] * 3), (3, [100] * 3), (6, [100] * 3)])
def test_a_thin_leg_that_a_basket_of_no_does_not_need_caps_nothing(thin: int, legs: list[int]) -> None:
    """Three NO at 0.63 cost 1.89 and pay at least 2: 11 dollars on 100 of each, whatever the fourth has on sale."""
    markets = event(True, True, True, True, least=5)
    made, steps = engine(markets), list[Step]()
    for number, each in enumerate((*markets[3:], *markets[:3])):
        bids = ((37, 100),) if each is not markets[3] else ((2, thin),) if thin else ()
        steps.append(made.step(book(bids, ((40, 100),), key=each.key(0), ts=START + number * 1_000)))
        if orders(steps):
            break
    bought = [each for each in orders(steps) if each.key.market_id != markets[3].market_id]
    assert [each.size // MICROS for each in bought] == legs
    spent = sum(notional(each.price, each.size) for each in orders(steps))
    assert 2 * legs[0] * MICROS - spent >= 11 * MICROS - 6 * MICROS * (len(orders(steps)) > 3)


def test_a_set_with_a_market_that_is_not_exclusive_loses_in_no_state() -> None:
    """Two of three markets exclude each other: A, B and C at 0.37 bid are no set in which at most one can pay."""
    markets = event(True, True, False)
    made = engine(markets)
    steps = [
        made.step(book(((37, 100),), ((40, 100),), key=each.key(0), ts=START + n))
        for n, each in enumerate(reversed(markets))
    ]
    bought = orders(steps)
    spent = sum(notional(each.price, each.size) for each in bought)
    for state in product((0, 1), repeat=3):
        if state[0] and state[1]:
            continue
        wins = {each.key(not paid).instrument_id for each, paid in zip(markets, state, strict=True)}
        assert sum(each.size for each in bought if each.key.instrument_id in wins) >= spent


def test_two_no_that_pay_for_sure_are_not_sold_for_less_in_any_of_many_worlds() -> None:
    """At most one of the markets pays: of what is held nothing surely paid is given away, completed or unwound."""
    rng, acted = Random(5), 0
    free = ArbitrageParams(edge_min=Money(0), edge_max=Money(9 * MICROS), cost_max=Money(10**12))
    for _ in range(WORLDS):
        markets = tuple(
            market(f"m{n}", event_id=EVENT, mutually_exclusive=True, fee=NO_FEE, min_order_size=Size(0))
            for n in range(rng.randint(3, 5))
        )
        view = ManualView(markets)
        for each in markets:
            key, bid = each.key(1), rng.randint(40, 95)
            asks = ((bid + rng.randint(1, 4), rng.randint(1, 200)),) if rng.random() < 0.85 else ()
            view.show(key, bids=((bid, rng.randint(1, 200)),), asks=asks)
            view.hold(key, rng.choice([0, 50, 100, 100, rng.randint(1, 100)]))
        group = ClaimGroups().of(markets[0], view)
        assert group is not None
        held = {key: position.size for key, position in view.held.items()}
        moves = rebalancing_orders(group, view, free, keys=frozenset(group.instruments()), may_buy=True)
        after, money = dict(held), 0
        for move in moves:
            sign = 1 if move.side == "buy" else -1
            after[move.key] = Size(after.get(move.key, 0) + sign * move.size)
            money -= sign * sum(price * size // MICROS for price, size in move.takes)
        acted += bool(moves)
        assert sure(markets, after) + money >= sure(markets, held)
    assert acted > WORLDS // 10


def sure(markets: tuple[Market, ...], held: dict[InstrumentKey, Size]) -> int:
    """What NO shares pay when at most one of the markets does."""
    sizes = [int(held.get(each.key(1), 0)) for each in markets]
    return sum(sizes) - max(sizes)


@pytest.mark.parametrize("depth", [100, 99.99])
def test_what_pays_is_completed_though_not_all_of_it_is_on_sale(depth: float) -> None:
    """With 99.99 of 100 on sale for 32 the rest of two legs is sold: all or nothing gave 18 dollars away."""
    markets = tuple(
        market(f"m{n}", event_id=EVENT, mutually_exclusive=True, exhaustive=True, fee=NO_FEE, min_order_size=Size(0))
        for n in range(3)
    )
    view = ManualView(markets)
    for each in markets:
        view.show(each.key(0), bids=((25, 500),), asks=((32, depth),))
    for each in markets[:2]:
        view.hold(each.key(0), 100)
    group = ClaimGroups().of(markets[0], view)
    assert group is not None
    moves = rebalancing_orders(group, view, ArbitrageParams(), keys=frozenset(group.instruments()), may_buy=True)
    (bought,) = [each for each in moves if each.side == "buy"]
    assert (bought.key, bought.size) == (markets[2].key(0), shares(depth))
    assert sum(each.size for each in moves if each.side == "sell") == 2 * (shares(100) - shares(depth))
