"""Every metric has its exact name and labels; batches are counted exactly and cheaply."""

import platform
from pathlib import Path
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from predsurv import __version__
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Gap,
    GapReason,
    Trade,
    TradingPhase,
    Unknown,
    VenuePhase,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import LevelChanges
from predsurv.core.num import Price, Size
from predsurv.core.packed_book import PackedBook
from predsurv.telemetry.metrics import COUNTED, PHASES, SAMPLES_MAX, VENUES, Metrics
from predsurv.telemetry.recording import RecordingMetrics, UploadLevels

VENUE = VenueName("kalshi")
KEY = InstrumentKey(VENUE, MarketId("M"), InstrumentId("I"))
MS = 1_000_000
SERIES_DOCUMENTED = 400
"""What docs/metrics-reference.md says of a collector of two venues."""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def delta(age: int | None = MS) -> BookDelta:
    return BookDelta(KEY, 10**18, None if age is None else 10**18 - age, 1, None, "bid", Price(1), Size(1))


def gap(reason: GapReason) -> Gap:
    return Gap(KEY, 1, reason, 1)


def test_names_and_labels_are_the_published_ones(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_batch(VENUE, [delta(), gap("stall"), Connected(VENUE, 1, 1, 3)])
    metrics.count_gap(VENUE, "stall")
    metrics.set_pulse(1_800_000_000_500_000_000)
    expected = {
        "predsurv_last_pulse_timestamp_seconds 1.8000000005e+09",
        'predsurv_events_total{event_type="delta",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_bucket{event_type="delta",le="0.001",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_count{event_type="delta",venue="kalshi"} 1.0',
        'predsurv_event_latency_seconds_sum{event_type="delta",venue="kalshi"} 0.001',
        'predsurv_connections{venue="kalshi"} 3.0',
        'predsurv_gaps_total{reason="stall",venue="kalshi"} 1.0',
        f'predsurv_build_info{{python="{platform.python_version()}",version="{__version__}"}} 1.0',
    }
    assert expected <= set(generate_latest(registry).decode().splitlines())


@pytest.mark.usefixtures("metrics")
def test_every_metric_is_announced_before_anything_happened(registry: CollectorRegistry) -> None:
    lines = generate_latest(registry).decode().splitlines()
    assert len([line for line in lines if line.startswith("# HELP predsurv_")]) == 10
    assert not [line for line in lines if "_created" in line]


@pytest.mark.usefixtures("metrics")
def test_the_first_outage_is_a_rise_from_0(registry: CollectorRegistry) -> None:
    for venue in VENUES:
        for reason in COUNTED:
            assert registry.get_sample_value("predsurv_gaps_total", {"venue": venue, "reason": reason}) == 0, reason
        assert registry.get_sample_value("predsurv_connections", {"venue": venue}) == 0


def test_dropped_lines_are_counted_where_they_are_dropped(metrics: Metrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("predsurv_log_lines_dropped_total") == 0
    metrics.lines_dropped = lambda: 7
    assert registry.get_sample_value("predsurv_log_lines_dropped_total") == 7


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="prometheus_client reads /proc")
@pytest.mark.usefixtures("metrics")
def test_the_process_itself_is_measured(registry: CollectorRegistry) -> None:
    memory = registry.get_sample_value("process_resident_memory_bytes")
    descriptors = registry.get_sample_value("process_open_fds")
    assert memory is not None
    assert descriptors is not None
    assert memory > 1_000_000
    assert descriptors >= 3
    assert registry.get_sample_value("process_start_time_seconds")


def test_a_batch_is_counted_by_type(metrics: Metrics, registry: CollectorRegistry) -> None:
    trade = Trade(KEY, 10**18, None, Price(1), Size(1), None, None)
    book = BookSnapshot(KEY, 10**18, None, 1, None, (), ())
    metrics.observe_batch(VENUE, [delta()] * 1_000 + [trade] * 3 + [book] + [Unknown(VENUE, 1, "x")])
    metrics.observe_batch(VENUE, [])

    def count(kind: str) -> float | None:
        return registry.get_sample_value("predsurv_events_total", {"venue": "kalshi", "event_type": kind})

    assert [count(kind) for kind in ("delta", "trade", "book", "unknown", "gap")] == [1_000, 3, 1, 1, 0]


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


@given(st.lists(st.lists(st.sampled_from([MS, 30 * MS]), min_size=1, max_size=9), min_size=1, max_size=300))
def test_changes_that_are_put_together_are_counted_one_by_one(ages: list[list[int]]) -> None:
    registry = CollectorRegistry()
    Metrics(registry).observe_batch(VENUE, [LevelChanges([delta(age) for age in each]) for each in ages])
    labels = {"venue": "kalshi", "event_type": "delta"}
    for name in ("predsurv_events_total", "predsurv_event_latency_seconds_count"):
        assert registry.get_sample_value(name, labels) == sum(map(len, ages))


def test_packed_books_are_counted_as_books(metrics: Metrics, registry: CollectorRegistry) -> None:
    said = BookSnapshot(KEY, 9 * MS, 5 * MS, 1, None, (), ())
    metrics.observe_batch(VENUE, [PackedBook(said), said, PackedBook(said)])
    labels = {"venue": "kalshi", "event_type": "book"}
    for name in ("predsurv_events_total", "predsurv_event_latency_seconds_count"):
        assert registry.get_sample_value(name, labels) == 3


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


def test_a_venue_is_in_one_phase(metrics: Metrics, registry: CollectorRegistry) -> None:
    def shown(venue: str) -> list[str]:
        value = registry.get_sample_value
        return [each for each in PHASES if value("predsurv_venue_phase", {"venue": venue, "phase": each})]

    assert shown("kalshi") == ["unstated"]
    for phase in get_args(TradingPhase):
        stated = [VenuePhase(VENUE, 1, None, "post_only", "{}"), VenuePhase(VENUE, 2, None, phase, "{}")]
        metrics.observe_batch(VENUE, stated)
        assert shown("kalshi") == [phase]
    assert shown("mock") == ["unstated"]


def test_gaps_are_counted_by_reason(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.set_gaps(VENUE, {"stall": 2, "crash": 5})
    metrics.count_gap(VENUE, "seq_gap")
    metrics.set_gaps(VENUE, {"stall": 3})

    def count(reason: str) -> float | None:
        return registry.get_sample_value("predsurv_gaps_total", {"venue": "kalshi", "reason": reason})

    assert [count(reason) for reason in ("stall", "seq_gap", "crash", "shutdown")] == [3, 1, 5, None]


@given(st.lists(st.text(max_size=20), max_size=300))
def test_no_text_from_outside_becomes_a_series(texts: list[str]) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    before = len(generate_latest(registry).splitlines())
    for text in texts:
        metrics.observe_batch(text, [delta()])
        metrics.set_gaps(text, {cast(GapReason, text): 1})
    every_other = 1 + 16 + (len(VENUES) + 1) * (len(COUNTED) + 1) - len(VENUES) * len(COUNTED)
    assert len(generate_latest(registry).splitlines()) <= before + every_other


def test_the_series_of_two_venues_are_as_many_as_documented() -> None:
    registry = CollectorRegistry()
    Metrics(registry, VENUES[:2])
    RecordingMetrics(registry, VENUES[:2]).set_uploads(UploadLevels())
    lines = [line for line in generate_latest(registry).decode().splitlines() if line.startswith("predsurv_")]
    assert len(lines) <= SERIES_DOCUMENTED
