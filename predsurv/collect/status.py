"""The current status of a recording, as frozen records that can be read from any thread.

Panel, health check, metrics and log lines read these alone, so they agree with one another and none of
them reads what the event loop is changing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct, field

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.events import GapReason, VenuePhase
from predsurv.core.ids import VenueName
from predsurv.core.level_changes import PackedEvent
from predsurv.core.records import Coverage
from predsurv.store.universe import iso_time

State = Literal["starting", "recording", "degraded", "blind", "idle"]
"""``recording``: most wanted books are trusted. ``degraded``: fewer than half. ``blind``: none, though
some were. ``starting``: none yet. ``idle``: nothing is wanted."""

DEGRADED_BELOW: Final = 500_000
"""A venue of which less than this share (micros) of the wanted books is trusted is degraded."""

STARTING_MAX: Final = 60_000_000_000
"""A venue that is starting for longer than this (ns) is blind."""

# Bucket b holds latencies below 2**b microseconds; the last one everything beyond an hour.
_BUCKETS: Final = 33


class LatencyHistogram(Struct):
    """A bounded histogram of latencies in ns, precise to a factor of two within a bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    total: int = 0
    peak: int = 0

    def add(self, latency: int) -> None:
        """Count a latency in ns; a negative one (clocks differ) counts as 0."""
        self.counts[min(_BUCKETS - 1, (max(latency, 0) // 1_000).bit_length())] += 1
        self.total += 1
        self.peak = max(self.peak, latency)

    def quantile(self, percent: int) -> int | None:
        """Return the latency in ns that ``percent`` of all stayed below, None when there was none."""
        if not self.total:
            return None
        target, seen = -(-self.total * percent // 100), 0
        for bucket, number in enumerate(self.counts):
            if number and seen + number >= target:
                low, high = (1 << bucket >> 1) * 1_000, (1 << bucket) * 1_000
                return min(low + (high - low) * (target - seen) // number, max(self.peak, 0))
            seen += number
        return self.peak

    def merge(self, other: "LatencyHistogram") -> "LatencyHistogram":
        """Return both histograms as one."""
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return LatencyHistogram(counts, self.total + other.total, max(self.peak, other.peak))

    def take(self) -> "LatencyHistogram":
        """Return what was counted since the last call, and start again at nothing."""
        taken = LatencyHistogram(self.counts, self.total, self.peak)
        self.counts, self.total, self.peak = [0] * _BUCKETS, 0, 0
        return taken


class CoverageTotals(Struct):
    """Time in ns from ``since`` (ns UTC) on, summed over instruments: covered, and gaps by reason."""

    covered: int = 0
    gaps: Counter[GapReason] = field(default_factory=Counter)
    since: int = 0

    def add(self, interval: Coverage) -> None:
        """Add the length of one interval, of one that an earlier run began the part in this one."""
        length = interval.end - max(interval.start, self.since)
        if length <= 0:
            return
        if interval.reason == "live" or interval.reason == "polled":
            self.covered += length
        else:
            self.gaps[interval.reason] += length


class ConnectionStatus(Struct, frozen=True):
    """One connection, open ``since`` (ns UTC), with ``books`` of which ``trusted`` are trusted now.

    ``last_data`` (ns UTC) is when the latest of them changed, 0 before any did. ``collector``: whose it is where
    several processes record, each of which counts its epochs from 1; "" where one does.
    """

    epoch: int
    since: int
    books: int
    trusted: int
    last_data: int
    collector: str = ""


class VenueStatus(Struct, frozen=True, kw_only=True):
    """One venue. ``next_rotation``, ``all_seen`` and ``revisit`` in ns from now, None when nothing is due.

    ``all_seen``: until about when every instrument has been recorded once. ``revisit``: the time within which
    each is recorded again. ``last_data``: ns UTC, 0 when no book changed yet. ``proofs``: counts of the checks
    of the feed's data by result, where the venue has any. ``phase``: what the venue said last about trading as a
    whole, None before it did. ``waiting``: instruments that became tradable while there was no place. ``missing``: how
    many of the wanted books are not known, by the reason why.
    ``gap_ns``: the time of this run's gaps that are over, of wanted books, by reason, summed over instruments.
    ``clock_offset``: how far (ns) the machine's clock is ahead of the venue's, by the fastest recent message and so
    with its way included; None while unknown.
    """

    venue: VenueName
    state: State
    wanted: int
    trusted: int
    events: int
    connects: int
    connections: tuple[ConnectionStatus, ...]
    gaps: Mapping[GapReason, int]
    last_data: int
    next_rotation: int | None = None
    all_seen: int | None = None
    revisit: int | None = None
    failure: str | None = None
    proofs: Mapping[str, int] = {}
    phase: VenuePhase | None = None
    waiting: int = 0
    missing: Mapping[GapReason, int] = {}
    clock_offset: int | None = None
    gap_ns: Mapping[GapReason, int] = {}


class UploadStatus(Struct, frozen=True):
    """Uploads to the bucket at ``url``: files ``waiting``, ``bytes`` uploaded and ``failures`` so far.

    ``trouble``: why nothing is uploaded now, None when all is well; ``refused`` when that is permanent.

    Uploaded objects are looked at again: ``remote_checked`` counts looks, ``remote_missing`` what was not there as
    uploaded, ``remote_restored`` what of that was uploaded again, all so far. ``remote_lost``: objects that are not
    there as uploaded now and cannot be restored.
    """

    url: str
    waiting: int = 0
    bytes: int = 0
    failures: int = 0
    trouble: str | None = None
    refused: bool = False
    remote_checked: int = 0
    remote_missing: int = 0
    remote_restored: int = 0
    remote_lost: int = 0


class RescanStatus(Struct, frozen=True, kw_only=True):
    """Readings of the venues' lists while recording: how many were ``completed`` and ``failed``, one per venue.

    ``last`` and ``due``: when the last one ended and the next begins (ns UTC), 0 before any. ``news``: markets that
    were new or changed in them. ``trouble``: why the last one failed, None when it did not.
    """

    completed: int = 0
    failed: int = 0
    news: int = 0
    last: int = 0
    due: int = 0
    running: bool = False
    trouble: str | None = None


class CollectorStatus(Struct, frozen=True, kw_only=True):
    """The whole recording at ``at`` (monotonic ns, ``now`` the same in ns UTC). Sizes in bytes.

    ``paused``: why nothing can be written, None when it can. ``unsealed``: size of the open log segment.
    ``waiting``: closed log segments. ``lag_p50``, ``lag_p99``: recent latency from venue to here in ns, None
    when none is known. ``bucket`` is None when files stay on this machine, ``rescans`` when lists are not read again.
    ``clock_steps``: how often the machine's clock jumped since the start.
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
    rescans: RescanStatus | None = None
    clock_steps: int = 0


def latency_of(batch: Sequence[PackedEvent]) -> int | None:
    """Return the latency in ns of the first event with a venue time among the first four of a batch, None without."""
    for event in batch[:4]:
        sent: int | None = getattr(event, "ts_venue", None)
        if sent is not None:
            return event.ts_recv - sent
    return None


def connections_of(
    connected_since: Mapping[int, int], instruments: Iterable[RecordedInstrument]
) -> tuple[ConnectionStatus, ...]:
    """Return every open connection with its books, the one without data for longest first.

    ``connected_since``: ns UTC by epoch.
    """
    carried: dict[int, list[int]] = {epoch: [0, 0, 0] for epoch in connected_since}
    for instrument in instruments:
        counts = carried.get(instrument.epoch)
        if counts is not None:
            counts[0] += 1
            counts[1] += instrument.book.trusted
            counts[2] = max(counts[2], instrument.changed_at)
    found = [
        ConnectionStatus(epoch, connected_since[epoch], books, trusted, last_data)
        for epoch, (books, trusted, last_data) in carried.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.last_data, each.epoch)))


def state_of(before: State, wanted: int, trusted: int, age: int) -> State:
    """Return the state that follows ``before``, of a venue that was started ``age`` ns ago."""
    if not wanted:
        return "idle"
    if not trusted:
        young = before in ("starting", "idle") and age < STARTING_MAX
        return "starting" if young else "blind"
    return "recording" if trusted * 1_000_000 >= wanted * DEGRADED_BELOW else "degraded"


def missing_of(lost: Iterable[GapReason], unknown: int) -> dict[GapReason, int]:
    """Return how many books are missing by reason, most first; of ``unknown`` ones those that were not lost never came.

    ``lost``: the reasons for which books were lost.
    """
    missing: Counter[GapReason] = Counter(lost)
    missing["subscribing"] += unknown - missing.total()
    return {reason: count for reason, count in missing.most_common() if count > 0}


def missing_text(missing: Mapping[GapReason, int]) -> str:
    """Return what is missing in words, ``3 stall, 1 subscribing``; "" for nothing."""
    return ", ".join(f"{count:,} {reason}" for reason, count in missing.items())


def total_gap_time(venues: Sequence[VenueStatus]) -> dict[GapReason, int]:
    """Return the time (ns) of gaps so far by reason, most first."""
    totals: Counter[GapReason] = Counter()
    for venue in venues:
        totals.update(venue.gap_ns)
    return dict(totals.most_common())


def phase_text(phase: VenuePhase) -> str:
    """Return what a venue accepts as a whole, in words: ``trading paused (cancel only), resumes 05:00 UTC``."""
    if phase.phase == "open":
        return "trading is open"
    words = {"post_only": "orders that rest only", "cancel_only": "cancel only", "closed": "closed"}
    resumes = "" if phase.resumes is None else f", resumes {iso_time(phase.resumes)[:16].replace('T', ' ')} UTC"
    return f"trading paused ({words[phase.phase]}){resumes}"
