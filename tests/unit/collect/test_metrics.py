"""Totals and metrics agree."""

from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.status import CollectorStatus, VenueStatus
from predsurv.store.seal.seal import SealReport
from predsurv.telemetry.monitor import Monitor
from tests.kit.recorder_samples import START, VENUE, A, S, book, gap

SEAL = SealReport(
    "c0-000000000001.db", rows={"deltas": 5, "coverage": 2}, bytes={"deltas": 70, "coverage": 30}, damaged=("batch 3",)
)
STATUS = CollectorStatus(
    at=0,
    now=START + 3 * S,
    venues=(
        VenueStatus(
            venue=VENUE,
            state="recording",
            wanted=7,
            trusted=6,
            events=0,
            connects=1,
            connections=(),
            gaps={},
            last_data=START,
            all_seen=90 * S,
        ),
    ),
    disk_free=5_000,
    waiting=2,
    paused="full",
    lag_p50=2_000_000,
)


def test_seals_add_up() -> None:
    metrics = CollectMetrics()
    metrics.count_sealed(SEAL)
    metrics.count_sealed(SEAL)
    assert (metrics.seals, metrics.rows["deltas"], metrics.bytes["coverage"]) == (2, 10, 60)
    assert metrics.damaged == ["c0-000000000001.db: batch 3"] * 2


def test_every_figure_reaches_the_metrics() -> None:
    monitor = Monitor([VENUE])
    metrics = CollectMetrics(monitor.metrics, monitor.recording)
    metrics.observe_batch(VENUE, [book(A, START), gap(A, START)])
    metrics.count_gaps(VENUE, "crash", 3)
    metrics.count_gaps(VENUE, "disk_full", 0)
    metrics.set_status(STATUS, 11)
    metrics.count_sealed(SEAL)

    def value(name: str, **labels: str) -> float | None:
        return monitor.registry.get_sample_value(name, labels)

    assert value("predsurv_events_total", venue="mock", event_type="book") == 1
    assert value("predsurv_gaps_total", venue="mock", reason="disconnect") == 1
    assert value("predsurv_gaps_total", venue="mock", reason="crash") == 3
    assert value("predsurv_gaps_total", venue="mock", reason="disk_full") is None
    assert value("predsurv_subscriptions", venue="mock") == 7
    assert value("predsurv_queue_depth", queue="records") == 11
    assert value("predsurv_rows_written_total", dataset="book_deltas") == 5
    assert value("predsurv_bytes_written_total", dataset="coverage") == 30
    assert value("predsurv_seal_duration_seconds_count") == 1
    assert value("predsurv_queue_depth", queue="seal") == 2
    assert value("predsurv_books_trusted", venue="mock") == 6
    assert value("predsurv_data_age_seconds", venue="mock") == 3
    assert value("predsurv_all_seen_seconds", venue="mock") == 90
    assert (value("predsurv_disk_free_bytes"), value("predsurv_log_paused")) == (5_000, 1)
    assert value("predsurv_lag_seconds", quantile="0.5") == 0.002
    assert value("predsurv_lag_seconds", quantile="0.99") is None


def test_metrics_are_optional() -> None:
    metrics = CollectMetrics()
    metrics.observe_batch(VENUE, [book(A, START)])
    metrics.count_gaps(VENUE, "crash", 3)
    metrics.set_status(STATUS, 11)
    metrics.count_sealed(SEAL)
    assert metrics.seals == 1
