"""Every metric has its exact name and labels; batches are counted exactly and cheaply."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Gap,
    GapReason,
    MarketEvent,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.telemetry.metrics import SAMPLES_MAX, Metrics

VENUE = VenueName("kalshi")
KEY = InstrumentKey(VENUE, MarketId("M"), InstrumentId("I"))
MS = 1_000_000


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry, strategies=["simple"], signals=["enter"])


def delta(age: int | None = MS) -> BookDelta:
    return BookDelta(KEY, 10**18, None if age is None else 10**18 - age, 1, None, "bid", Price(1), Size(1))


def gap(reason: GapReason) -> Gap:
    return Gap(KEY, 1, reason, 1)


def test_names_and_labels_are_the_published_ones(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_batch(VENUE, [delta(), gap("stall"), Connected(VENUE, 1, 1, 3)])
    metrics.count_signal("simple", "enter")
    metrics.set_subscriptions(VENUE, 200)
    metrics.set_queue_depth("records", 7)
    metrics.count_written("trades", 10, 1_000)
    metrics.observe_seal(30 * MS)
    metrics.count_order(VENUE, "filled")
    metrics.set_portfolio("equity", 1_500_000)
    expected = {
        'predsurv_events_total{event_type="delta",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_bucket{event_type="delta",le="0.001",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_count{event_type="delta",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_sum{event_type="delta",venue="kalshi"} 0.001',
        'predsurv_strategy_signals_total{signal_type="enter",strategy="simple"} 1.0',
        'predsurv_connections{venue="kalshi"} 3.0',
        'predsurv_subscriptions{venue="kalshi"} 200.0',
        'predsurv_gaps_total{reason="stall",venue="kalshi"} 1.0',
        'predsurv_queue_depth{queue="records"} 7.0',
        'predsurv_rows_written_total{dataset="trades"} 10.0',
        'predsurv_bytes_written_total{dataset="trades"} 1000.0',
        'predsurv_seal_duration_seconds_bucket{le="0.05"} 1.0',
        "predsurv_seal_duration_seconds_count 1.0",
        'predsurv_orders_total{outcome="filled",venue="kalshi"} 1.0',
        'predsurv_portfolio_value_usd{kind="equity"} 1.5',
    }
    assert expected <= set(generate_latest(registry).decode().splitlines())


def test_every_metric_is_announced_before_anything_happened(metrics: Metrics, registry: CollectorRegistry) -> None:
    lines = generate_latest(registry).decode().splitlines()
    assert len([line for line in lines if line.startswith("# HELP predsurv_")]) == 12
    assert not [line for line in lines if "_created" in line]


def test_a_batch_is_counted_by_type(metrics: Metrics, registry: CollectorRegistry) -> None:
    trade = Trade(KEY, 10**18, None, Price(1), Size(1), None, None)
    book = BookSnapshot(KEY, 10**18, None, 1, None, (), ())
    metrics.observe_batch(VENUE, [delta()] * 1_000 + [trade] * 3 + [book] + [Unknown(VENUE, 1, "x")])
    metrics.observe_batch(VENUE, [])

    def count(kind: str) -> float | None:
        return registry.get_sample_value("predsurv_events_total", {"venue": "kalshi", "event_type": kind})

    assert [count(kind) for kind in ("delta", "trade", "book", "unknown", "gap")] == [1_000, 3, 1, 1, None]


@given(st.lists(st.sampled_from([MS, 30 * MS, -5, 10**12]), min_size=1, max_size=500))
def test_sampled_latencies_stand_for_the_whole_batch(ages: list[int]) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.observe_batch(VENUE, [delta(age) for age in ages])
    labels = {"venue": "kalshi", "event_type": "delta"}
    assert registry.get_sample_value("predsurv_event_latency_seconds_count", labels) == len(ages)
    total = registry.get_sample_value("predsurv_event_latency_seconds_sum", labels)
    assert total is not None
    assert total >= 0
    if len(ages) <= SAMPLES_MAX:
        assert total == pytest.approx(sum(max(age, 0) for age in ages) / 10**9)


def test_events_without_a_venue_time_have_no_latency(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_batch(VENUE, [delta(None)])
    labels = {"venue": "kalshi", "event_type": "delta"}
    assert registry.get_sample_value("predsurv_events_total", labels) == 1
    assert registry.get_sample_value("predsurv_event_latency_seconds_count", labels) == 0


def test_connections_follow_the_last_change(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_batch(
        VENUE, [Connected(VENUE, 1, 1, 1), Connected(VENUE, 1, 2, 2), Disconnected(VENUE, 2, 1, 1, "x")]
    )
    assert registry.get_sample_value("predsurv_connections", {"venue": "kalshi"}) == 1


def test_gaps_are_counted_by_reason_from_the_feed_and_from_us(metrics: Metrics, registry: CollectorRegistry) -> None:
    events: Sequence[MarketEvent] = [gap("stall"), gap("stall"), gap("seq_gap")]
    metrics.observe_batch(VENUE, events)
    metrics.count_gaps(VENUE, "crash", 5)

    def count(reason: str) -> float | None:
        return registry.get_sample_value("predsurv_gaps_total", {"venue": "kalshi", "reason": reason})

    assert [count(reason) for reason in ("stall", "seq_gap", "crash")] == [2, 1, 5]


@given(st.lists(st.text(max_size=20), max_size=300))
def test_no_text_from_outside_becomes_a_series(texts: list[str]) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for text in texts:
        metrics.count_order(text, text)
        metrics.count_signal(text, text)
        metrics.set_queue_depth(text, 1)
        metrics.count_written(text, 1, 1)
        metrics.set_portfolio(text, 1)
        metrics.observe_batch(text, [delta()])
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    assert len(lines) < 40
