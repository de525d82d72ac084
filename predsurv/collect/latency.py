"""Delays from venue to here, as a histogram.

Kept apart because the hot path only adds to it, and whoever shows percentiles reads it later.
"""

from collections.abc import Sequence

from msgspec import Struct, field

from predsurv.core.events import MarketEvent

# Bucket b holds lags below 2**b microseconds; the last one everything beyond an hour.
_BUCKETS = 33


class LatencyHistogram(Struct):
    """A histogram of delays; bounded, and precise to a factor of two within a bucket."""

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

    def merge(self, other: "LatencyHistogram") -> "LatencyHistogram":
        """Return both histograms as one."""
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return LatencyHistogram(counts, self.total + other.total, max(self.peak, other.peak))


def lag_of(batch: Sequence[MarketEvent]) -> int | None:
    """Return the delay of a batch's first event that carries the venue's time, in ns; looks at a few only."""
    for event in batch[:4]:
        sent: int | None = getattr(event, "ts_venue", None)
        if sent is not None:
            return event.ts_recv - sent
    return None
