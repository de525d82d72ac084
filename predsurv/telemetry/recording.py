"""The metrics that only a recording has: books, checks, lag, disk and uploads."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from predsurv.core.events import TradingPhase
from predsurv.telemetry.families import ClosedLabel, Counter, Family, Gauge
from predsurv.telemetry.metrics import VENUES

CHECK_OUTCOMES: Final = (
    "matched", "searched", "mismatched", "unverifiable", "postponed", "alarms", "overloads",
    "probed", "stale", "differed", "unanswered",
    "lookups_unanswered", "lookups_dropped", "lookups_given_up",
)  # fmt: skip
"""Outcomes of the checks of books, as the venue adapters count them; ``docs/metrics-reference.md`` explains each."""

PHASES: Final[Sequence[str]] = get_args(TradingPhase)
"""What a whole venue may accept."""

RESCAN_RESULTS: Final = ("completed", "failed")

_NS: Final = 1_000_000_000


class RecordingMetrics:
    """Written by one thread, read by any thread that scrapes ``registry``."""

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
            [venue, ClosedLabel("outcome", CHECK_OUTCOMES)],
        )
        self._phase = Gauge(
            "predsurv_venue_phase",
            "1 for what the venue as a whole accepts now, 0 for every other phase.",
            [venue, ClosedLabel("phase", PHASES)],
        )
        self._waiting_markets = Gauge(
            "predsurv_instruments_waiting", "Instruments that opened while there was no place for them.", [venue]
        )
        self._rescans = Counter(
            "predsurv_rescans", "Readings of a venue's list while recording.", [ClosedLabel("result", RESCAN_RESULTS)]
        )
        self._free = Gauge("predsurv_disk_free_bytes", "Room on the disk that holds the data.")
        self._paused = Gauge("predsurv_log_paused", "1 while nothing can be written, else 0.")
        self._waiting = Gauge("predsurv_uploads_waiting", "Sealed files that the bucket does not have yet.")
        self._uploaded = Counter("predsurv_uploaded_bytes", "Bytes of sealed files that went to the bucket.")
        self._failures = Counter("predsurv_upload_failures", "Attempts to upload that failed.")
        self.families: Sequence[Family] = (
            self._trusted, self._age, self._all_seen, self._checks, self._phase, self._waiting_markets, self._rescans,
            self._lag, self._free, self._paused, self._waiting, self._uploaded, self._failures,
        )  # fmt: skip
        registry.register(self)

    def set_venue(self, venue: str, *, trusted: int, data_age: int | None, all_seen: int | None) -> None:
        """Set the figures of one venue; times in ns, ``data_age`` None before the first data."""
        self._trusted.set((venue,), trusted)
        if data_age is not None:
            self._age.set((venue,), max(data_age, 0) / _NS)
        self._all_seen.set((venue,), (all_seen or 0) / _NS)

    def set_phase(self, venue: str, phase: str) -> None:
        """Set what a venue as a whole accepts."""
        for each in PHASES:
            self._phase.set((venue, each), each == phase)

    def set_waiting(self, venue: str, instruments: int) -> None:
        """Set the number of instruments that have found no place so far."""
        self._waiting_markets.set((venue,), instruments)

    def set_rescans(self, completed: int, failed: int) -> None:
        """Set how many readings of a list succeeded and failed so far."""
        for result, count in zip(RESCAN_RESULTS, (completed, failed), strict=True):
            self._rescans.set_total((result,), count)

    def set_checks(self, venue: str, counts: Mapping[str, int]) -> None:
        """Set the number of checks so far by outcome."""
        for outcome, count in counts.items():
            self._checks.set_total((venue, outcome), count)

    def set_lag(self, p50: int | None, p99: int | None) -> None:
        """Set quantiles of the recent latency in ns; None leaves one as it is."""
        for quantile, lag in (("0.5", p50), ("0.99", p99)):
            if lag is not None:
                self._lag.set((quantile,), lag / _NS)

    def set_disk(self, free: int, *, paused: bool) -> None:
        """Set the free bytes of the disk and whether the log is paused."""
        self._free.set((), free)
        self._paused.set((), paused)

    def set_uploads(self, waiting: int, size: int, failures: int) -> None:
        """Set the number of files to upload, the bytes uploaded so far and the attempts that failed so far."""
        self._waiting.set((), waiting)
        self._uploaded.set_total((), size)
        self._failures.set_total((), failures)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; called by the registry, in the thread that scrapes."""
        return [family.snapshot() for family in self.families]
