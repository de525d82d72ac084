"""Totals and metrics agree."""

from msgspec.structs import replace

from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.status import CollectorStatus, UploadStatus, VenueStatus
from predsurv.net.clock import ManualClock
from predsurv.store.manifest import SealedFile
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
            wanted=8,
            trusted=6,
            events=0,
            connects=1,
            connections=(),
            gaps={"disconnect": 4},
            last_data=START,
            all_seen=90 * S,
            clock_offset=2_000_000,
            missing={"disconnect": 2},
        ),
    ),
    disk_free=5_000,
    waiting=2,
    paused="full",
    clock_steps=2,
)


def test_seals_add_up() -> None:
    metrics = CollectMetrics(ManualClock())
    metrics.count_sealed(SEAL)
    metrics.count_sealed(SEAL)
    assert (metrics.seals, metrics.rows["deltas"], metrics.bytes["coverage"]) == (2, 10, 60)
    assert metrics.damaged == ["c0-000000000001.db: batch 3"] * 2


def test_every_figure_reaches_the_metrics() -> None:
    monitor, clock = Monitor([VENUE]), ManualClock(START)
    metrics = CollectMetrics(clock, monitor.metrics, monitor.recording)
    metrics.begin(60 * S, bucket=False)
    metrics.observe_batch(VENUE, [book(A, START), gap(A, START)])
    metrics.set_status(STATUS, 11)
    metrics.count_sealed(SEAL)

    def value(name: str, **labels: str) -> float | None:
        return monitor.registry.get_sample_value(name, labels)

    assert value("predsurv_events_total", venue="mock", event_type="book") == 1
    assert value("predsurv_gaps_total", venue="mock", reason="disconnect") == 4
    assert value("predsurv_gaps_total", venue="mock", reason="disk_full") == 0
    assert value("predsurv_subscriptions", venue="mock") == 8
    assert value("predsurv_queue_depth", queue="records") == 11
    assert value("predsurv_rows_written_total", dataset="book_deltas") == 5
    assert value("predsurv_bytes_written_total", dataset="coverage") == 30
    assert value("predsurv_seal_duration_seconds_count") == 1
    assert value("predsurv_queue_depth", queue="seal") == 2
    assert value("predsurv_books_trusted", venue="mock") == 6
    assert value("predsurv_coverage_ratio", venue="mock") == 0.75
    assert value("predsurv_books_missing", venue="mock", reason="disconnect") == 2
    assert value("predsurv_all_seen_seconds", venue="mock") == 90
    assert (value("predsurv_disk_free_bytes"), value("predsurv_log_paused")) == (5_000, 1)
    assert value("predsurv_clock_steps_total") == 2
    assert value("predsurv_clock_offset_seconds", venue="mock") == 0.002
    assert value("predsurv_seal_interval_seconds") == 60
    assert value("predsurv_uploads_waiting") is None


def test_a_bucket_shows_its_uploads() -> None:
    monitor = Monitor([VENUE])
    metrics = CollectMetrics(ManualClock(), monitor.metrics, monitor.recording)
    metrics.begin(S, bucket=True)
    assert monitor.registry.get_sample_value("predsurv_upload_failures_total") == 0
    metrics.set_status(replace(STATUS, bucket=UploadStatus("s3://x", waiting=3, failures=1, remote_missing=2)), 0)
    assert monitor.registry.get_sample_value("predsurv_uploads_missing_total") == 2
    assert monitor.registry.get_sample_value("predsurv_upload_failures_total") == 1
    assert monitor.registry.get_sample_value("predsurv_uploads_waiting") == 3


async def test_times_are_those_of_the_machines_clock() -> None:
    """Recorded time may be ahead of it after a step back; ages are taken by the machine's."""
    monitor, clock = Monitor([VENUE]), ManualClock(START)
    metrics = CollectMetrics(clock, monitor.metrics, monitor.recording)

    def shown(name: str, **labels: str) -> float:
        found = monitor.registry.get_sample_value(f"predsurv_last_{name}_timestamp_seconds", labels)
        assert found is not None
        return found - START / S

    def status(now: int, last_data: int) -> CollectorStatus:
        return CollectorStatus(at=0, now=now, venues=(replace(STATUS.venues[0], last_data=last_data),))

    metrics.begin(60 * S, bucket=False)
    metrics.set_status(status(START, 0), 0)
    assert shown("data", venue="mock") == 0, "until there is data its age counts from the start"
    assert shown("pulse") == shown("seal") == 0
    await clock.advance(10 * S)
    metrics.set_status(status(START + 3_610 * S, START + 3_607 * S), 0)
    assert (shown("data", venue="mock"), shown("pulse"), shown("seal")) == (7, 10, 0)
    metrics.set_status(status(START + 3_610 * S, 0), 0)
    assert shown("data", venue="mock") == 7, "without a connection the last data is as old as it is"
    metrics.count_sealed(SEAL)
    assert shown("seal") == 0, "nothing was written"
    metrics.count_sealed(replace(SEAL, files=(SealedFile("trades/t.parquet", 5, START, START, 70, "00"),)))
    assert shown("seal") == 10


def test_metrics_are_optional() -> None:
    metrics = CollectMetrics(ManualClock())
    metrics.begin(S, bucket=True)
    metrics.observe_batch(VENUE, [book(A, START)])
    metrics.set_status(STATUS, 11)
    metrics.count_sealed(SEAL)
    assert metrics.seals == 1
