"""Metric families add up exactly, keep their labels closed, and can be read while they are written."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from predsurv.telemetry.families import ClosedLabel, Counter, Gauge, Histogram

MS = 1_000_000


def test_a_counter_adds_per_label() -> None:
    counter = Counter("c", "help", [ClosedLabel("venue", ["a"])])
    counter.add(("a",))
    counter.add(("a",), 4)
    counter.add(("\x1b[2J",), 2)
    counter.add(("b",), 1)
    samples = {sample.labels["venue"]: sample.value for sample in counter.snapshot().samples}
    assert samples == {"a": 5, "other": 3}


def test_what_is_counted_is_there_at_0_from_the_start() -> None:
    labels = [ClosedLabel("venue", ["a", "b"]), ClosedLabel("reason", ["x", "y"])]
    counted = Counter("c", "help", labels).snapshot().samples
    assert [(*sample.labels.values(), sample.value) for sample in counted] == [
        ("a", "x", 0), ("a", "y", 0), ("b", "x", 0), ("b", "y", 0)
    ]  # fmt: skip
    assert [sample.value for sample in Counter("c", "help").snapshot().samples] == [0]
    observed = Histogram("h", "help", (MS,), labels[:1]).snapshot().samples
    assert {(sample.labels["venue"], sample.value) for sample in observed} == {("a", 0), ("b", 0)}


def test_some_series_are_there_only_when_asked_for() -> None:
    labels = [ClosedLabel("venue", ["a", "b"]), ClosedLabel("reason", ["x", "y"])]
    some = Counter("c", "help", labels, only=[("a", "y")]).snapshot().samples
    assert [sample.labels for sample in some] == [{"venue": "a", "reason": "y"}]
    assert Counter("c", "help", labels, only=()).snapshot().samples == []
    assert Gauge("g", "help", labels).snapshot().samples == []
    assert [sample.value for sample in Gauge("g", "help", labels, start=1).snapshot().samples] == [1] * 4


def test_a_gauge_keeps_the_last_level() -> None:
    gauge = Gauge("g", "help")
    gauge.set((), 3)
    gauge.set((), 2)
    assert [sample.value for sample in gauge.snapshot().samples] == [2]


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(1, 9)), max_size=30))
def test_a_histogram_counts_as_prometheus_does(observed: list[tuple[int, int]]) -> None:
    bounds = (1 * MS, 10 * MS, 1_000 * MS)
    histogram = Histogram("h", "help", bounds)
    observe = histogram.observer(())
    for duration, weight in observed:
        observe(duration, weight)
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in histogram.snapshot().samples}
    for bound, name in zip(bounds, ("0.001", "0.01", "1"), strict=True):
        assert samples["h_bucket", name] == sum(weight for duration, weight in observed if duration <= bound)
    assert samples["h_bucket", "+Inf"] == samples["h_count", None] == sum(weight for _, weight in observed)
    assert samples["h_sum", None] == sum(duration * weight for duration, weight in observed) / 10**9


def test_reading_while_writing_is_safe() -> None:
    counter = Counter("c", "help", [ClosedLabel("n", map(str, range(5_000)))])
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                counter.snapshot()
        except RuntimeError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5_000):
        counter.add((str(number),))
    stop.set()
    reader.join()
    assert failures == []
