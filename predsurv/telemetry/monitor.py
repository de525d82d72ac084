"""The metrics registry of a recording, the metrics in it, and the server that shows them, made together."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry

from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics
from predsurv.telemetry.server import Health, MetricsServer


class Monitor:
    """One registry with the metrics of events and of the recording; its callers need not know Prometheus."""

    def __init__(self, venues: Collection[str]) -> None:
        self._registry = CollectorRegistry()
        self.metrics = Metrics(self._registry, venues=venues)
        self.recording = RecordingMetrics(self._registry, venues)

    def serve(self, health: Health, host: str, port: int) -> MetricsServer:
        """Return a running server of /metrics and /healthz; raises ConfigError when it cannot listen."""
        return MetricsServer(self._registry, health, host=host, port=port)

    def value(self, name: str, **labels: str) -> float | None:
        """Return the current value of one series, None when there is none."""
        return self._registry.get_sample_value(name, labels)
