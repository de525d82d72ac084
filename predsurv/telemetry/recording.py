"""The metrics that only a recording has: books, checks, clock, files, disk and uploads."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import nan
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from predsurv.core.events import GapReason
from predsurv.telemetry.families import ClosedLabel, Counter, Family, Gauge, Histogram
from predsurv.telemetry.metrics import COUNTED, VENUES

CHECK_OUTCOMES: Final = (
    "matched", "searched", "mismatched", "unverifiable", "postponed", "alarms", "overloads",
    "probed", "stale", "differed", "unanswered",
    "lookups_unanswered", "lookups_dropped", "lookups_given_up",
)  # fmt: skip
"""Outcomes of the checks of books, as the venue adapters count them; ``docs/metrics-reference.md`` explains each."""

QUEUES: Final = ("records", "seal")
DATASETS: Final = ("orderbook_snapshots", "book_deltas", "trades", "coverage", "lifecycle", "rotations")
RESCAN_RESULTS: Final = ("completed", "failed")

_MS: Final = 1_000_000
_NS: Final = 1_000_000_000
_SEAL: Final = tuple(ms * _MS for ms in (10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000))


class VenueLevels(Struct, frozen=True, kw_only=True):
    """The figures of one venue; ``last_data`` in ns UTC by the machine's clock, the start before any data.

    ``trusted`` of ``wanted`` books are known; ``waiting`` instruments have no place. ``all_seen`` and ``clock_offset``
    in ns, the latter None while unknown. ``checks`` so far by outcome. ``missing``: wanted books that are not known, by
    the reason why.
    """

    wanted: int
    trusted: int
    last_data: int
    waiting: int = 0
    all_seen: int = 0
    clock_offset: int | None = None
    checks: Mapping[str, int] = {}
    missing: Mapping[GapReason, int] = {}


class UploadLevels(Struct, frozen=True, kw_only=True):
    """Uploads to a bucket: files ``waiting``, whether it ``refused`` for good, objects ``lost`` now; the rest so far.

    ``checked`` looks at objects that were uploaded before, of which ``missing`` were not there as uploaded, and
    ``restored`` of these were uploaded again.
    """

    waiting: int = 0
    bytes: int = 0
    failures: int = 0
    refused: bool = False
    checked: int = 0
    missing: int = 0
    restored: int = 0
    lost: int = 0


class RecordingMetrics:
    """Written by one thread, read by any thread that scrapes ``registry``."""

    def __init__(self, registry: CollectorRegistry, venues: Collection[str] = VENUES) -> None:
        venue, dataset = ClosedLabel("venue", venues), ClosedLabel("dataset", DATASETS)
        self._venues = _VenueGauges(venue)
        self._rescans = Counter(
            "predsurv_rescans", "Readings of a venue's list while recording.", [ClosedLabel("result", RESCAN_RESULTS)]
        )
        self._steps = Counter("predsurv_clock_steps", "Jumps of the machine's clock.")
        self._queues = Gauge(
            "predsurv_queue_depth", "Items that wait in a bounded queue.", [ClosedLabel("queue", QUEUES)], start=0
        )
        self._rows = Counter("predsurv_rows_written", "Rows in sealed files.", [dataset])
        self._bytes = Counter("predsurv_bytes_written", "Bytes of sealed files.", [dataset])
        self._seals = Histogram("predsurv_seal_duration_seconds", "Time to seal one segment.", _SEAL)
        self._last_seal = Gauge("predsurv_last_seal_timestamp_seconds", "When rows were last sealed into files.")
        self._interval = Gauge("predsurv_seal_interval_seconds", "How often the log is sealed into files.")
        self._free = Gauge("predsurv_disk_free_bytes", "Room on the disk that holds the data.")
        self._paused = Gauge("predsurv_log_paused", "1 while nothing can be written, else 0.", start=0)
        self._uploads = _UploadFamilies()
        self.families: Sequence[Family] = (
            *self._venues.families, self._rescans, self._steps, self._queues, self._rows, self._bytes, self._seals,
            self._last_seal, self._interval, self._free, self._paused, *self._uploads.families,
        )  # fmt: skip
        registry.register(self)

    def begin(self, now: int, seal_interval: int) -> None:
        """Set when (ns UTC) the recording began, from where on seals are waited for, and how often (ns) they come."""
        self._last_seal.set((), now / _NS)
        self._interval.set((), seal_interval / _NS)

    def set_venue(self, venue: str, levels: VenueLevels) -> None:
        """Set the figures of one venue."""
        self._venues.set(venue, levels)

    def set_rescans(self, completed: int, failed: int) -> None:
        """Set how many readings of a list succeeded and failed so far."""
        for result, count in zip(RESCAN_RESULTS, (completed, failed), strict=True):
            self._rescans.set_total((result,), count)

    def set_clock_steps(self, count: int) -> None:
        """Set how often the machine's clock jumped so far."""
        self._steps.set_total((), count)

    def set_queue_depth(self, queue: str, depth: int) -> None:
        """Set the number of items that wait in a queue."""
        self._queues.set((queue,), depth)

    def count_written(self, dataset: str, rows: int, size: int) -> None:
        """Count the rows and bytes of a sealed file."""
        self._rows.add((dataset,), rows)
        self._bytes.add((dataset,), size)

    def observe_seal(self, duration: int, ended: int | None) -> None:
        """Observe how long (ns) the sealing of a segment took, and when (ns UTC) it ended if it had any rows."""
        self._seals.observer(())(duration, 1)
        if ended is not None:
            self._last_seal.set((), ended / _NS)

    def set_disk(self, free: int, *, paused: bool) -> None:
        """Set the free bytes of the disk and whether the log is paused."""
        self._free.set((), free)
        self._paused.set((), paused)

    def set_uploads(self, levels: UploadLevels) -> None:
        """Set the figures of uploads: before anything is uploaded first, without a bucket not at all."""
        self._uploads.set(levels)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; called by the registry, in the thread that scrapes."""
        return [family.snapshot() for family in self.families]


class _VenueGauges:
    """The families with a series for each venue."""

    def __init__(self, venue: ClosedLabel) -> None:
        self._wanted = Gauge("predsurv_subscriptions", "Instruments subscribed to.", [venue], start=0)
        self._trusted = Gauge("predsurv_books_trusted", "Books that are known right now.", [venue], start=0)
        self._missing = Gauge(
            "predsurv_books_missing",
            "Wanted books that are not known, by reason.",
            [venue, ClosedLabel("reason", COUNTED)],
            start=0,
        )
        self._ratio = Gauge(
            "predsurv_coverage_ratio", "Known books as a share of the wanted ones; NaN without any.", [venue], start=nan
        )
        self._last_data = Gauge("predsurv_last_data_timestamp_seconds", "When any book changed last.", [venue])
        self._all_seen = Gauge(
            "predsurv_all_seen_seconds", "Time until every market was recorded once; 0 when that is so.", [venue]
        )
        self._waiting = Gauge(
            "predsurv_instruments_waiting", "Instruments that opened while there was no place for them.", [venue]
        )
        self._offset = Gauge(
            "predsurv_clock_offset_seconds",
            "How far the machine's clock is ahead of the venue's, way included; NaN while unknown.",
            [venue],
            start=nan,
        )
        self._checks = Counter(
            "predsurv_checks",
            "Checks of what a feed said, by what came of them.",
            [venue, ClosedLabel("outcome", CHECK_OUTCOMES)],
        )
        self.families: Sequence[Family] = (
            self._wanted, self._trusted, self._missing, self._ratio, self._last_data, self._all_seen, self._waiting,
            self._offset, self._checks,
        )  # fmt: skip

    def set(self, venue: str, levels: VenueLevels) -> None:
        self._wanted.set((venue,), levels.wanted)
        self._trusted.set((venue,), levels.trusted)
        for reason in COUNTED:
            self._missing.set((venue, reason), levels.missing.get(reason, 0))
        self._ratio.set((venue,), levels.trusted / levels.wanted if levels.wanted else nan)
        self._last_data.set((venue,), levels.last_data / _NS)
        self._all_seen.set((venue,), levels.all_seen / _NS)
        self._waiting.set((venue,), levels.waiting)
        self._offset.set((venue,), nan if levels.clock_offset is None else levels.clock_offset / _NS)
        for outcome, count in levels.checks.items():
            self._checks.set_total((venue, outcome), count)


class _UploadFamilies:
    """The families of a recording that goes to a bucket; empty without one."""

    def __init__(self) -> None:
        self._waiting = Gauge("predsurv_uploads_waiting", "Sealed files that the bucket does not have yet.")
        self._refused = Gauge("predsurv_uploads_refused", "1 once the bucket refused for good, else 0.")
        self._lost = Gauge("predsurv_uploads_lost", "Objects that are gone from the bucket and cannot be restored.")
        counters = (
            ("predsurv_uploaded_bytes", "Bytes of sealed files that went to the bucket."),
            ("predsurv_upload_failures", "Attempts to upload that failed."),
            ("predsurv_uploads_checked", "Looks at objects that were uploaded before."),
            ("predsurv_uploads_missing", "Objects that were not in the bucket as uploaded."),
            ("predsurv_uploads_restored", "Missing objects that were uploaded again."),
        )
        self._totals = tuple(Counter(name, about, only=()) for name, about in counters)
        self.families: Sequence[Family] = (self._waiting, self._refused, self._lost, *self._totals)

    def set(self, levels: UploadLevels) -> None:
        self._waiting.set((), levels.waiting)
        self._refused.set((), levels.refused)
        self._lost.set((), levels.lost)
        totals = (levels.bytes, levels.failures, levels.checked, levels.missing, levels.restored)
        for family, total in zip(self._totals, totals, strict=True):
            family.set_total((), total)
