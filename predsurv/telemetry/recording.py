"""How a recording is doing, as Prometheus gauges.

Kept apart from what happened, which is counted: these are levels that only a recorder has.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from predsurv.telemetry.families import ClosedLabel, Counter, Gauge
from predsurv.telemetry.metrics import VENUES

OUTCOMES: Final = (
    "matched", "searched", "mismatched", "unverifiable", "postponed", "alarms", "overloads",
    "probed", "stale", "differed", "unanswered",
)  # fmt: skip
"""What may come of a check; see ``predsurv.venues.polymarket.hash_verifier.Checks``."""

_NS: Final = 1_000_000_000


class RecordingMetrics:
    """Takes levels from one thread and shows them to any that scrapes ``registry``."""

    def __init__(self, registry: CollectorRegistry, venues: Collection[str] = VENUES) -> None:
        venue = ClosedLabel("venue", venues)
        self._trusted = Gauge("predsurv_books_trusted", "Books that are known right now.", [venue])
        self._age = Gauge("predsurv_data_age_seconds", "Time since the latest change of any book.", [venue])
        self._all_seen = Gauge(
            "predsurv_all_seen_seconds", "Time until every market was recorded once; 0 when that is so.", [venue]
        )
        self._lag = Gauge(
            "predsurv_lag_seconds",
            "From the venue's time stamp to receipt, of late.",
            [ClosedLabel("quantile", ("0.5", "0.99"))],
        )
        self._checks = Counter(
            "predsurv_checks",
            "Checks of what a feed said, by what came of them.",
            [venue, ClosedLabel("outcome", OUTCOMES)],
        )
        self._free = Gauge("predsurv_disk_free_bytes", "Room on the disk that holds the data.")
        self._paused = Gauge("predsurv_log_paused", "1 while nothing can be written, else 0.")
        self._waiting = Gauge("predsurv_uploads_waiting", "Sealed files that the bucket does not have yet.")
        self._uploaded = Counter("predsurv_uploaded_bytes", "Bytes of sealed files that went to the bucket.")
        self._failures = Counter("predsurv_upload_failures", "Attempts to upload that failed.")
        registry.register(self)

    def set_venue(self, venue: str, *, trusted: int, data_age: int | None, all_seen: int | None) -> None:
        """Set the levels of one venue; times in ns, ``data_age`` None before any data came."""
        self._trusted.set((venue,), trusted)
        if data_age is not None:
            self._age.set((venue,), max(data_age, 0) / _NS)
        self._all_seen.set((venue,), (all_seen or 0) / _NS)

    def set_checks(self, venue: str, counts: Mapping[str, int]) -> None:
        """Set how many checks came out how."""
        for outcome, count in counts.items():
            self._checks.reach((venue, outcome), count)

    def set_lag(self, p50: int | None, p99: int | None) -> None:
        """Set recent delays in ns, None for one that nothing is known of."""
        for quantile, lag in (("0.5", p50), ("0.99", p99)):
            if lag is not None:
                self._lag.set((quantile,), lag / _NS)

    def set_disk(self, free: int, *, paused: bool) -> None:
        """Set the free bytes and whether writing is at a halt."""
        self._free.set((), free)
        self._paused.set((), paused)

    def set_uploads(self, waiting: int, size: int, failures: int) -> None:
        """Set how many files wait for the bucket, the bytes that went there, and the failed attempts."""
        self._waiting.set((), waiting)
        self._uploaded.reach((), size)
        self._failures.reach((), failures)

    def collect(self) -> Iterable[Metric]:
        """Yield every metric (called by the registry, in the thread that scrapes)."""
        for table in (
            self._trusted, self._age, self._all_seen, self._checks, self._lag, self._free, self._paused,
            self._waiting, self._uploaded, self._failures,
        ):  # fmt: skip
            yield table.family()
