"""Count what was sealed and update the metrics, where there are any."""

from collections import Counter
from collections.abc import Sequence

from predsurv.collect.status import CollectorStatus, UploadStatus, VenueStatus
from predsurv.core.ids import VenueName
from predsurv.core.level_changes import PackedEvent
from predsurv.ports import Clock
from predsurv.store.layout import FOLDERS, Dataset
from predsurv.store.seal.seal import SealReport
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics, UploadLevels, VenueLevels


class CollectMetrics:
    """Totals of the files sealed so far, by dataset, and the metrics (None: not measured). One thread only."""

    def __init__(self, clock: Clock, metrics: Metrics | None = None, gauges: RecordingMetrics | None = None) -> None:
        self.rows: Counter[Dataset] = Counter()
        self.bytes: Counter[Dataset] = Counter()
        self.seals = 0
        self.damaged: list[str] = []
        self._clock = clock
        self._metrics = metrics
        self._gauges = gauges
        self._began = clock.now()
        self._last_data: dict[VenueName, int] = {}  # as recorded, ns UTC; kept while a venue is not connected

    def begin(self, seal_interval: int, *, bucket: bool) -> None:
        """Show the metrics of files as a recording begins that seals every ``seal_interval`` (ns)."""
        self._began = self._clock.now()
        if self._gauges is not None:
            self._gauges.begin(self._began, seal_interval)
            if bucket:
                self._gauges.set_uploads(UploadLevels())

    def observe_batch(self, venue: VenueName, events: Sequence[PackedEvent]) -> None:
        """Count the events of a batch."""
        if self._metrics is not None:
            self._metrics.observe_batch(venue, events)

    def set_status(self, status: CollectorStatus, records: int) -> None:
        """Set the metrics to ``status``, with ``records`` waiting for the log."""
        now = self._clock.now()
        if self._metrics is not None:
            self._metrics.set_pulse(now)
            for venue in status.venues:
                self._metrics.set_gaps(venue.venue, venue.gaps)
        if self._gauges is not None:
            for venue in status.venues:
                self._gauges.set_venue(venue.venue, self._levels(venue, now - status.now))
            self._gauges.set_queue_depth("records", records)
            self._gauges.set_queue_depth("seal", status.waiting)
            self._gauges.set_clock_steps(status.clock_steps)
            if status.rescans is not None:
                self._gauges.set_rescans(status.rescans.completed, status.rescans.failed)
            self._gauges.set_disk(status.disk_free, paused=status.paused is not None)
            if status.bucket is not None:
                self._gauges.set_uploads(_upload_levels(status.bucket))

    def count_sealed(self, report: SealReport) -> None:
        """Count a sealed segment and its files."""
        self.seals += 1
        self.rows.update(report.rows)
        self.bytes.update(report.bytes)
        self.damaged += (f"{report.segment}: {what}" for what in report.damaged)
        if self._gauges is not None:
            self._gauges.observe_seal(report.duration_ns, self._clock.now() if report.files else None)
            for dataset, rows in report.rows.items():
                self._gauges.count_written(FOLDERS[dataset], rows, report.bytes.get(dataset, 0))

    def _levels(self, venue: VenueStatus, ahead: int) -> VenueLevels:
        """Return the figures of a venue; the machine's clock is ``ahead`` (ns) of the time that is recorded."""
        if venue.last_data:
            self._last_data[venue.venue] = venue.last_data
        last_data = self._last_data.get(venue.venue)
        return VenueLevels(
            wanted=venue.wanted,
            trusted=venue.trusted,
            # A reader takes the age by the machine's clock, from which recorded time differs after a step back.
            last_data=self._began if last_data is None else last_data + ahead,
            waiting=venue.waiting,
            all_seen=venue.all_seen or 0,
            clock_offset=venue.clock_offset,
            checks=venue.proofs,
            missing=venue.missing,
        )


def _upload_levels(bucket: UploadStatus) -> UploadLevels:
    return UploadLevels(
        waiting=bucket.waiting,
        bytes=bucket.bytes,
        failures=bucket.failures,
        refused=bucket.refused,
        checked=bucket.remote_checked,
        missing=bucket.remote_missing,
        restored=bucket.remote_restored,
        lost=bucket.remote_lost,
    )
