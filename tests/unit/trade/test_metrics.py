"""A trader's metrics follow its engine: orders by venue, refusals too, what is unknown, whether it is halted."""

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from predsurv.core.events import FillFailed, Gap, OrderUnknown
from predsurv.core.ids import ClientOrderId
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelIntent, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.step import EMPTY_STEP, Step
from predsurv.net.clock import ManualClock
from predsurv.state.market_cache import MarketCache
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.trading import TradingMetrics
from predsurv.trade.metrics import REFRESH, TradeMetrics
from tests.kit.trading_samples import LIMITS, ME, START, YES, V, book, fill, intent, market, place


class Trader:
    """An engine without strategies, observed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        cache = MarketCache(frozenset({V}))
        cache.add(market())
        self.account = TradingAccount({V: Money(10_000 * MICROS)})
        self.engine = Engine(run="run", limits=LIMITS, strategies=[], cache=cache, account=self.account)
        self.clock = ManualClock(START)
        trading = TradingMetrics(self.registry, account="paper", venues=[V], signals={ME: ["test"]})
        self.metrics = TradeMetrics(Metrics(self.registry, [V]), trading, self.engine, self.clock)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"predsurv_{name}", labels)


@pytest.fixture
def trader() -> Trader:
    return Trader()


def test_a_refused_order_keeps_its_venue(trader: Trader) -> None:
    trader.metrics.on_step(book(), Step(refusals=(Refused(START, intent(), "collar", ""),)))
    assert trader.value("orders_total", venue="mock", outcome="refused") == 1
    assert trader.value("strategy_signals_total", strategy="me", signal_type="test") == 1


def test_a_refused_cancel_has_the_venue_of_its_order(trader: Trader) -> None:
    trader.account.place(place("o1"), START)
    refused = [Refused(START, CancelIntent(ME, ClientOrderId(name), "test"), "rate", "") for name in ("o1", "nobody's")]
    trader.metrics.on_step(book(), Step(refusals=tuple(refused)))
    assert trader.value("orders_total", venue="mock", outcome="refused") == 1
    assert trader.value("orders_total", venue="other", outcome="refused") == 1


def test_an_order_is_unknown_until_its_fate_is_known(trader: Trader) -> None:
    assert trader.value("orders_unknown", venue="mock") == 0
    trader.account.place(place("o1"), START)
    event = OrderUnknown(YES, START, ClientOrderId("o1"), "timed out")
    trader.metrics.on_step(event, trader.engine.step(event))
    assert trader.value("orders_unknown", venue="mock") == 1
    assert trader.value("orders_total", venue="mock", outcome="unknown") == 1


def test_a_fill_that_fails_is_counted_as_what_it_was_and_what_became_of_it(trader: Trader) -> None:
    trader.account.place(place("o1", size=10), START)
    matched = replace(fill("o1", 10), unconfirmed=True)
    failed = FillFailed(YES, START + 1, ClientOrderId("o1"), matched.trade_id, "reverted")
    for event in (matched, failed, failed):
        trader.metrics.on_step(event, trader.engine.step(event))
    assert trader.value("orders_total", venue="mock", outcome="filled") == 1
    assert trader.value("orders_total", venue="mock", outcome="failed") == 1, "told again it is no other"


def test_a_halt_is_shown_and_its_end(trader: Trader) -> None:
    assert trader.value("halted", account="paper") == 0
    trader.metrics.on_step(book(), trader.engine.control.halt(START, "by request"))
    assert trader.value("halted", account="paper") == 1
    trader.engine.control.resume(START)
    trader.metrics.on_step(book(), EMPTY_STEP)
    assert trader.value("halted", account="paper") == 0
    trader.metrics.on_step(book(), trader.engine.control.reduce(START, "by request"))
    assert (trader.value("halted", account="paper"), trader.value("reducing", account="paper")) == (0, 1)


def test_the_account_is_named(trader: Trader) -> None:
    assert trader.value("portfolio_value_usd", account="paper", kind="equity") == 10_000
    trader.metrics.on_batch(V, [book(ts=START + REFRESH), Gap(YES, START + REFRESH, "stall", 1)])
    assert trader.value("portfolio_value_usd", account="paper", kind="cash") == 10_000
    assert trader.value("gaps_total", venue="mock", reason="stall") == 1


async def test_a_turn_of_the_run_is_a_sign_of_life(trader: Trader) -> None:
    assert trader.value("last_pulse_timestamp_seconds") is None
    await trader.clock.advance(5_000_000_000)
    trader.metrics.on_turn()
    assert trader.value("last_pulse_timestamp_seconds") == START / 1e9 + 5
