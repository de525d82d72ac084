"""What is known from outside of the recordings that run now, by their locks and the checkpoints in their logs.

Reading disturbs no collector: its log is read as SQLite's readers read, beside its writes.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct

from predsurv.collect.resume.checkpoint import (
    RotationNote,
    find_checkpoint,
    intervals_in,
    logged_until,
    rotation_in,
    venues_in,
)
from predsurv.core.errors import IntegrityError
from predsurv.core.events import CoverageReason
from predsurv.core.ids import VenueName
from predsurv.state.coverage import NOT_WANTED
from predsurv.store.layout import Layout
from predsurv.store.locks import LockHolder, lock_holders


class RunningVenue(Struct, frozen=True):
    """One venue: everything up to ``logged`` (ns UTC) is in the log; ``books``: how many are wanted now, by state.

    ``final``: up to when (ns UTC) the covered time of all of these is final, None when none is covered now.
    ``rotation``: None before the first one of this run.
    """

    venue: VenueName
    logged: int
    books: Mapping[CoverageReason, int]
    final: int | None = None
    rotation: RotationNote | None = None


class RunningCollector(Struct, frozen=True):
    """A collector that runs; ``venues`` is empty while it starts, and where its log cannot be read."""

    holder: LockHolder
    venues: tuple[RunningVenue, ...] = ()


def running_collectors(layout: Layout) -> list[RunningCollector]:
    """Return the collectors that write to this folder now, sorted by id."""
    return [RunningCollector(holder, _venues(layout, holder)) for holder in lock_holders(layout.state)]


def _venues(layout: Layout, holder: LockHolder) -> tuple[RunningVenue, ...]:
    checkpoint: Mapping[str, bytes] = {}
    with suppress(IntegrityError, OSError):  # damaged, or gone this moment
        checkpoint = find_checkpoint(layout, holder.collector)
    found = []
    for venue in sorted(venues_in(checkpoint)):
        with suppress(ValueError, msgspec.MsgspecError):
            logged = logged_until(venue, checkpoint)
            if logged >= holder.since:  # else an earlier run left it, and this one has not begun or does not record it
                wanted = [each for each in intervals_in(venue, checkpoint) if each.reason not in NOT_WANTED]
                books = Counter(each.reason for each in wanted).most_common()
                final = min((each.start for each in wanted if each.state == "covered"), default=None)
                rotation = rotation_in(venue, checkpoint)
                if rotation is not None and rotation.since < holder.since:
                    rotation = None  # an earlier run's
                found.append(RunningVenue(venue, logged, dict(books), final, rotation))
    return tuple(found)
