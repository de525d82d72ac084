"""Levels of a recording in the units that Prometheus expects."""

from collections.abc import Mapping
from math import isnan

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from predsurv.core.events import GapReason
from predsurv.telemetry.recording import CHECK_OUTCOMES, RecordingMetrics, UploadLevels, VenueLevels

S = 1_000_000_000


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> RecordingMetrics:
    return RecordingMetrics(registry, ["mock"])


def levels(trusted: int = 3, missing: Mapping[GapReason, int] | None = None) -> VenueLevels:
    return VenueLevels(
        wanted=4,
        trusted=trusted,
        last_data=5 * S,
        waiting=2,
        all_seen=90 * S,
        clock_offset=-S // 2,
        checks={"matched": 4, "alarms": 0},
        missing={"stall": 1} if missing is None else missing,
    )


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    found = registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


def test_levels_of_a_venue_are_shown_in_seconds(metrics: RecordingMetrics, registry: CollectorRegistry) -> None:
    metrics.set_venue("mock", levels())
    assert value(registry, "predsurv_subscriptions", venue="mock") == 4
    assert value(registry, "predsurv_books_trusted", venue="mock") == 3
    assert value(registry, "predsurv_coverage_ratio", venue="mock") == 0.75
    assert value(registry, "predsurv_books_missing", venue="mock", reason="stall") == 1
    metrics.set_venue("mock", levels(trusted=4, missing={}))
    assert value(registry, "predsurv_books_missing", venue="mock", reason="stall") == 0
    assert value(registry, "predsurv_last_data_timestamp_seconds", venue="mock") == 5
    assert value(registry, "predsurv_all_seen_seconds", venue="mock") == 90
    assert value(registry, "predsurv_instruments_waiting", venue="mock") == 2
    assert value(registry, "predsurv_clock_offset_seconds", venue="mock") == -0.5
    assert value(registry, "predsurv_checks_total", venue="mock", outcome="matched") == 4


def test_a_share_of_nothing_and_an_unknown_offset_are_no_numbers(
    metrics: RecordingMetrics, registry: CollectorRegistry
) -> None:
    assert isnan(value(registry, "predsurv_coverage_ratio", venue="mock"))
    assert isnan(value(registry, "predsurv_clock_offset_seconds", venue="mock"))
    metrics.set_venue("mock", VenueLevels(wanted=0, trusted=0, last_data=S))
    assert isnan(value(registry, "predsurv_coverage_ratio", venue="mock"))
    assert isnan(value(registry, "predsurv_clock_offset_seconds", venue="mock"))


def test_a_stranger_has_one_series(metrics: RecordingMetrics, registry: CollectorRegistry) -> None:
    for name in ("\n", "stranger"):
        metrics.set_venue(name, levels(trusted=1))
    assert value(registry, "predsurv_books_trusted", venue="other") == 1
    assert generate_latest(registry).decode().count("predsurv_books_trusted{") == 2


def test_files_and_the_disk(metrics: RecordingMetrics, registry: CollectorRegistry) -> None:
    metrics.begin(50 * S, 60 * S)
    assert value(registry, "predsurv_seal_interval_seconds") == 60
    assert value(registry, "predsurv_last_seal_timestamp_seconds") == 50, "from here on a seal is waited for"
    metrics.observe_seal(30_000_000, 70 * S)
    metrics.observe_seal(10_000_000, None)
    assert value(registry, "predsurv_last_seal_timestamp_seconds") == 70, "a seal without rows makes no file"
    assert value(registry, "predsurv_seal_duration_seconds_bucket", le="0.05") == 2
    assert value(registry, "predsurv_seal_duration_seconds_sum") == 0.04
    metrics.count_written("trades", 10, 1_000)
    assert value(registry, "predsurv_rows_written_total", dataset="trades") == 10
    assert value(registry, "predsurv_bytes_written_total", dataset="trades") == 1_000
    metrics.set_disk(7, paused=True)
    assert (value(registry, "predsurv_disk_free_bytes"), value(registry, "predsurv_log_paused")) == (7, 1)
    metrics.set_queue_depth("records", 7)
    assert value(registry, "predsurv_queue_depth", queue="records") == 7
    metrics.set_rescans(3, 1)
    assert value(registry, "predsurv_rescans_total", result="failed") == 1
    metrics.set_clock_steps(2)
    assert value(registry, "predsurv_clock_steps_total") == 2


def test_uploads_are_shown_only_where_there_is_a_bucket(metrics: RecordingMetrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("predsurv_upload_failures_total", {}) is None
    metrics.set_uploads(UploadLevels())
    assert value(registry, "predsurv_upload_failures_total") == 0
    metrics.set_uploads(
        UploadLevels(waiting=12, bytes=345, failures=6, refused=True, checked=70, missing=3, restored=2, lost=1)
    )
    assert value(registry, "predsurv_uploads_waiting") == 12
    assert value(registry, "predsurv_uploaded_bytes_total") == 345
    assert value(registry, "predsurv_upload_failures_total") == 6
    assert value(registry, "predsurv_uploads_refused") == 1
    assert value(registry, "predsurv_uploads_checked_total") == 70
    assert value(registry, "predsurv_uploads_missing_total") == 3
    assert value(registry, "predsurv_uploads_restored_total") == 2
    assert value(registry, "predsurv_uploads_lost") == 1


@pytest.mark.usefixtures("metrics")
def test_everything_that_is_counted_is_seen_at_0_first(registry: CollectorRegistry) -> None:
    for outcome in CHECK_OUTCOMES:
        assert value(registry, "predsurv_checks_total", venue="mock", outcome=outcome) == 0
    assert value(registry, "predsurv_clock_steps_total") == 0
    assert value(registry, "predsurv_rescans_total", result="failed") == 0
    assert value(registry, "predsurv_rows_written_total", dataset="trades") == 0
    assert value(registry, "predsurv_seal_duration_seconds_count") == 0
