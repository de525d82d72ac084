"""What a trader shows of its orders and its account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from predsurv.telemetry.trading import OUTCOMES, PORTFOLIO_KINDS, TradingMetrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> TradingMetrics:
    return TradingMetrics(registry, account="mock", venues=["kalshi"], signals={"simple": ["enter"], "other": ["exit"]})


def test_names_and_labels_are_the_published_ones(metrics: TradingMetrics, registry: CollectorRegistry) -> None:
    metrics.count_signal("simple", "enter")
    metrics.count_order("kalshi", "filled")
    metrics.set_unknown("kalshi", 2)
    metrics.set_trading("halted")
    metrics.set_portfolio("equity", 1_500_000)
    expected = {
        'predsurv_strategy_signals_total{signal_type="enter",strategy="simple"} 1.0',
        'predsurv_orders_total{outcome="filled",venue="kalshi"} 1.0',
        'predsurv_orders_unknown{venue="kalshi"} 2.0',
        'predsurv_halted{account="mock"} 1.0',
        'predsurv_portfolio_value_usd{account="mock",kind="equity"} 1.5',
    }
    assert expected <= set(generate_latest(registry).decode().splitlines())


@pytest.mark.usefixtures("metrics")
def test_everything_that_alarms_is_seen_at_0_first(registry: CollectorRegistry) -> None:
    value = registry.get_sample_value
    assert [value("predsurv_orders_total", {"venue": "kalshi", "outcome": each}) for each in OUTCOMES] == [0] * 9
    assert value("predsurv_orders_unknown", {"venue": "kalshi"}) == 0
    assert value("predsurv_halted", {"account": "mock"}) == 0


@pytest.mark.usefixtures("metrics")
def test_a_strategy_has_series_for_its_own_signals_alone(registry: CollectorRegistry) -> None:
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if line.startswith("predsurv_strategy")] == [
        'predsurv_strategy_signals_total{signal_type="enter",strategy="simple"} 0.0',
        'predsurv_strategy_signals_total{signal_type="exit",strategy="other"} 0.0',
    ]


@given(st.lists(st.text(max_size=20), max_size=300))
def test_no_text_from_outside_becomes_a_series(texts: list[str]) -> None:
    registry = CollectorRegistry()
    metrics = TradingMetrics(registry)
    before = len(generate_latest(registry).splitlines())
    for text in texts:
        metrics.count_order(text, text)
        metrics.count_signal(text, text)
        metrics.set_unknown(text, 1)
        metrics.set_portfolio(text, 1)
    every_other = 4 * (len(OUTCOMES) + 1) - 3 * len(OUTCOMES) + 1 + 1 + len(PORTFOLIO_KINDS) + 1
    assert len(generate_latest(registry).splitlines()) <= before + every_other
