"""What a recording came to, as one record.

Kept apart from the job so that commands, tests and later runs read the same figures.
"""

from collections.abc import Mapping

from msgspec import Struct

from predsurv.collect.session import RecordingSession
from predsurv.collect.status import UploadStatus
from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName
from predsurv.store.layout import Dataset


class VenueReport(Struct, frozen=True, kw_only=True):
    """One venue's share. Times in ns, summed over instruments where named ``*_ns``.

    ``covered_ns``: time in which books were known; ``gap_ns``: wanted time in which they were not,
    by reason. ``failure``: the last thing that went wrong with the feed, None when nothing did.
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
    lag_peak: int
    failure: str | None


class CollectReport(Struct, frozen=True, kw_only=True):
    """The whole recording. ``rows`` and ``bytes`` by dataset are of the files sealed; ``duration`` in ns.

    ``recovered``: segments of an earlier run that were sealed at start. ``damaged``: what could not
    be read and was put aside. ``bucket``: what went there and what has to wait, None when there is none.
    """

    venues: tuple[VenueReport, ...]
    rows: Mapping[Dataset, int]
    bytes: Mapping[Dataset, int]
    seals: int
    recovered: int
    damaged: tuple[str, ...]
    duration: int
    bucket: UploadStatus | None = None


def venue_report(session: RecordingSession) -> VenueReport:
    """Return what the recording of one venue came to."""
    tally, steering = session.recorder.tally, session.steering
    return VenueReport(
        venue=session.venue.name,
        instruments=len(steering.recorded) + steering.closed,
        events=tally.events,
        orphans=tally.orphans,
        malformed=tally.malformed,
        unknown=tally.unknown,
        dropped=tally.dropped,
        gaps=dict(tally.gaps),
        covered_ns=session.balance.covered,
        gap_ns=dict(session.balance.gaps),
        lag_p50=session.lags.quantile(50),
        lag_p99=session.lags.quantile(99),
        lag_peak=session.lags.peak,
        failure=session.failure,
    )
