"""Count what was written and pass every fact on to the metrics.

Kept apart so that recording does not care whether anybody measures it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from predsurv.core.events import GapReason, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.store.paths import FOLDERS, Dataset
from predsurv.store.seal import SealReport
from predsurv.telemetry.metrics import Metrics


class Meter:
    """Totals of the files sealed so far, by dataset; ``metrics`` None when nobody listens. One thread only."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.rows: Counter[Dataset] = Counter()
        self.bytes: Counter[Dataset] = Counter()
        self.seals = 0
        self.damaged: list[str] = []
        self._metrics = metrics

    def batch(self, venue: VenueName, events: Sequence[MarketEvent]) -> None:
        """Take what a feed yielded."""
        if self._metrics is not None:
            self._metrics.observe_batch(venue, events)

    def gaps(self, venue: VenueName, reason: GapReason, count: int) -> None:
        """Take gaps that no feed told of."""
        if self._metrics is not None and count:
            self._metrics.gap(venue, reason, count)

    def levels(self, subscriptions: Iterable[tuple[VenueName, int]], records: int, segments: int) -> None:
        """Take how much is wanted of each venue, and how much waits for the log and for sealing."""
        if self._metrics is not None:
            for venue, count in subscriptions:
                self._metrics.subscriptions(venue, count)
            self._metrics.queue_depth("records", records)
            self._metrics.queue_depth("seal", segments)

    def sealed(self, reports: Iterable[SealReport]) -> None:
        """Take what sealing made."""
        for report in reports:
            self.seals += 1
            self.rows.update(report.rows)
            self.bytes.update(report.bytes)
            self.damaged += (f"{report.segment}: {what}" for what in report.damaged)
            if self._metrics is not None:
                self._metrics.sealed(report.duration_ns)
                for dataset, rows in report.rows.items():
                    self._metrics.written(FOLDERS[dataset], rows, report.bytes.get(dataset, 0))
