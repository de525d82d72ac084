"""Random lives of orders at a simulated Polymarket with a trader that is killed again and again, and what is left."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import PredsurvError
from predsurv.core.num import MICROS
from predsurv.core.orders import TimeInForce
from tests.kit.restarted_trader import STRATEGY, RestartedTrader

FAILING: Final = "tradefail@1s:600s"
"""Trades that are made in the first ten minutes fail."""
STEPS_MAX: Final = 14

_PRICES: Final = (20_000, 300_000, 450_000, 550_000, 700_000, 980_000)
_SIZES: Final = (5, 10, 50, 333, 1_000)
_TIFS: Final[tuple[TimeInForce, ...]] = ("gtc", "gtc", "ioc", "fok")

Do = Callable[[RestartedTrader, Random], Awaitable[None]]


class RestartWorld:
    """One world, drawn from ``seed``. ``steps``: what was done in it."""

    def __init__(self, seed: int, faults: str = "") -> None:
        self.rng = Random(seed)
        self.trader = RestartedTrader(faults)
        self.steps: list[str] = []

    async def live(self) -> list[str]:
        """Live it to its end; return what differs between the account and the venue's, and what was corrected."""
        trader = self.trader
        await trader.start()
        for _ in range(self.rng.randrange(3, STEPS_MAX)):
            name = self.rng.choice(("place", "place", "place", "deliver", "wait", "kill", "cancel", "lose"))
            self.steps.append(name)
            await _STEPS[name](trader, self.rng)
        trader.lose = ""
        await end(trader)
        found = [*map(str, trader.corrections), *await differences(trader)]
        await trader.kill()
        return found


async def end(trader: RestartedTrader) -> None:
    """Cancel everything, let trades settle, and compare a last time."""
    for _ in range(6):
        with suppress(PredsurvError):
            await trader.cancel_all()
        await trader.clock.sleep(2 * 10**9)
        await trader.deliver(1_000)
        await trader.reconciler.compare()
        if not trader.account.orders.live():
            return


async def differences(trader: RestartedTrader) -> list[str]:
    """What differs in orders, cash and shares."""
    portfolio = trader.account.portfolio
    held = {position.key: position.size for position in portfolio.positions.totals()}
    there = await trader.broker.account.reader.account(0, held)
    found = [f"live here: {order.client_order_id}" for order in trader.account.orders.live()]
    found += [f"open there: {order.order_id}" for order in there.orders]
    (venue,) = portfolio.venues()
    if portfolio.cash(venue) != there.cash:
        found.append(f"cash {portfolio.cash(venue)} here, {there.cash} there")
    return found + [
        f"{held[each.key]} of {each.key} here, {each.size} there"
        for each in there.positions
        if held[each.key] != each.size
    ]


async def _place(trader: RestartedTrader, rng: Random) -> None:
    key = trader.key(rng.randrange(3), rng.randrange(2))
    held = trader.account.portfolio.positions.size_of(STRATEGY, key)
    size = rng.choice(_SIZES) * MICROS
    sells = held >= 5 * MICROS and rng.random() < 0.5
    tick = trader.markets[key.market_id].tick_size
    price = rng.choice(_PRICES) // tick * tick
    given = min(size, held // 10_000 * 10_000) if sells else size
    order = trader.decide(key, "sell" if sells else "buy", price, given, rng.choice(_TIFS))
    if rng.random() < 0.15:  # journalled, and never sent
        await _kill(trader, rng)
    else:
        await trader.submit(order)


async def _deliver(trader: RestartedTrader, rng: Random) -> None:
    await trader.deliver(rng.randrange(1, 6))


async def _wait(trader: RestartedTrader, rng: Random) -> None:
    await trader.clock.sleep(rng.choice((100, 500, 1_200)) * 1_000_000)


async def _kill(trader: RestartedTrader, _rng: Random) -> None:
    trader.lose = ""
    await trader.kill()
    await trader.start()


async def _cancel(trader: RestartedTrader, _rng: Random) -> None:
    await trader.cancel_all()


async def _lose(trader: RestartedTrader, rng: Random) -> None:
    trader.lose = rng.choice(("", "", "request", "answer"))


def change_fee(trader: RestartedTrader, condition: str, rate: int) -> None:
    """Let the venue charge takers of a market ``rate`` (millionths) from now on, which it announces to nobody."""
    listed = next(row for row in trader.rows if row.condition == condition)
    fee = replace(listed.market.fee, rate=rate, since=trader.clock.now())
    trader.simulator.exchange.directory.update(listed.market.market_id, fee=fee)


_STEPS: Final[Mapping[str, Do]] = {
    "place": _place,
    "deliver": _deliver,
    "wait": _wait,
    "kill": _kill,
    "cancel": _cancel,
    "lose": _lose,
}
