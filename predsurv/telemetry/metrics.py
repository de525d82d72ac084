"""The metrics of events, files, orders and the portfolio; ``docs/metrics-reference.md`` lists them.

The core returns facts and knows no metric: this module turns facts into numbers.
"""

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from predsurv.core.events import Connected, Disconnected, Event, Gap, GapReason, MarketEvent
from predsurv.telemetry.families import ClosedLabel, Counter, Family, Gauge, Histogram, LabelValues

VENUES: Final = ("polymarket", "kalshi", "mock")
QUEUES: Final = ("records", "seal")
DATASETS: Final = ("orderbook_snapshots", "book_deltas", "trades", "coverage", "lifecycle")
OUTCOMES: Final = ("submitted", "refused", "accepted", "rejected", "cancelled", "filled", "unknown")
PORTFOLIO_KINDS: Final = ("equity", "cash", "positions", "exposure", "realised", "unrealised", "fees")

SAMPLES_MAX: Final = 16
"""Most latencies measured per batch."""

_MS: Final = 1_000_000
_LATENCY: Final = tuple(ms * _MS for ms in (1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000))
_SEAL: Final = tuple(ms * _MS for ms in (10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000))
_TYPES: Final[dict[type[Struct], str]] = {kind: str(kind.__struct_config__.tag) for kind in get_args(Event)}
_RARE: Final = frozenset({Gap, Connected, Disconnected})
_TIMED: Final = frozenset(kind for kind in _TYPES if "ts_venue" in kind.__struct_fields__)


class _EventSeries(NamedTuple):
    """The series of one event type of one venue; ``observe_latency`` is None for types without a venue time."""

    label_values: LabelValues
    observe_latency: Callable[[int, int], None] | None


