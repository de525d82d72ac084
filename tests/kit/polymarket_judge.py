"""Hold what a reader says of a simulated Polymarket against what the simulator published.

Kept apart from the runs because short tests and long benchmarks are judged by the same rules:
every row in order, none missing or twice outside declared gaps; every trusted book equal to the
true one; every outage covered by a gap.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketEvent, Trade, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import complement
from predsurv.core.records import Coverage
from predsurv.simulate.polymarket.published_log import MarketLog, PublishedTrade, digest_of
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.state.book import Book
from predsurv.state.coverage import CoverageReducer

NS_PER_MS = 1_000_000
IN_FLIGHT = 300 * NS_PER_MS
"""Rows published so shortly before a gap begins were on the wire when the connection broke."""
LAG_MAX = 2_000 * NS_PER_MS
"""A trusted book that has not caught up after this long is called stale."""
REACH = 60_000 * NS_PER_MS
"""A gap that begins this long after an outage is not about it."""


class Case:
    """One instrument: its story, and how far the reader has come in it (``at``, while ``live``)."""

    def __init__(self, key: InstrumentKey, story: MarketLog, *, mirrored: bool) -> None:
        self.key = key
        self.story = story
        self.mirrored = mirrored
        self.book = Book(key)
        self.at = 0
        self.live = False
        self.gap_since: int | None = None
        self.tainted: int | None = None
        """When a loss was planted that no later book has healed yet."""
        self.declared = False
        """Whether a gap was declared since then."""
        self.taint_end = 0
        self.deals: Counter[PublishedTrade] = Counter()

    def says(self, event: BookDelta) -> tuple[int, str, int, int]:
        """Return the change as the ledger writes it."""
        side, price = event.side, event.price
        if self.mirrored:
            side, price = ("ask" if side == "bid" else "bid"), complement(price)
        return (event.ts_venue or 0) // NS_PER_MS, side, price, event.size

    def digest(self, book: BookSnapshot | Book) -> int:
        """Return the digest of a book on the ledger's scale."""
        if isinstance(book, Book):
            bids, asks = book.top(len(book.bids) + len(book.asks) + 1)
        else:
            bids, asks = book.bids, book.asks
        if self.mirrored:
            bids, asks = _mirror(asks), _mirror(bids)
        return digest_of(bids, asks)

    def truth(self) -> int | None:
        """Return the digest of the true state where the reader is; None in the middle of a burst."""
        items, at = self.story.items, self.at
        if not at:
            return self.story.opening
        if at < len(items) and items[at].stamp == items[at - 1].stamp:
            return None
        return items[at - 1].digest


