"""Statuses of a recorder, as its health check and panel read them."""

from predsurv.collect.status import CollectorStatus, State, VenueStatus
from predsurv.core.ids import VenueName

START = 1_800_000_000_000_000_000
S = 1_000_000_000


def statuses(*states: State, paused: str | None = None, disk_free: int = 10**12) -> CollectorStatus:
    """Return a status with the venues ``v0``, ``v1`` … in these states, two seconds after their last data."""
    venues = tuple(
        VenueStatus(
            venue=VenueName(f"v{number}"),
            state=state,
            wanted=0 if state == "idle" else 4,
            trusted=0,
            events=0,
            connects=0,
            connections=(),
            gaps={"stall": number + 1},
            last_data=START,
        )
        for number, state in enumerate(states)
    )
    return CollectorStatus(at=0, now=START + 2 * S, venues=venues, paused=paused, disk_free=disk_free)
