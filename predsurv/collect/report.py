"""The result of a recording, as one record for commands and tests."""

from collections.abc import Mapping

from msgspec import Struct

from predsurv.collect.session import RecordingSession
from predsurv.collect.status import RescanStatus, UploadStatus
from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName
from predsurv.store.layout import Dataset


class VenueReport(Struct, frozen=True, kw_only=True):
    """The result of one venue. Times in ns, summed over instruments where named ``*_ns``.

    ``covered_ns``: covered time; ``gap_ns``: gaps in wanted time, by reason. ``lag_p50``, ``lag_p99``, ``lag_peak``:
    latency, None when the venue sends no times. ``failure``: the last fault of the feed, None when there was none.
    """

    venue: VenueName
    instruments: int
    events: int
    orphans: int
    malformed: int
    unknown: int
    dropped: int
    gaps: Mapping[GapReason, int]
    covered_ns: int
    gap_ns: Mapping[GapReason, int]
    lag_p50: int | None
    lag_p99: int | None
    lag_peak: int | None
    failure: str | None


class CollectReport(Struct, frozen=True, kw_only=True):
    """The result of a recording. ``rows`` and ``bytes`` by dataset are of the files sealed; ``duration`` in ns.

    ``recovered``: segments of an earlier run that were sealed at start. ``damaged``: what could not
    be read and is in quarantine. ``bucket``: what was uploaded and what waits, None when there is no bucket.
    ``rescans``: how often the venues' lists were read again, None when that is off.
    """

    venues: tuple[VenueReport, ...]
    rows: Mapping[Dataset, int]
    bytes: Mapping[Dataset, int]
    seals: int
    recovered: int
    damaged: tuple[str, ...]
    duration: int
    bucket: UploadStatus | None = None
    rescans: RescanStatus | None = None


def venue_report(session: RecordingSession) -> VenueReport:
    """Return the result of recording one venue."""
    counters, scheduler = session.recorder.counters, session.scheduler
    return VenueReport(
        venue=session.venue.name,
        instruments=len(scheduler.recorded) + scheduler.closed,
        events=counters.events,
        orphans=counters.orphans,
        malformed=counters.malformed,
        unknown=counters.unknown,
        dropped=counters.dropped,
        gaps=dict(counters.gaps),
        covered_ns=session.totals.covered,
        gap_ns=dict(session.totals.gaps),
        lag_p50=session.latency.quantile(50),
        lag_p99=session.latency.quantile(99),
        lag_peak=session.latency.peak if session.latency.total else None,
        failure=session.failure,
    )
