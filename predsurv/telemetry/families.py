"""Counters, gauges and histograms as plain dictionaries, rendered only when somebody asks.

Kept apart from their meaning: the hot path adds to an int, and all of Prometheus happens in the
server's thread.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

OTHER: Final = "other"
"""The label of every value outside its closed set, so that no sender can add series."""

Labels = tuple[str, ...]

_NS: Final = 1_000_000_000


class ClosedLabel:
    """A label with its closed set of values."""

    __slots__ = ("_values", "name")

    def __init__(self, name: str, values: Iterable[str]) -> None:
        self.name = name
        self._values = frozenset(values)

    def value(self, text: str) -> str:
        """Return ``text`` when it is one of ours, else ``"other"``."""
        return text if text in self._values else OTHER


class _Table:
    """What counter and gauge share: one number per label set."""

    __slots__ = ("_help", "_labels", "_name", "_values")

    def __init__(self, name: str, description: str, labels: Sequence[ClosedLabel] = ()) -> None:
        self._name = name
        self._help = description
        self._labels = tuple(labels)
        self._values: dict[Labels, float] = {}

    def key(self, values: Sequence[str]) -> Labels:
        """Return the labels for ``values``, each made safe; for callers that keep it."""
        return tuple(label.value(value) for label, value in zip(self._labels, values, strict=True))

    def _samples(self) -> Sequence[tuple[Labels, float]]:
        # One C call, so the writer cannot change the dictionary on the way.
        return list(self._values.copy().items())


class Counter(_Table):
    """Only goes up."""

    __slots__ = ()

    def add(self, values: Sequence[str], count: int = 1) -> None:
        """Add ``count`` for these label values."""
        self.add_at(self.key(values), count)

    def add_at(self, key: Labels, count: int) -> None:
        """Add ``count`` at a ``key`` made earlier."""
        self._values[key] = self._values.get(key, 0) + count

    def reach(self, values: Sequence[str], total: int) -> None:
        """Take the ``total`` that somebody else counted."""
        self._values[self.key(values)] = total

    def family(self) -> Metric:
        """Return it for Prometheus."""
        family = CounterMetricFamily(self._name, self._help, labels=[label.name for label in self._labels])
        for labels, value in self._samples():
            family.add_metric(labels, value)
        return family


class Gauge(_Table):
    """A level."""

    __slots__ = ()

    def set(self, values: Sequence[str], level: float) -> None:
        """Set the level for these label values."""
        self._values[self.key(values)] = level

    def family(self) -> Metric:
        """Return it for Prometheus."""
        family = GaugeMetricFamily(self._name, self._help, labels=[label.name for label in self._labels])
        for labels, value in self._samples():
            family.add_metric(labels, value)
        return family


class Histogram:
    """Durations: taken in ns, shown in seconds."""

    __slots__ = ("_bounds", "_help", "_labels", "_name", "_series")

    def __init__(self, name: str, description: str, bounds: Sequence[int], labels: Sequence[ClosedLabel] = ()) -> None:
        self._name = name
        self._help = description
        self._bounds = tuple(bounds)
        self._labels = tuple(labels)
        self._series: dict[Labels, list[int]] = {}

    def series(self, values: Sequence[str]) -> Callable[[int, int], None]:
        """Return ``observe(duration, weight)`` for these label values; keep it and call it often."""
        key = tuple(label.value(value) for label, value in zip(self._labels, values, strict=True))
        # One cell per bucket, one for what is above all bounds, and the sum in ns last.
        cells = self._series.setdefault(key, [0] * (len(self._bounds) + 2))
        bounds = self._bounds

        def observe(duration: int, weight: int = 1) -> None:
            cells[bisect_left(bounds, duration)] += weight
            cells[-1] += duration * weight

        return observe

    def family(self) -> Metric:
        """Return it for Prometheus."""
        family = HistogramMetricFamily(self._name, self._help, labels=[label.name for label in self._labels])
        names = [f"{bound / _NS:g}" for bound in self._bounds] + ["+Inf"]
        for labels, cells in list(self._series.copy().items()):
            *counts, total = cells.copy()
            family.add_metric(labels, list(zip(names, _running(counts), strict=True)), total / _NS)
        return family


def _running(counts: Sequence[int]) -> Iterator[int]:
    total = 0
    for count in counts:
        total += count
        yield total
