"""The health of a recording, from the status that the event loop left and the time that has passed since."""

from collections.abc import Iterator
from typing import Final

from predsurv.collect.output.sealer import SEGMENTS_WAITING_MAX
from predsurv.collect.status import CollectorStatus, VenueStatus, missing_text, phase_text
from predsurv.telemetry.health import RunHealth, VenueHealth

STUCK_AFTER: Final = 5_000_000_000
"""A recording that has committed nothing for longer (ns), its event loop turning, waits for a disk that hangs."""

DISK_LOW: Final = 2_000_000_000
"""Less free space (bytes) is worth a warning."""


def recording_health(status: CollectorStatus, elapsed: int) -> RunHealth:
    """Return the health of a recording ``elapsed`` ns after its ``status`` was taken.

    Something is wrong while nothing can be written, and while a venue has wanted books of which none is known.
    """
    stuck = f"nothing has been committed for {elapsed / 1e9:.1f} s: a write to the disk does not return"
    return RunHealth(
        causes=() if status.paused is None else (f"nothing can be written: {status.paused}",),
        warnings=tuple(_warnings(status)),
        venues=tuple(_venue_health(venue, status.now + elapsed) for venue in status.venues),
        fields={
            "paused": status.paused,
            "status_age_s": _seconds(elapsed),
            "wanted": sum(venue.wanted for venue in status.venues),
            "trusted": {venue.venue: venue.trusted for venue in status.venues},
            "disk_free_bytes": status.disk_free,
            "segments_waiting": status.waiting,
            "rescan_trouble": status.rescans.trouble if status.rescans is not None else None,
            "uploads_waiting": status.bucket.waiting if status.bucket is not None else 0,
        },
        stuck=stuck if elapsed > STUCK_AFTER else None,
    )


def _warnings(status: CollectorStatus) -> Iterator[str]:
    for venue in status.venues:
        if venue.state == "degraded":
            yield f"{venue.venue}: {venue.trusted:,} of {venue.wanted:,} wanted books are known"
    if status.venues and status.disk_free < DISK_LOW:
        yield f"{status.disk_free // 1_000_000:,} MB are free on the disk"
    if status.waiting >= SEGMENTS_WAITING_MAX:
        yield f"{status.waiting} closed segments of the log wait to become files: sealing fails, or does not keep up"
    if status.rescans is not None and status.rescans.trouble is not None:
        yield f"the last reading of a list failed: {status.rescans.trouble}"
    if status.bucket is not None and status.bucket.trouble is not None:
        yield f"nothing is uploaded: {status.bucket.trouble}"
    if status.bucket is not None and status.bucket.remote_lost:
        yield f"{status.bucket.remote_lost:,} objects are gone from the bucket and cannot be uploaded again"


def _venue_health(venue: VenueStatus, now: int) -> VenueHealth:
    return VenueHealth(
        venue=venue.venue,
        causes=tuple(_venue_causes(venue)),
        line=f"{venue.venue} {venue.state}, {venue.trusted:,} of {venue.wanted:,} books known",
        fields={
            "state": venue.state,
            "wanted": venue.wanted,
            "trusted": venue.trusted,
            "missing": dict(venue.missing),
            "connections": len(venue.connections),
            "last_data_age_s": _seconds(now - venue.last_data) if venue.last_data else None,
            "gaps": dict(venue.gaps),
            "all_seen_in_s": None if venue.all_seen is None else _seconds(venue.all_seen),
            "failure": venue.failure,
            "phase": venue.phase.phase if venue.phase is not None else None,
        },
    )


def _venue_causes(venue: VenueStatus) -> Iterator[str]:
    paused = "" if venue.phase is None or venue.phase.phase == "open" else phase_text(venue.phase)
    reasons = [text for text in (missing_text(venue.missing), paused, venue.failure) if text]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    if venue.state == "starting":
        yield f"none of {venue.wanted:,} wanted books is known yet{why}"
    elif venue.state == "blind":
        yield f"blind: none of {venue.wanted:,} wanted books is known{why}"


def _seconds(duration: int) -> float:
    return round(duration / 1e9, 3)
