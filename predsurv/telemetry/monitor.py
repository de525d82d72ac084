"""The metrics registry of a recording, the metrics in it, and the server that shows them, made together."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry

from predsurv.telemetry.health import AskHealth
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics
from predsurv.telemetry.server import MetricsServer


class Monitor:
    """One registry with the metrics of events and of the recording; its callers need not know Prometheus."""

    def __init__(self, venues: Collection[str]) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, venues)
        self.recording = RecordingMetrics(self.registry, venues)

    def serve(self, health: AskHealth, host: str, port: int) -> MetricsServer:
        """Return a running server of /metrics and /healthz; raises ConfigError when it cannot listen."""
        return MetricsServer(self.registry, health, host=host, port=port)
