"""What every long-running command measures: its process, the events of its feeds and the gaps in them.

The core returns facts and knows no metric: this package turns facts into numbers, and
``docs/metrics-reference.md`` lists them.
"""

import platform
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric

from predsurv import __version__
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    GapReason,
    MarketEvent,
    Quote,
    Trade,
    TradingPhase,
    VenuePhase,
)
from predsurv.core.level_changes import LevelChanges, PackedEvent, count_of
from predsurv.core.packed_book import PackedBook
from predsurv.ports import RequestLevel
from predsurv.telemetry.families import ClosedLabel, Counter, Family, Gauge, Histogram, LabelValues

VENUES: Final = ("polymarket", "kalshi", "mock")

PHASES: Final[Sequence[str]] = (*get_args(TradingPhase), "unstated")
"""What a whole venue may accept, and that it said nothing of that."""

NOT_COUNTED: Final[frozenset[GapReason]] = frozenset(
    {"rotated_out", "shutdown", "no_capacity", "not_offered", "file_missing"}
)
"""Reasons of gaps that are intended, or found by readers later: no metric counts them."""

COUNTED: Final = tuple(each for each in get_args(GapReason) if each not in NOT_COUNTED)
"""Reasons of gaps that interrupt a recording."""

LIMITS: Final = (
    "listing",
    "books",
    "lookups",
    "closed_markets",
    "requests",
    "aside",
    "orders",
    "cancels",
    "reads",
    "balances",
)
"""The limits of requests that venues and accounts have."""

SAMPLES_MAX: Final = 16
"""Most latencies measured per batch."""

_MS: Final = 1_000_000
_NS: Final = 1_000_000_000
_LATENCY: Final = tuple(ms * _MS for ms in (1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000))
_TYPES: Final[dict[type[Struct], str]] = {kind: str(kind.__struct_config__.tag) for kind in get_args(MarketEvent)}
_RARE: Final = frozenset({Connected, Disconnected, VenuePhase})
_PLAIN: Final[dict[type, type]] = {LevelChanges: BookDelta, PackedBook: BookSnapshot}
_TIMED: Final = (BookSnapshot, BookDelta, Quote, Trade)


class _EventSeries(NamedTuple):
    """The series of one event type of one venue; ``observe_latency`` is None for types whose latency says nothing."""

    label_values: LabelValues
    observe_latency: Callable[[int, int], None] | None


