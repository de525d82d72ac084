"""Metrics, gauges and their server come from one place and agree."""

import urllib.request

from predsurv.net.clock import ManualClock
from predsurv.telemetry.health import RunHealth, health_of_run
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.recording import VenueLevels
from predsurv.telemetry.vitals import Vitals


def test_what_is_counted_is_served() -> None:
    monitor = Monitor(["mock"])
    monitor.recording.set_venue("mock", VenueLevels(wanted=6, trusted=5, last_data=7_000_000_000))
    monitor.metrics.set_gaps("mock", {"stall": 2})
    server = monitor.serve(lambda: health_of_run(Vitals(ManualClock()), RunHealth()), "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
            body = answer.read().decode()
    finally:
        server.close()
    assert 'predsurv_books_trusted{venue="mock"} 5.0' in body
    assert 'predsurv_gaps_total{reason="stall",venue="mock"} 2.0' in body
    assert monitor.registry.get_sample_value("predsurv_books_trusted", {"venue": "mock"}) == 5
    assert monitor.registry.get_sample_value("predsurv_last_data_timestamp_seconds", {"venue": "mock"}) == 7


def test_two_monitors_do_not_disturb_each_other() -> None:
    one, other = Monitor(["mock"]), Monitor(["mock"])
    one.metrics.count_gap("mock", "stall")
    assert other.registry.get_sample_value("predsurv_gaps_total", {"venue": "mock", "reason": "stall"}) == 0
