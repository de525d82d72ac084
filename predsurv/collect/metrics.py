"""Count what was written and pass every fact on to the metrics.

Kept apart so that recording does not care whether anybody measures it.
"""

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
    """Totals of the files sealed so far, by dataset; metrics and gauges None when nobody listens. One thread only."""

    def __init__(self, metrics: Metrics | None = None, gauges: RecordingMetrics | None = None) -> None:
        self.rows: Counter[Dataset] = Counter()
        self.bytes: Counter[Dataset] = Counter()
        self.seals = 0
        self.damaged: list[str] = []
        self._metrics = metrics
        self._gauges = gauges

    def batch(self, venue: VenueName, events: Sequence[MarketEvent]) -> None:
        """Take what a feed yielded."""
        if self._metrics is not None:
            self._metrics.observe_batch(venue, events)

    def gaps(self, venue: VenueName, reason: GapReason, count: int) -> None:
        """Take gaps that no feed told of."""
        if self._metrics is not None and count:
            self._metrics.count_gaps(venue, reason, count)

    def levels(self, vitals: CollectorStatus, records: int) -> None:
        """Take how the recording is doing, and how many records wait for the log."""
        if self._metrics is not None:
            for venue in vitals.venues:
                self._metrics.set_subscriptions(venue.venue, venue.wanted)
            self._metrics.set_queue_depth("records", records)
            self._metrics.set_queue_depth("seal", vitals.waiting)
        if self._gauges is not None:
            for venue in vitals.venues:
                age = vitals.now - venue.last_data if venue.last_data else None
                self._gauges.set_venue(venue.venue, trusted=venue.trusted, data_age=age, all_seen=venue.all_seen)
                self._gauges.set_checks(venue.venue, venue.proofs)
            self._gauges.set_disk(vitals.disk_free, paused=vitals.paused is not None)
            self._gauges.set_lag(vitals.lag_p50, vitals.lag_p99)
            if vitals.bucket is not None:
                self._gauges.set_uploads(vitals.bucket.waiting, vitals.bucket.bytes, vitals.bucket.failures)

    def sealed(self, report: SealReport) -> None:
        """Take what sealing a segment made."""
        self.seals += 1
        self.rows.update(report.rows)
        self.bytes.update(report.bytes)
        self.damaged += (f"{report.segment}: {what}" for what in report.damaged)
        if self._metrics is not None:
            self._metrics.observe_seal(report.duration_ns)
            for dataset, rows in report.rows.items():
                self._metrics.count_written(FOLDERS[dataset], rows, report.bytes.get(dataset, 0))
