"""Turn two looks at a recording into what a person wants to see while it runs.

Kept apart and pure so that the live panel, the log line and their tests share the arithmetic, and
drawing stays in the command line.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from predsurv.collect.latency import LatencyHistogram
from predsurv.collect.status import CollectorStatus, total_gaps
from predsurv.core.events import GapReason

SECOND: Final = 1_000_000_000


class CounterReading(Struct, frozen=True, kw_only=True):
    """The running totals: ``rows`` and ``bytes`` sealed so far, ``lags`` since the last reading."""

    vitals: CollectorStatus
    rows: int = 0
    bytes: int = 0
    lags: LatencyHistogram = field(default_factory=LatencyHistogram)

    @property
    def events(self) -> int:
        """Return the events received so far."""
        return sum(venue.events for venue in self.vitals.venues)


class RateFacts(Struct, frozen=True, kw_only=True):
    """What is shown: rates a second, lags in ns since the last look, the rest as of now.

    ``running`` ns since the first look. ``next_rotation`` and ``all_seen`` in ns from now.
    """

    vitals: CollectorStatus
    running: int
    events_per_s: int
    bytes_per_s: int
    wanted: int
    trusted: int
    connections: int
    lag_p50: int | None
    lag_p90: int | None
    lag_p99: int | None
    gaps: Mapping[GapReason, int]
    rows: int
    bytes: int
    next_rotation: int | None
    all_seen: int | None


class RateMeter:
    """Compares each reading with the one before."""

    def __init__(self, first: CounterReading) -> None:
        self._first = self._last = first

    def look(self, reading: CounterReading) -> RateFacts:
        """Return the facts as of ``reading``."""
        vitals, last, lags = reading.vitals, self._last, reading.lags
        elapsed = max(1, vitals.at - last.vitals.at)
        running = max(1, vitals.at - self._first.vitals.at)
        self._last = reading
        venues = vitals.venues
        return RateFacts(
            vitals=vitals,
            running=running,
            events_per_s=(reading.events - last.events) * SECOND // elapsed,
            bytes_per_s=(reading.bytes - self._first.bytes) * SECOND // running,
            wanted=sum(venue.wanted for venue in venues),
            trusted=sum(venue.trusted for venue in venues),
            connections=sum(len(venue.links) for venue in venues),
            lag_p50=lags.quantile(50),
            lag_p90=lags.quantile(90),
            lag_p99=lags.quantile(99),
            gaps=total_gaps(venues),
            rows=reading.rows,
            bytes=reading.bytes,
            next_rotation=min((each.next_rotation for each in venues if each.next_rotation is not None), default=None),
            all_seen=max((each.all_seen for each in venues if each.all_seen is not None), default=None),
        )
