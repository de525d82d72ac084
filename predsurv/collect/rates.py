"""Rates of a running recording, computed from successive readings of its counters."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from predsurv.collect.status import CollectorStatus, LatencyHistogram, total_gap_time
from predsurv.core.events import GapReason

SECOND: Final = 1_000_000_000


class CounterReading(Struct, frozen=True, kw_only=True):
    """The running totals: ``rows`` and ``bytes`` sealed so far, ``latency`` since the last reading."""

    status: CollectorStatus
    rows: int = 0
    bytes: int = 0
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)

    @property
    def events(self) -> int:
        """Return the events received so far."""
        return sum(venue.events for venue in self.status.venues)


class RateFacts(Struct, frozen=True, kw_only=True):
    """What is shown of a recording: rates a second, latency in ns since the last reading, the rest as of now.

    ``gap_ns``: as in ``VenueStatus``, of all venues; ``wanted_ns``: the time since the first reading in which books
    were wanted, summed over them.
    ``running``: ns since the first reading. ``next_rotation`` and ``all_seen`` in ns from now, None when unknown.
    """

    status: CollectorStatus
    running: int
    events_per_s: int
    bytes_per_s: int
    wanted: int
    trusted: int
    connections: int
    lag_p50: int | None
    lag_p90: int | None
    lag_p99: int | None
    wanted_ns: int
    gap_ns: Mapping[GapReason, int]
    rows: int
    bytes: int
    next_rotation: int | None
    all_seen: int | None


class RateMeter:
    """Computes rates from each reading and those before."""

    def __init__(self, first: CounterReading) -> None:
        self._first = self._last = first
        self._wanted_ns = 0

    def update(self, reading: CounterReading) -> RateFacts:
        """Return the rates as of ``reading``, which is compared with the one before."""
        status, last, latency = reading.status, self._last, reading.latency
        elapsed = max(1, status.at - last.status.at)
        running = max(1, status.at - self._first.status.at)
        self._last = reading
        venues = status.venues
        self._wanted_ns += sum(venue.wanted for venue in venues) * (status.at - last.status.at)
        return RateFacts(
            status=status,
            running=running,
            events_per_s=(reading.events - last.events) * SECOND // elapsed,
            bytes_per_s=(reading.bytes - self._first.bytes) * SECOND // running,
            wanted=sum(venue.wanted for venue in venues),
            trusted=sum(venue.trusted for venue in venues),
            connections=sum(len(venue.connections) for venue in venues),
            lag_p50=latency.quantile(50),
            lag_p90=latency.quantile(90),
            lag_p99=latency.quantile(99),
            wanted_ns=self._wanted_ns,
            gap_ns=total_gap_time(venues),
            rows=reading.rows,
            bytes=reading.bytes,
            next_rotation=min((each.next_rotation for each in venues if each.next_rotation is not None), default=None),
            all_seen=max((each.all_seen for each in venues if each.all_seen is not None), default=None),
        )
