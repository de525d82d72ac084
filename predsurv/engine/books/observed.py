"""Which books are known and since when: what strategies see of gaps in what they trade on."""

from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, Gap, Unwanted
from predsurv.core.ids import InstrumentKey
from predsurv.state.view import BookCoverage


class ObservedBooks:
    """The coverage of every book that a gap or a snapshot was received of."""

    def __init__(self) -> None:
        self._coverage: dict[InstrumentKey, BookCoverage] = {}

    def get(self, primary: InstrumentKey) -> BookCoverage | None:
        """Return the coverage of a book, None when nothing was received of it."""
        return self._coverage.get(primary)

    def on_gap(self, event: Gap | Unwanted) -> None:
        """Begin a gap; one that goes on keeps its beginning and takes the later reason."""
        known = self._coverage.get(event.key)
        if known is None or known.state == "gap":
            known = known or BookCoverage("gap", event.ts_recv, gaps=1)
            self._coverage[event.key] = replace(known, reason=event.reason)
            return
        observed = known.observed + max(event.ts_recv - known.since, 0)
        self._coverage[event.key] = BookCoverage("gap", event.ts_recv, event.reason, known.gaps + 1, observed)

    def on_snapshot(self, event: BookSnapshot) -> None:
        """End the gap, if there is one."""
        known = self._coverage.get(event.key)
        if known is None or known.state == "gap":
            gaps, observed = (0, 0) if known is None else (known.gaps, known.observed)
            self._coverage[event.key] = BookCoverage("covered", event.ts_recv, None, gaps, observed)
