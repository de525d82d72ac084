"""The equity of a run over time, sampled in event time into a bounded number of samples."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Money

SAMPLES_MAX: Final = 1_024
"""Most samples kept; when there are as many, two become one and the interval doubles."""
PATHS_MAX: Final = 32
"""Most instruments whose prices are sampled: the first that were ordered."""
INTERVAL: Final = 1_000_000_000
"""First interval between samples, ns of event time."""


class PricePath(Struct, frozen=True):
    """The mid of an instrument at each sample from number ``start`` on, None while its book could not be believed.

    ``end``: when its market settled (ns UTC), None before: there is nothing to know of it since.
    """

    key: InstrumentKey
    start: int
    mids: tuple[int | None, ...]
    end: int | None = None


class EquityCurve(Struct, frozen=True):
    """Equity at the best bid at ``times`` (ns UTC), its least and most since the sample before, and the exposure.

    ``interval``: ns from one sample to the next, more where nothing was received. ``drawdown``: the most that equity
    was below an earlier sample, at ``drawdown_at``; of all samples taken, also those that were merged. Money in micros.
    """

    interval: int = INTERVAL
    times: tuple[int, ...] = ()
    equity: tuple[Money, ...] = ()
    low: tuple[Money, ...] = ()
    high: tuple[Money, ...] = ()
    exposure: tuple[Money, ...] = ()
    paths: tuple[PricePath, ...] = ()
    drawdown: Money = Money(0)
    drawdown_at: int = 0


class EquitySampler:
    """Takes samples at multiples of an interval that doubles whenever there are ``SAMPLES_MAX``.

    ``next_at``: when the next is due, ns UTC.
    """

    def __init__(self, equity: Money, interval: int = INTERVAL) -> None:
        self.next_at = 0
        self._interval = interval
        self._times: list[int] = []
        self._equity: list[int] = []
        self._low: list[int] = []
        self._high: list[int] = []
        self._exposure: list[int] = []
        self._paths: dict[InstrumentKey, list[int | None]] = {}
        self._starts: dict[InstrumentKey, int] = {}
        self._ends: dict[InstrumentKey, int] = {}
        self._peak = int(equity)
        self._drawdown = self._drawdown_at = 0

    @property
    def last_at(self) -> int:
        """When the last sample was taken, ns UTC, 0 before any."""
        return self._times[-1] if self._times else 0

    def paths(self) -> tuple[InstrumentKey, ...]:
        """Return the instruments whose prices are sampled."""
        return tuple(self._paths)

    def follow(self, key: InstrumentKey) -> None:
        """Sample the price of an instrument from now on, unless there are too many."""
        if key not in self._paths and len(self._paths) < PATHS_MAX:
            self._paths[key] = []
            self._starts[key] = len(self._times)

    def settle(self, event: MarketResolved) -> None:
        """Note that a market has settled: that its books are gone from now on is no gap."""
        for key in self._paths:
            if key.market_id == event.market_id and key.venue == event.venue:
                self._ends.setdefault(key, event.ts_recv)

    def add(self, ts: int, equity: Money, exposure: Money, mids: Mapping[InstrumentKey, int | None]) -> None:
        """Add a sample; ``mids`` of the instruments of ``paths``."""
        self.next_at = (ts // self._interval + 1) * self._interval
        self._peak = max(self._peak, equity)
        if self._peak - equity > self._drawdown:
            self._drawdown, self._drawdown_at = self._peak - equity, ts
        self._times.append(ts)
        for values in (self._equity, self._low, self._high):
            values.append(equity)
        self._exposure.append(exposure)
        for key, path in self._paths.items():
            path.append(mids.get(key))
        if len(self._times) >= SAMPLES_MAX:
            self._halve()

    def curve(self) -> EquityCurve:
        """Return the samples so far."""
        return EquityCurve(
            interval=self._interval,
            times=tuple(self._times),
            equity=tuple(map(Money, self._equity)),
            low=tuple(map(Money, self._low)),
            high=tuple(map(Money, self._high)),
            exposure=tuple(map(Money, self._exposure)),
            paths=tuple(
                PricePath(key, self._starts[key], tuple(path), self._ends.get(key)) for key, path in self._paths.items()
            ),
            drawdown=Money(self._drawdown),
            drawdown_at=self._drawdown_at,
        )

    def _halve(self) -> None:
        """Merge each two samples: the later one stays, with least and most of both."""
        self._low = [min(pair) for pair in zip(self._low[::2], self._low[1::2], strict=True)]
        self._high = [max(pair) for pair in zip(self._high[::2], self._high[1::2], strict=True)]
        self._times, self._equity, self._exposure = self._times[1::2], self._equity[1::2], self._exposure[1::2]
        for key, path in self._paths.items():
            start = self._starts[key]
            if start % 2:
                path.insert(0, path[0])  # the half of a pair that it was not followed in
            # A gap stays visible however short it was.
            self._paths[key] = [None if None in pair else pair[1] for pair in zip(path[::2], path[1::2], strict=True)]
            self._starts[key] = start // 2
        self._interval *= 2
