"""Levels of a recording in the units that Prometheus expects."""

from prometheus_client import CollectorRegistry

from predsurv.telemetry.recording import RecordingMetrics


def test_levels_are_shown_in_seconds_and_bytes() -> None:
    registry = CollectorRegistry()
    gauges = RecordingMetrics(registry, ["mock"])
    gauges.set_venue("mock", trusted=3, data_age=-5, all_seen=90_000_000_000)
    gauges.set_venue("stranger", trusted=1, data_age=2_000_000_000, all_seen=None)
    gauges.set_disk(7, paused=True)
    gauges.set_lag(1_500_000_000, None)
    gauges.set_checks("mock", {"matched": 4, "alarms": 0})
    gauges.set_uploads(12, 345, 6)
    value = registry.get_sample_value
    assert value("predsurv_books_trusted", {"venue": "mock"}) == 3
    assert value("predsurv_books_trusted", {"venue": "other"}) == 1
    assert value("predsurv_data_age_seconds", {"venue": "mock"}) == 0
    assert value("predsurv_data_age_seconds", {"venue": "other"}) == 2
    assert value("predsurv_all_seen_seconds", {"venue": "mock"}) == 90
    assert value("predsurv_all_seen_seconds", {"venue": "other"}) == 0
    assert value("predsurv_disk_free_bytes", {}) == 7
    assert value("predsurv_log_paused", {}) == 1
    assert value("predsurv_checks_total", {"venue": "mock", "outcome": "matched"}) == 4
    assert value("predsurv_uploads_waiting", {}) == 12
    assert value("predsurv_uploaded_bytes_total", {}) == 345
    assert value("predsurv_upload_failures_total", {}) == 6
    assert value("predsurv_lag_seconds", {"quantile": "0.5"}) == 1.5
    assert value("predsurv_lag_seconds", {"quantile": "0.99"}) is None