class Metrics:
    """Written by one thread, read by any thread that scrapes ``registry``.

    A method costs an addition or two; nothing of Prometheus runs until a scrape. Label values come from closed sets
    and every other value becomes "other", so the number of series is bounded whatever a venue sends. Where the
    machine has ``/proc``, prometheus_client's own metrics of the process are in ``registry`` too. ``lines_dropped``
    returns how many lines of the log were dropped so far, ``request_levels`` the room that each limit of requests
    leaves, with its venue and name; both are called in the thread that scrapes.
    """

    def __init__(self, registry: CollectorRegistry, venues: Collection[str] = VENUES) -> None:
        self.lines_dropped: Callable[[], int] = lambda: 0
        self.request_levels: Callable[[], Iterable[tuple[str, str, RequestLevel]]] = tuple
        self._venues = frozenset(venues)
        venue, event_type = ClosedLabel("venue", venues), ClosedLabel("event_type", _TYPES.values())
        timed = ClosedLabel("event_type", (_TYPES[kind] for kind in _TIMED))
        reason = ClosedLabel("reason", COUNTED)
        build = ClosedLabel("version", [__version__]), ClosedLabel("python", [platform.python_version()])
        self._pulse = Gauge("predsurv_last_pulse_timestamp_seconds", "When the process was last seen to be at work.")
        self._dropped = Counter("predsurv_log_lines_dropped", "Lines of stderr and of the log that nobody read.")
        self._events = Counter("predsurv_events", "Events received.", [venue, event_type])
        self._latency = Histogram(
            "predsurv_event_latency_seconds",
            "From the venue's own time stamp to receipt here; a sample, weighted to stand for all.",
            _LATENCY,
            [venue, timed],
        )
        self._connections = Gauge("predsurv_connections", "Open streaming connections.", [venue], start=0)
        self._phase = Gauge(
            "predsurv_venue_phase",
            "1 for what the venue as a whole accepts now, 0 for every other phase.",
            [venue, ClosedLabel("phase", PHASES)],
        )
        for each in venues:
            self._set_phase(each, "unstated")
        limit = ClosedLabel("limit", LIMITS)
        self._headroom = Gauge(
            "predsurv_request_headroom_ratio",
            "Requests that could be sent at once, as a share of the most that a limit allows at once.",
            [venue, limit],
        )
        self._waiting = Gauge("predsurv_requests_waiting", "Requests that wait for their limit.", [venue, limit])
        self._gaps = Counter("predsurv_gaps", "Gaps recorded, one per instrument.", [venue, reason])
        self.families: Sequence[Family] = (
            Gauge("predsurv_build_info", "1; what runs is in the labels.", build, start=1),
            self._pulse, self._dropped, self._events, self._latency, self._connections, self._phase, self._gaps,
            self._headroom, self._waiting,
        )  # fmt: skip
        self._event_series: dict[str, dict[type, _EventSeries]] = {}
        registry.register(self)
        ProcessCollector(registry=registry)

    def set_pulse(self, now: int) -> None:
        """Set when (ns UTC by the machine's clock) the process was at work: not stuck, not starved."""
        self._pulse.set((), now / _NS)

    def observe_batch(self, venue: str, events: Sequence[PackedEvent]) -> None:
        """Count the events and latencies of a batch of one feed; take in its connections and the venue's phase.

        Counts are exact. Latency is measured on at most SAMPLES_MAX events spread evenly over the batch, each
        weighted by the number of events it represents; a negative latency (clocks differ) counts as 0.
        """
        counts = _counts(events)
        series = self._event_series.setdefault(venue if venue in self._venues else "", {})
        for kind, count in counts.items():
            if kind not in series:
                series[kind] = self._series_of(venue, kind)
            self._events.add_closed(series[kind].label_values, count)
        _sample_latency(events, series)
        if not _RARE.isdisjoint(counts):
            for event in events:
                if isinstance(event, Connected | Disconnected):
                    self._connections.set((venue,), event.connections)
                elif isinstance(event, VenuePhase):
                    self._set_phase(venue, event.phase)

    def count_gap(self, venue: str, reason: GapReason) -> None:
        """Count a gap of one instrument."""
        self._gaps.add((venue, reason))

    def set_gaps(self, venue: str, totals: Mapping[GapReason, int]) -> None:
        """Set the number of gaps so far by reason."""
        for reason, total in totals.items():
            self._gaps.set_total((venue, reason), total)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; called by the registry, in the thread that scrapes."""
        self._dropped.set_total((), self.lines_dropped())
        for venue, limit, level in self.request_levels():
            self._headroom.set((venue, limit), level.available / level.burst)
            self._waiting.set((venue, limit), level.waiting)
        return [family.snapshot() for family in self.families]

    def _set_phase(self, venue: str, phase: str) -> None:
        for each in PHASES:
            self._phase.set((venue, each), each == phase)

    def _series_of(self, venue: str, kind: type[Struct]) -> _EventSeries:
        values = (venue, _TYPES.get(kind, ""))
        return _EventSeries(self._events.close(values), self._latency.observer(values) if kind in _TIMED else None)


def _counts(events: Sequence[PackedEvent]) -> Tally[type]:
    counts = Tally[type](map(type, events))
    if counts.pop(LevelChanges, 0):
        counts[BookDelta] += sum(len(each) for each in events if type(each) is LevelChanges)
    if PackedBook in counts:
        counts[BookSnapshot] += counts.pop(PackedBook)
    return counts


def _sample_latency(events: Sequence[PackedEvent], series: Mapping[type, _EventSeries]) -> None:
    stride = -(-len(events) // SAMPLES_MAX)
    for index in range(0, len(events), stride or 1):
        event = events[index]
        observe = series[_PLAIN.get(type(event), type(event))].observe_latency
        ts_venue = getattr(event, "ts_venue", None)
        if observe is not None and ts_venue is not None:
            observe(max(event.ts_recv - ts_venue, 0), count_of(events[index : index + stride]))
