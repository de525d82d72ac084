"""How a recording is doing right now, as one record that can be read from any thread.

Kept apart because panel, health check, metrics and log lines must agree, and none of them may
touch what the event loop is changing.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from predsurv.collect.recording.reducer import EventReducer
from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName

State = Literal["starting", "recording", "degraded", "blind", "idle"]
"""``recording``: most wanted books are known. ``degraded``: fewer than half. ``blind``: none, though
some were. ``starting``: none yet. ``idle``: nothing is wanted."""

DEGRADED_BELOW: Final = 500_000
"""A venue of which less than this share (micros) of the wanted books is known is degraded."""

STARTING_MAX: Final = 60_000_000_000
"""Starting for longer than this (ns) is being blind."""


class ConnectionStatus(Struct, frozen=True):
    """One connection: up ``since`` (ns UTC), carrying ``books`` of which ``trusted`` are known now.

    ``last_data`` (ns UTC) is when the latest of them changed, 0 before any did.
    """

    epoch: int
    since: int
    books: int
    trusted: int
    last_data: int


class VenueStatus(Struct, frozen=True, kw_only=True):
    """One venue. ``next_rotation``, ``all_seen`` and ``revisit`` in ns from now, None when nothing is due.

    ``all_seen``: until about when nobody is left that was never recorded. ``revisit``: within which
    time each market has a turn. ``proofs``: how checks of what the feed said came out, where there are any.
    """

    venue: VenueName
    state: State
    wanted: int
    trusted: int
    events: int
    connects: int
    links: tuple[ConnectionStatus, ...]
    gaps: Mapping[GapReason, int]
    last_data: int
    next_rotation: int | None = None
    all_seen: int | None = None
    revisit: int | None = None
    failure: str | None = None
    proofs: Mapping[str, int] = {}


class UploadStatus(Struct, frozen=True):
    """The way to the bucket at ``url``: sealed files ``waiting``, objects' ``bytes`` that went, ``failures`` so far.

    ``trouble``: why nothing goes there right now, None when all is well; ``refused`` when that is for good.
    """

    url: str
    waiting: int = 0
    bytes: int = 0
    failures: int = 0
    trouble: str | None = None
    refused: bool = False


class CollectorStatus(Struct, frozen=True, kw_only=True):
    """Everything at ``at`` (monotonic ns, ``now`` the same in ns UTC). Sizes in bytes.

    ``paused``: why nothing can be written, None when it can. ``waiting``: closed log segments.
    ``lag_p50``, ``lag_p99``: delays from venue to here in ns, of late, None when none is known.
    ``bucket`` is None when files stay on this machine.
    """

    at: int
    now: int
    venues: tuple[VenueStatus, ...] = ()
    disk_free: int = 0
    unsealed: int = 0
    waiting: int = 0
    paused: str | None = None
    lag_p50: int | None = None
    lag_p99: int | None = None
    bucket: UploadStatus | None = None


def links_of(fold: EventReducer) -> tuple[ConnectionStatus, ...]:
    """Return every open connection with what it carries, the one silent for longest first."""
    carried: dict[int, list[int]] = {epoch: [0, 0, 0] for epoch in fold.tally.up}
    for line in fold.lines.values():
        counts = carried.get(line.epoch)
        if counts is not None:
            counts[0] += 1
            counts[1] += line.book.trusted
            counts[2] = max(counts[2], line.changed_at)
    links = [ConnectionStatus(epoch, fold.tally.up[epoch], *counts) for epoch, counts in carried.items()]
    return tuple(sorted(links, key=lambda link: (link.last_data, link.epoch)))


def state_of(before: State, wanted: int, trusted: int, age: int) -> State:
    """Return the state after ``before`` of a venue that was started ``age`` ns ago."""
    if not wanted:
        return "idle"
    if not trusted:
        young = before in ("starting", "idle") and age < STARTING_MAX
        return "starting" if young else "blind"
    return "recording" if trusted * 1_000_000 >= wanted * DEGRADED_BELOW else "degraded"


def health_of(vitals: CollectorStatus) -> dict[str, object]:
    """Return what /healthz says; not ok while nothing can be written, or nothing that is wanted can be seen."""
    wanting = [venue for venue in vitals.venues if venue.state != "idle"]
    seen = not wanting or any(venue.state not in ("blind", "starting") for venue in wanting)
    return {
        "ok": vitals.paused is None and seen,
        "paused": vitals.paused,
        "wanted": sum(venue.wanted for venue in vitals.venues),
        "trusted": {venue.venue: venue.trusted for venue in vitals.venues},
        "disk_free_bytes": vitals.disk_free,
        "segments_waiting": vitals.waiting,
        "uploads_waiting": vitals.bucket.waiting if vitals.bucket is not None else 0,
        "venues": {venue.venue: _venue_health(venue, vitals.now) for venue in vitals.venues},
    }


def _venue_health(venue: VenueStatus, now: int) -> dict[str, object]:
    return {
        "state": venue.state,
        "wanted": venue.wanted,
        "trusted": venue.trusted,
        "connections": len(venue.links),
        "last_data_age_s": _seconds(now - venue.last_data) if venue.last_data else None,
        "gaps": dict(venue.gaps),
        "all_seen_in_s": None if venue.all_seen is None else _seconds(venue.all_seen),
        "failure": venue.failure,
    }


def total_gaps(venues: Iterable[VenueStatus]) -> dict[GapReason, int]:
    """Return the gaps so far by reason, most first."""
    totals: dict[GapReason, int] = {}
    for venue in venues:
        for reason, count in venue.gaps.items():
            totals[reason] = totals.get(reason, 0) + count
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _seconds(duration: int) -> float:
    return round(duration / 1e9, 3)
