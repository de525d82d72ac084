"""Counters, gauges and histograms with closed label sets, exposed through prometheus_client as a custom collector.

The metric classes of prometheus_client do not fit: they cannot observe a weighted sample, and cannot take over a total
that is counted elsewhere. Here the hot path adds to a dictionary, and Prometheus runs in the server's thread only.

Every series of a counter and of a histogram is there at 0 from the start. Prometheus cannot know that a series which
appears at 300 was 0 before: ``increase()`` of it is 0, and an alarm on the first outage would stay silent.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, product
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

OTHER: Final = "other"
"""The label of every value outside its closed set, so that no venue can add series."""

LabelValues = tuple[str, ...]

_NS: Final = 1_000_000_000


class ClosedLabel:
    """A label and the closed set of its values, in the order in which they are shown first."""

    __slots__ = ("_known", "name", "values")

    def __init__(self, name: str, values: Iterable[str]) -> None:
        self.name = name
        self.values = tuple(dict.fromkeys(values))
        self._known = frozenset(self.values)

    def close(self, text: str) -> str:
        """Return ``text`` when it is in the set, else ``"other"``."""
        return text if text in self._known else OTHER


class _Scalars:
    """One number per label set; what counters and gauges share."""

    __slots__ = ("_help", "_name", "_values", "labels")

    def __init__(self, name: str, description: str, labels: Sequence[ClosedLabel] = ()) -> None:
        self._name = name
        self._help = description
        self.labels = tuple(labels)
        self._values: dict[LabelValues, float] = {}

    def close(self, values: Sequence[str]) -> LabelValues:
        """Return ``values`` with each one closed, for callers that keep them."""
        return _closed(self.labels, values)

    def _fill(self, family: CounterMetricFamily | GaugeMetricFamily) -> Metric:
        # The copy is one C call, so the writer cannot change the dictionary meanwhile.
        for values, number in self._values.copy().items():
            family.add_metric(values, number)
        return family


class Counter(_Scalars):
    """Numbers that only rise, each from 0. Every combination of label values is there, or those of ``only`` alone."""

    __slots__ = ()

    def __init__(
        self,
        name: str,
        description: str,
        labels: Sequence[ClosedLabel] = (),
        *,
        only: Iterable[LabelValues] | None = None,
    ) -> None:
        super().__init__(name, description, labels)
        self._values.update(dict.fromkeys(_combinations(labels) if only is None else only, 0))

    def add(self, values: Sequence[str], count: int = 1) -> None:
        """Add ``count`` to the series of these label values."""
        self.add_closed(self.close(values), count)

    def add_closed(self, values: LabelValues, count: int) -> None:
        """Add ``count`` to the series of label values that ``close`` returned."""
        self._values[values] = self._values.get(values, 0) + count

    def set_total(self, values: Sequence[str], total: int) -> None:
        """Set the series to a ``total`` that is counted elsewhere."""
        self._values[self.close(values)] = total

    def snapshot(self) -> Metric:
        """Return the current values for Prometheus."""
        return self._fill(CounterMetricFamily(self._name, self._help, labels=_names(self.labels)))


class Gauge(_Scalars):
    """Numbers that rise and fall. Every combination of label values is at ``start`` first; with None, not there."""

    __slots__ = ()

    def __init__(
        self, name: str, description: str, labels: Sequence[ClosedLabel] = (), *, start: float | None = None
    ) -> None:
        super().__init__(name, description, labels)
        if start is not None:
            self._values.update(dict.fromkeys(_combinations(labels), start))

    def set(self, values: Sequence[str], level: float) -> None:
        """Set the series of these label values."""
        self._values[self.close(values)] = level

    def snapshot(self) -> Metric:
        """Return the current values for Prometheus."""
        return self._fill(GaugeMetricFamily(self._name, self._help, labels=_names(self.labels)))


class Histogram:
    """Durations, observed in ns and exposed in seconds; ``bounds`` are the upper ends of the buckets, in ns."""

    __slots__ = ("_bounds", "_help", "_name", "_series", "labels")

    def __init__(self, name: str, description: str, bounds: Sequence[int], labels: Sequence[ClosedLabel] = ()) -> None:
        self._name = name
        self._help = description
        self._bounds = tuple(bounds)
        self.labels = tuple(labels)
        self._series: dict[LabelValues, list[int]] = {}
        for values in _combinations(labels):
            self.observer(values)

    def observer(self, values: Sequence[str]) -> Callable[[int, int], None]:
        """Return ``observe(duration, weight)`` of the series of these label values; callers keep it."""
        # A cell per bucket, one for durations above all bounds, and the sum in ns last.
        cells = self._series.setdefault(_closed(self.labels, values), [0] * (len(self._bounds) + 2))
        bounds = self._bounds

        def observe(duration: int, weight: int = 1) -> None:
            cells[bisect_left(bounds, duration)] += weight
            cells[-1] += duration * weight

        return observe

    def snapshot(self) -> Metric:
        """Return the current values for Prometheus."""
        family = HistogramMetricFamily(self._name, self._help, labels=_names(self.labels))
        names = [f"{bound / _NS:g}" for bound in self._bounds] + ["+Inf"]
        for values, cells in self._series.copy().items():
            *counts, total = cells.copy()
            family.add_metric(values, list(zip(names, accumulate(counts), strict=True)), total / _NS)
        return family


def _combinations(labels: Sequence[ClosedLabel]) -> Iterable[LabelValues]:
    return product(*(label.values for label in labels))


def _closed(labels: Sequence[ClosedLabel], values: Sequence[str]) -> LabelValues:
    return tuple(label.close(value) for label, value in zip(labels, values, strict=True))


def _names(labels: Sequence[ClosedLabel]) -> Sequence[str]:
    return [label.name for label in labels]


Family = Counter | Gauge | Histogram
"""One metric with all its series. One thread writes; any thread may call ``snapshot``."""
