"""The metrics of several processes as one exposition: the same series with the process as one more label."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from predsurv.telemetry.health import AskHealth
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.server import MetricsServer

LABEL: Final = "collector"
"""The label that tells the processes apart: each is a collector with an id of its own."""

Expositions = Callable[[], Mapping[str, bytes]]
"""Returns the latest metrics of each process by its collector's id, in the text format; any thread may call it."""


def exposition(monitor: Monitor) -> bytes:
    """Return the metrics of this process in the text format."""
    return generate_latest(monitor.registry)


class ProcessMetrics:
    """A registry of what ``expositions`` returns, and the server that shows it."""

    def __init__(self, expositions: Expositions) -> None:
        self._expositions = expositions
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def serve(self, health: AskHealth, host: str, port: int) -> MetricsServer:
        """Return a running server of /metrics and /healthz; raises ConfigError when it cannot listen."""
        return MetricsServer(self.registry, health, host=host, port=port)

    def describe(self) -> Iterator[Metric]:
        """Describe nothing: what there is is known once a process has told it."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with the samples of all processes."""
        merged: dict[str, Metric] = {}
        for process, text in self._expositions().items():
            for family in text_string_to_metric_families(text.decode()):
                metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, LABEL: process}, sample.value)
        yield from merged.values()