class Metrics:
    """Written by one thread, read by any thread that scrapes ``registry``.

    A method costs an addition or two; nothing of Prometheus runs until a scrape. Label values come from closed sets
    and every other value becomes "other", so the number of series is bounded whatever a venue sends. ``signals`` are
    the names of signals that strategies give with their intents.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        venues: Collection[str] = VENUES,
        strategies: Collection[str] = (),
        signals: Collection[str] = (),
    ) -> None:
        self._venues = frozenset(venues)
        venue, event_type = ClosedLabel("venue", venues), ClosedLabel("event_type", _TYPES.values())
        dataset, strategy = ClosedLabel("dataset", DATASETS), ClosedLabel("strategy", strategies)
        signal, reason = ClosedLabel("signal_type", signals), ClosedLabel("reason", get_args(GapReason))
        outcome, portfolio = ClosedLabel("outcome", OUTCOMES), ClosedLabel("kind", PORTFOLIO_KINDS)
        self._events = Counter("predsurv_events", "Events received.", [venue, event_type])
        self._latency = Histogram(
            "predsurv_event_latency_seconds",
            "From the venue's own time stamp to receipt here; a sample, weighted to stand for all.",
            _LATENCY,
            [venue, event_type],
        )
        self._signals = Counter("predsurv_strategy_signals", "Intents of strategies.", [strategy, signal])
        self._connections = Gauge("predsurv_connections", "Open streaming connections.", [venue])
        self._subscriptions = Gauge("predsurv_subscriptions", "Instruments subscribed to.", [venue])
        self._gaps = Counter("predsurv_gaps", "Gaps recorded, one per instrument.", [venue, reason])
        self._queues = Gauge(
            "predsurv_queue_depth", "Items that wait in a bounded queue.", [ClosedLabel("queue", QUEUES)]
        )
        self._rows = Counter("predsurv_rows_written", "Rows in sealed files.", [dataset])
        self._bytes = Counter("predsurv_bytes_written", "Bytes of sealed files.", [dataset])
        self._seals = Histogram("predsurv_seal_duration_seconds", "Time to seal one segment.", _SEAL)
        self._orders = Counter("predsurv_orders", "Orders by what became of them.", [venue, outcome])
        self._portfolio = Gauge("predsurv_portfolio_value_usd", "Value of the portfolio in dollars.", [portfolio])
        self.families: Sequence[Family] = (
            self._events, self._latency, self._signals, self._connections, self._subscriptions, self._gaps,
            self._queues, self._rows, self._bytes, self._seals, self._orders, self._portfolio,
        )  # fmt: skip
        self._event_series: dict[str, dict[type, _EventSeries]] = {}
        registry.register(self)

    def observe_batch(self, venue: str, events: Sequence[MarketEvent]) -> None:
        """Count the events, latencies, gaps and connections of a batch of one feed.

        Counts are exact. Latency is measured on at most SAMPLES_MAX events spread evenly over the batch, each
        weighted by the number of events it represents; a negative latency (clocks differ) counts as 0.
        """
        counts = Tally(map(type, events))
        series = self._event_series.setdefault(venue if venue in self._venues else "", {})
        for kind, count in counts.items():
            if kind not in series:
                series[kind] = self._series_of(venue, kind)
            self._events.add_closed(series[kind].label_values, count)
        _sample_latency(events, series)
        if not _RARE.isdisjoint(counts):
            _count_rare(venue, events, self._gaps, self._connections)

    def count_signal(self, strategy: str, signal_type: str) -> None:
        """Count an intent of a strategy."""
        self._signals.add((strategy, signal_type))

    def count_gaps(self, venue: str, reason: GapReason, count: int = 1) -> None:
        """Count gaps that are not events of a feed: crash, full disk, clock step, shutdown."""
        self._gaps.add((venue, reason), count)

    def set_subscriptions(self, venue: str, count: int) -> None:
        """Set the number of subscribed instruments."""
        self._subscriptions.set((venue,), count)

    def set_queue_depth(self, queue: str, depth: int) -> None:
        """Set the number of items that wait in a queue."""
        self._queues.set((queue,), depth)

    def count_written(self, dataset: str, rows: int, size: int) -> None:
        """Count the rows and bytes of a sealed file."""
        self._rows.add((dataset,), rows)
        self._bytes.add((dataset,), size)

    def observe_seal(self, duration: int) -> None:
        """Observe how long the sealing of a segment took, in ns."""
        self._seals.observer(())(duration, 1)

    def count_order(self, venue: str, outcome: str) -> None:
        """Count a change of an order: its ``outcome`` is one of OUTCOMES."""
        self._orders.add((venue, outcome))

    def set_portfolio(self, kind: str, value: int) -> None:
        """Set a figure of the portfolio; ``kind`` is one of PORTFOLIO_KINDS, ``value`` in micros."""
        self._portfolio.set((kind,), value / 1_000_000)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; called by the registry, in the thread that scrapes."""
        return [family.snapshot() for family in self.families]

    def _series_of(self, venue: str, kind: type[Struct]) -> _EventSeries:
        values = (venue, _TYPES.get(kind, ""))
        return _EventSeries(self._events.close(values), self._latency.observer(values) if kind in _TIMED else None)


def _count_rare(venue: str, events: Sequence[MarketEvent], gaps: Counter, connections: Gauge) -> None:
    for event in events:
        if isinstance(event, Gap):
            gaps.add((venue, event.reason))
        elif isinstance(event, Connected | Disconnected):
            connections.set((venue,), event.connections)


def _sample_latency(events: Sequence[MarketEvent], series: Mapping[type, _EventSeries]) -> None:
    stride = -(-len(events) // SAMPLES_MAX)
    for index in range(0, len(events), stride or 1):
        event = events[index]
        observe = series[type(event)].observe_latency
        ts_venue = getattr(event, "ts_venue", None)
        if observe is not None and ts_venue is not None:
            observe(max(event.ts_recv - ts_venue, 0), min(stride, len(events) - index))
