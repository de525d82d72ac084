"""Count what was sealed and update the metrics, where there are any."""

from collections import Counter
from collections.abc import Sequence

from predsurv.collect.status import CollectorStatus
from predsurv.core.events import GapReason, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.store.layout import FOLDERS, Dataset
from predsurv.store.seal.seal import SealReport
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics


class CollectMetrics:
    """Totals of the files sealed so far, by dataset, and the metrics (None: not measured). One thread only."""

    def __init__(self, metrics: Metrics | None = None, gauges: RecordingMetrics | None = None) -> None:
        self.rows: Counter[Dataset] = Counter()
        self.bytes: Counter[Dataset] = Counter()
        self.seals = 0
        self.damaged: list[str] = []
        self._metrics = metrics
        self._gauges = gauges

    def observe_batch(self, venue: VenueName, events: Sequence[MarketEvent]) -> None:
        """Count the events of a batch."""
        if self._metrics is not None:
            self._metrics.observe_batch(venue, events)

    def count_gaps(self, venue: VenueName, reason: GapReason, count: int) -> None:
        """Count gaps that are not events of the feed."""
        if self._metrics is not None and count:
            self._metrics.count_gaps(venue, reason, count)

    def set_status(self, status: CollectorStatus, records: int) -> None:
        """Set the gauges to ``status``, with ``records`` waiting for the log."""
        if self._metrics is not None:
            for venue in status.venues:
                self._metrics.set_subscriptions(venue.venue, venue.wanted)
            self._metrics.set_queue_depth("records", records)
            self._metrics.set_queue_depth("seal", status.waiting)
        if self._gauges is not None:
            for venue in status.venues:
                age = status.now - venue.last_data if venue.last_data else None
                self._gauges.set_venue(venue.venue, trusted=venue.trusted, data_age=age, all_seen=venue.all_seen)
                self._gauges.set_checks(venue.venue, venue.proofs)
                self._gauges.set_waiting(venue.venue, venue.waiting)
                if venue.phase is not None:
                    self._gauges.set_phase(venue.venue, venue.phase.phase)
            if status.rescans is not None:
                self._gauges.set_rescans(status.rescans.completed, status.rescans.failed)
            self._gauges.set_disk(status.disk_free, paused=status.paused is not None)
            self._gauges.set_lag(status.lag_p50, status.lag_p99)
            if status.bucket is not None:
                self._gauges.set_uploads(status.bucket.waiting, status.bucket.bytes, status.bucket.failures)

    def count_sealed(self, report: SealReport) -> None:
        """Count a sealed segment and its files."""
        self.seals += 1
        self.rows.update(report.rows)
        self.bytes.update(report.bytes)
        self.damaged += (f"{report.segment}: {what}" for what in report.damaged)
        if self._metrics is not None:
            self._metrics.observe_seal(report.duration_ns)
            for dataset, rows in report.rows.items():
                self._metrics.count_written(FOLDERS[dataset], rows, report.bytes.get(dataset, 0))
