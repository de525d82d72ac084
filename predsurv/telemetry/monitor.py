"""Metrics and the server that shows them, made together.

Kept apart so that whoever runs a job needs to know nothing of Prometheus.
"""

from collections.abc import Collection

from prometheus_client import CollectorRegistry

from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingGauges
from predsurv.telemetry.server import Health, MetricsServer


class Monitor:
    """One registry, what fills it, and its server."""

    def __init__(
        self, venues: Collection[str], *, strategies: Collection[str] = (), signals: Collection[str] = ()
    ) -> None:
        self._registry = CollectorRegistry()
        self._venues = venues
        self.metrics = Metrics(self._registry, venues=venues, strategies=strategies, signals=signals)

    def recording(self) -> RecordingGauges:
        """Return the gauges of a recording, shown from now on; call it once."""
        return RecordingGauges(self._registry, self._venues)

    def serve(self, health: Health, host: str, port: int) -> MetricsServer:
        """Return a running server of /metrics and /healthz; raises ConfigError when it cannot listen."""
        return MetricsServer(self._registry, health, host=host, port=port)

    def value(self, name: str, **labels: str) -> float | None:
        """Return one sample as a scrape would find it, None when there is none."""
        return self._registry.get_sample_value(name, labels)
