"""docs/metrics-reference.md lists every metric with its type, unit and labels, and every value of every label."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from predsurv.telemetry.families import Family
from predsurv.telemetry.metrics import VENUES
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.trading import TradingMetrics
from tests.kit.metric_labels import METRICS

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics-reference.md"
_OPEN = {"version", "python"}
"""Labels with one value, that of the process."""

_UNITS = {"seconds": "seconds", "bytes": "bytes", "usd": "US dollars"}


def _families() -> Sequence[Family]:
    monitor = Monitor(VENUES)
    return (*monitor.metrics.families, *monitor.recording.families, *TradingMetrics(CollectorRegistry()).families)


def _series_name(family: Family) -> str:
    metric = family.snapshot()
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _rows(cells: int) -> Iterator[Sequence[str]]:
    """The rows of the tables with so many columns, without their headings."""
    for line in _PAGE.read_text().splitlines():
        row = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(row) == cells and row[0].startswith("`"):
            yield row


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_metric_is_listed_with_its_type_and_labels_in_order() -> None:
    listed = [(_quoted(name)[0], kind, _quoted(labels)) for name, kind, _, labels, _ in _rows(5)]
    registered = [
        (_series_name(family), family.snapshot().type, [label.name for label in family.labels])
        for family in _families()
    ]
    assert listed == registered


def test_every_unit_is_that_of_the_name() -> None:
    for name, _, unit, _, meaning in _rows(5):
        words = re.findall(r"seconds|bytes|usd", name)
        assert unit == _UNITS[words[0]] if words else unit, name
        assert meaning.endswith("."), name


def test_every_value_of_every_label_is_listed() -> None:
    listed = {tuple(_quoted(name)): set(_quoted(values)) for name, values, _ in _rows(3)}
    for family in _families():
        for label in family.labels:
            of_metric = listed.get((label.name, _series_name(family)))
            if label.name not in _OPEN:
                assert (listed[label.name,] if of_metric is None else of_metric) == set(label.values), label.name


@pytest.mark.parametrize("name", METRICS)
def test_the_dashboard_relies_on_registered_metrics(name: str) -> None:
    labels = {_series_name(family): {label.name for label in family.labels} for family in _families()}
    assert labels[name] == METRICS[name]
