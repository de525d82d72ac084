"""Totals and metrics say the same."""

from prometheus_client import CollectorRegistry

from predsurv.collect.meter import Meter
from predsurv.store.seal import SealReport
from predsurv.telemetry.metrics import Metrics
from tests.unit.collect.worlds import START, VENUE, A, book, gap

SEAL = SealReport(
    "c0-000000000001.db", rows={"deltas": 5, "coverage": 2}, bytes={"deltas": 70, "coverage": 30}, damaged=("batch 3",)
)


def test_seals_add_up() -> None:
    meter = Meter()
    meter.sealed([SEAL, SEAL])
    assert (meter.seals, meter.rows["deltas"], meter.bytes["coverage"]) == (2, 10, 60)
    assert meter.damaged == ["c0-000000000001.db: batch 3"] * 2


def test_every_fact_reaches_the_metrics() -> None:
    registry = CollectorRegistry()
    meter = Meter(Metrics(registry))
    meter.batch(VENUE, [book(A, START), gap(A, START)])
    meter.gaps(VENUE, "crash", 3)
    meter.gaps(VENUE, "disk_full", 0)
    meter.levels([(VENUE, 7)], 11, 2)
    meter.sealed([SEAL])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("predsurv_events_total", venue="mock", event_type="book") == 1
    assert value("predsurv_gaps_total", venue="mock", reason="disconnect") == 1
    assert value("predsurv_gaps_total", venue="mock", reason="crash") == 3
    assert value("predsurv_gaps_total", venue="mock", reason="disk_full") is None
    assert value("predsurv_subscriptions", venue="mock") == 7
    assert value("predsurv_queue_depth", queue="records") == 11
    assert value("predsurv_rows_written_total", dataset="book_deltas") == 5
    assert value("predsurv_bytes_written_total", dataset="coverage") == 30
    assert value("predsurv_seal_duration_seconds_count") == 1
