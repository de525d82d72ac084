"""Turn the job's running counts into what a person wants to see while it runs.

Kept apart and pure so that the live line, the log line and their tests share the arithmetic, and
drawing stays in the command line.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from predsurv.core.events import MarketEvent

SECOND: Final = 1_000_000_000

# Bucket b holds lags below 2**b microseconds; the last one everything beyond an hour.
_BUCKETS: Final = 33


class Lags(Struct):
    """A histogram of delays from venue to here; bounded, and precise to a factor of two within a bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    total: int = 0
    peak: int = 0

    def add(self, lag: int) -> None:
        """Count a delay in ns; a negative one (clocks differ) counts as none."""
        self.counts[min(_BUCKETS - 1, (max(lag, 0) // 1_000).bit_length())] += 1
        self.total += 1
        self.peak = max(self.peak, lag)

    def quantile(self, percent: int) -> int | None:
        """Return the delay in ns that ``percent`` of all stayed below, None when there was none."""
        if not self.total:
            return None
        target, seen = -(-self.total * percent // 100), 0
        for bucket, number in enumerate(self.counts):
            if number and seen + number >= target:
                low, high = (1 << bucket >> 1) * 1_000, (1 << bucket) * 1_000
                return min(low + (high - low) * (target - seen) // number, max(self.peak, 0))
            seen += number
        return self.peak

    def merge(self, other: "Lags") -> "Lags":
        """Return both histograms as one."""
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return Lags(counts, self.total + other.total, max(self.peak, other.peak))


class Reading(Struct, frozen=True, kw_only=True):
    """The running totals at ``at`` (monotonic ns). ``next_rotation`` in ns from ``at``, None when none is due."""

    at: int
    events: int = 0
    wanted: int = 0
    trusted: int = 0
    connections: int = 0
    gaps: int = 0
    rows: int = 0
    bytes: int = 0
    next_rotation: int | None = None
    lags: Lags = field(default_factory=Lags)


class Facts(Struct, frozen=True):
    """What the live line says: rate in events a second, lags in ns since the last look, totals."""

    events_per_s: int
    wanted: int
    trusted: int
    connections: int
    lag_p50: int | None
    lag_p99: int | None
    gaps: int
    rows: int
    bytes: int
    next_rotation: int | None


class Panel:
    """Compares each reading with the one before."""

    def __init__(self, first: Reading) -> None:
        self._last = first

    def look(self, reading: Reading) -> Facts:
        """Return the facts as of ``reading``; its lags are those since the last look."""
        elapsed = max(1, reading.at - self._last.at)
        rate = (reading.events - self._last.events) * SECOND // elapsed
        self._last = reading
        return Facts(
            events_per_s=rate,
            wanted=reading.wanted,
            trusted=reading.trusted,
            connections=reading.connections,
            lag_p50=reading.lags.quantile(50),
            lag_p99=reading.lags.quantile(99),
            gaps=reading.gaps,
            rows=reading.rows,
            bytes=reading.bytes,
            next_rotation=reading.next_rotation,
        )


def lag_of(batch: Sequence[MarketEvent]) -> int | None:
    """Return the delay of a batch's first event that carries the venue's time, in ns; looks at a few only."""
    for event in batch[:4]:
        sent: int | None = getattr(event, "ts_venue", None)
        if sent is not None:
            return event.ts_recv - sent
    return None