class Judge:
    """Counts what is right and wrong in ``counts``; ``worst`` keeps the worst delays (ns) by name.

    ``now`` is the clock of both reader and simulator.
    """

    def __init__(self, simulator: PolymarketSimulator, want: Sequence[InstrumentKey], now: Callable[[], int]) -> None:
        self.counts: Counter[str] = Counter()
        self.worst: Counter[str] = Counter()
        self.coverage: dict[InstrumentKey, list[Coverage]] = {key: [] for key in want}
        self.cases: dict[InstrumentKey, Case] = {}
        self._simulator = simulator
        self._now = now
        self._reducer = CoverageReducer()
        self._deeds = 0
        for key in want:
            found = simulator.listing.token(key.instrument_id)
            if simulator.ledger is None or found is None:
                raise ValueError("the simulator has to keep a ledger, and to list what is judged")
            row, outcome = found
            self.cases[key] = Case(key, simulator.ledger.stories[row.condition], mirrored=bool(outcome))
            self._reducer.want(Wanted(key, now()), None)

    def hear(self, events: Iterable[MarketEvent]) -> None:
        """Judge what the reader says, in order."""
        self._taint()
        for event in events:
            if not isinstance(event, BookDelta | BookSnapshot | Gap | Trade):
                self.counts[type(event).__name__.lower()] += 1
                continue
            case = self.cases.get(event.key)
            if case is None:
                self.counts["stranger"] += 1
            elif isinstance(event, Trade):
                self._trade(case, event)
            else:
                self._book(case, event)

    def probe(self) -> None:
        """Compare every trusted book with the true one, now."""
        now = self._now()
        for case in self.cases.values():
            if not case.live or not case.book.trusted:
                continue
            self.counts["probes"] += 1
            truth = case.truth()
            if truth is None:
                self.counts["probes_mid_burst"] += 1
            elif case.digest(case.book) != truth:
                self.counts["unequal" if case.tainted is None else "unequal_tainted"] += 1
            behind = case.story.items[case.at : case.at + 1]
            if behind and now - behind[0].at > LAG_MAX and not self._held_up(case, behind[0].at):
                self.counts["stale" if case.tainted is None else "stale_tainted"] += 1

    def finish(self) -> None:
        """Judge the end: the simulator stands still and the reader has heard everything."""
        for coverage in self._reducer.cut(self._now()):
            self.coverage[coverage.key].append(coverage)
        for case in self.cases.values():
            self._trades(case)
            self.counts["taints_left"] += case.tainted is not None and not case.declared
            if case.live and case.tainted is None:
                self.counts["final_books"] += 1
                self.counts["final_equal"] += (
                    case.at == len(case.story.items) and case.digest(case.book) == case.truth()
                )
        for kind in ("drop", "1013", "freeze"):
            for deed in self._simulator.truth.of(kind):
                for token in deed.tokens:
                    key = next((key for key in self.coverage if key.instrument_id == token), None)
                    if key is not None:
                        self.counts["outages"] += 1
                        self.counts["outages_covered"] += self._has_gap(key, deed.start, deed.end)

    def _book(self, case: Case, event: BookDelta | BookSnapshot | Gap) -> None:
        case.book.apply(event)
        if isinstance(event, Gap):
            self.counts[f"gap_{event.reason}"] += 1
            if case.tainted is not None and not case.declared and self._now() >= case.tainted:
                case.declared = True
                self.counts["taints_declared"] += 1
                self.worst["taint"] = max(self.worst["taint"], self._now() - case.tainted)
            if case.live:
                case.live, case.gap_since = False, event.ts_recv
            self._cover(event)
        elif isinstance(event, BookSnapshot):
            self._snapshot(case, event)
            self._cover(event)
        elif not case.live:
            self.counts["orphans"] += 1
        else:
            self._delta(case, event)

    def _snapshot(self, case: Case, event: BookSnapshot) -> None:
        self.counts["snapshots"] += 1
        story = case.story
        end = story.ends.get((event.ts_venue or 0) // NS_PER_MS)
        state = None if end is None else story.items[end - 1].digest if end else story.opening
        if end is None or state != case.digest(event):
            self.counts["strange_snapshots"] += 1
            return
        if not case.live:
            self._lost(case, end)
        elif case.tainted is not None:
            pass
        elif end == case.at:
            self.counts["repeated_snapshots"] += 1
        elif end != case.at + 1 or story.items[case.at].side is not None:
            self.counts["missing"] += end - case.at - 1
        case.at, case.live, case.gap_since = end, True, None
        if case.tainted is not None and end >= case.taint_end:
            self.counts["taints_healed"] += not case.declared
            case.tainted = None

    def _delta(self, case: Case, event: BookDelta) -> None:
        items, says = case.story.items, case.says(event)
        self.counts["rows"] += 1
        if case.at < len(items) and items[case.at][:4] == says:
            case.at += 1
            return
        if case.at and items[case.at - 1][:4] == says:
            self.counts["doubled"] += 1
            return
        ahead = next((n for n in range(case.at, min(case.at + 500, len(items))) if items[n][:4] == says), None)
        tainted = "_tainted" if case.tainted is not None else ""
        if ahead is None:
            self.counts[f"wrong{tainted}"] += 1
        else:
            self.counts[f"missing{tainted}"] += ahead - case.at
            case.at = ahead + 1

    def _lost(self, case: Case, end: int) -> None:
        """Judge what was published between the last row and the snapshot that ended a gap."""
        since = case.gap_since
        lost = case.story.items[case.at : end]
        if since is None or not lost:
            return
        self.counts["rows_in_gaps"] += len(lost)
        early = [item for item in lost if item.at < since]
        if early:
            self.worst["before_gap"] = max(self.worst["before_gap"], since - early[0].at)
        self.counts["in_flight"] += sum(item.at >= since - IN_FLIGHT for item in early)
        self.counts["lost_while_covered"] += sum(item.at < since - IN_FLIGHT for item in early)

    def _trade(self, case: Case, event: Trade) -> None:
        side, price = event.taker_side or "buy", event.price
        if case.mirrored:
            side, price = ("sell" if side == "buy" else "buy"), complement(price)
        case.deals[PublishedTrade((event.ts_venue or 0) // NS_PER_MS, price, event.size, side)] += 1

    def _trades(self, case: Case) -> None:
        published = Counter(case.story.deals)
        self.counts["trades"] += sum(case.deals.values())
        self.counts["trades_doubled"] += (case.deals - published).total()
        missing = published - case.deals
        for deal, told in zip(case.story.deals, case.story.told, strict=True):
            if deal in missing and self._is_covered(case.key, told):
                self.counts["trades_missing"] += 1

    def _cover(self, event: MarketEvent) -> None:
        for coverage in self._reducer.apply(event):
            self.coverage[coverage.key].append(coverage)

    def _taint(self) -> None:
        """Note the losses that were planted since the last look."""
        deeds = self._simulator.truth.deeds
        for deed in deeds[self._deeds :]:
            if deed.kind in ("skip", "cut"):
                for case in self.cases.values():
                    if case.key.instrument_id in deed.tokens:
                        self.counts[f"planted_{deed.kind}"] += 1
                        case.declared = case.declared and case.tainted is not None
                        case.tainted = deed.start if case.tainted is None else case.tainted
                        # What is on its way now may have been sent before the loss: only later books heal.
                        case.taint_end = len(case.story.items)
        self._deeds = len(deeds)

    def _held_up(self, case: Case, since: int) -> bool:
        """Return whether the connection of this instrument was frozen or delayed at ``since``."""
        token = case.key.instrument_id
        deeds = [*self._simulator.truth.of("freeze"), *self._simulator.truth.of("delay")]
        return any(deed.start - LAG_MAX <= since <= deed.end + LAG_MAX and token in deed.tokens for deed in deeds)

    def _has_gap(self, key: InstrumentKey, start: int, end: int) -> bool:
        return any(
            each.state == "gap" and each.start <= end + REACH and each.end >= start for each in self.coverage[key]
        )

    def _is_covered(self, key: InstrumentKey, moment: int) -> bool:
        """Return whether ``moment`` lies well inside time that is claimed as covered."""
        spans = self.coverage[key]
        index = bisect_right(spans, moment, key=lambda each: each.start) - 1
        if index < 0 or spans[index].state == "gap":
            return False
        return spans[index].start + IN_FLIGHT <= moment <= spans[index].end - IN_FLIGHT


def _mirror(levels: Sequence[Level]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
