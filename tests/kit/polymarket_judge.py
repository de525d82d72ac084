"""Compare the events of a feed with what the simulated Polymarket published, for short tests and long proofs alike.

The rules: every row in order, none missing or doubled outside declared gaps; every trusted book equal to the published
one; every outage covered by a gap.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketEvent, Trade, Wanted
from predsurv.core.ids import InstrumentId, InstrumentKey
from predsurv.core.num import complement
from predsurv.core.records import Coverage
from predsurv.simulate.polymarket.books import Outcome
from predsurv.simulate.polymarket.published_log import PublishedHistory, PublishedTrade, levels_digest
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.state.book import Book
from predsurv.state.coverage import CoverageReducer

NS_PER_MS = 1_000_000
IN_FLIGHT = 300 * NS_PER_MS
"""Rows published this long (ns) before the begin of a gap may have been in flight when the connection broke."""
LAG_MAX = 2_000 * NS_PER_MS
"""A trusted book that has not caught up after this long (ns) is stale."""
REACH = 60_000 * NS_PER_MS
"""A gap that begins later than this (ns) after an outage does not cover it."""


class Case:
    """One instrument: its published history and the feed's position in it (``at``, while ``live``)."""

    def __init__(self, key: InstrumentKey, history: PublishedHistory, *, mirrored: bool) -> None:
        self.key = key
        self.history = history
        self.mirrored = mirrored
        self.book = Book(key)
        self.at = 0
        self.live = False
        self.gap_since: int | None = None
        self.tainted: int | None = None
        """Time of an injected loss that no later book has repaired yet."""
        self.declared = False
        """Whether a gap was declared since then."""
        self.taint_end = 0
        self.told_on: set[Outcome] = {1 if mirrored else 0}
        """The outcomes whose trades belong to this instrument's recording."""
        self.trades: Counter[PublishedTrade] = Counter()

    def change_of(self, event: BookDelta) -> tuple[int, str, int, int]:
        """Return the change as the published log has it."""
        side, price = event.side, event.price
        if self.mirrored:
            side, price = ("ask" if side == "bid" else "bid"), complement(price)
        return (event.ts_venue or 0) // NS_PER_MS, side, price, event.size

    def digest(self, book: BookSnapshot | Book) -> int:
        """Return the digest of a book, on the published log's scale."""
        if isinstance(book, Book):
            bids, asks = book.top(len(book.bids) + len(book.asks) + 1)
        else:
            bids, asks = book.bids, book.asks
        if self.mirrored:
            bids, asks = _mirror(asks), _mirror(bids)
        return levels_digest(bids, asks)

    def published_digest(self) -> int | None:
        """Return the digest of the published book at the feed's position; None in the middle of a burst."""
        messages, at = self.history.messages, self.at
        if not at:
            return self.history.opening
        if at < len(messages) and messages[at].stamp == messages[at - 1].stamp:
            return None
        return messages[at - 1].digest


class Teller(NamedTuple):
    """A token on which trades of a case are told."""

    case: Case
    outcome: Outcome


class Judge:
    """Counts right and wrong in ``counts``; ``worst`` has the longest delays (ns) by name.

    ``now`` is the clock of both feed and simulator. ``mirrors``: the other tokens of what is wanted, where they are
    not wanted themselves; the feed has to be told. ``speed``: how many times as fast as real time that clock runs, and
    so how much longer is what takes the machine time.
    """

    def __init__(
        self, simulator: PolymarketSimulator, want: Sequence[InstrumentKey], now: Callable[[], int], speed: int = 1
    ) -> None:
        self._in_flight, self._lag_max = IN_FLIGHT * speed, LAG_MAX * speed
        self.counts: Counter[str] = Counter()
        self.worst: Counter[str] = Counter()
        self.coverage: dict[InstrumentKey, list[Coverage]] = {key: [] for key in want}
        self.cases: dict[InstrumentKey, Case] = {}
        self.mirrors: dict[InstrumentKey, InstrumentKey] = {}
        self._tellers: dict[InstrumentKey, Teller] = {}
        self._simulator = simulator
        self._now = now
        self._reducer = CoverageReducer()
        self._faults_seen = 0
        for key in want:
            found = simulator.catalog.by_token(key.instrument_id)
            if simulator.published_log is None or found is None:
                raise ValueError("the simulator has to keep its published log, and to list what is judged")
            row, outcome = found
            case = Case(key, simulator.published_log.histories[row.condition], mirrored=bool(outcome))
            self.cases[key] = case
            self._tellers[key] = Teller(case, outcome)
            mirror = InstrumentKey(key.venue, key.market_id, InstrumentId(row.tokens[1 - outcome]))
            if mirror not in want:
                self.mirrors[key] = mirror
                self._tellers[mirror] = Teller(case, 0 if outcome else 1)
                case.told_on = {0, 1}
            self._reducer.want(Wanted(key, now()), None)

    def take(self, events: Iterable[MarketEvent]) -> None:
        """Compare events of the feed, in order."""
        self._taint()
        for event in events:
            if not isinstance(event, BookDelta | BookSnapshot | Gap | Trade):
                self.counts[type(event).__name__.lower()] += 1
                continue
            case, teller = self.cases.get(event.key), self._tellers.get(event.key)
            if isinstance(event, Trade) and teller is not None:
                self._trade(teller, event)
            elif case is None or isinstance(event, Trade):
                self.counts["stranger"] += 1
            else:
                self._book(case, event)

    def probe(self) -> None:
        """Compare every trusted book with the published one, now."""
        now = self._now()
        for case in self.cases.values():
            if not case.live or not case.book.trusted:
                continue
            self.counts["probes"] += 1
            published = case.published_digest()
            if published is None:
                self.counts["probes_mid_burst"] += 1
            elif case.digest(case.book) != published:
                self.counts["unequal" if case.tainted is None else "unequal_tainted"] += 1
            behind = case.history.messages[case.at : case.at + 1]
            if behind and now - behind[0].at > self._lag_max and not self._held_up(case, behind[0].at):
                self.counts["stale" if case.tainted is None else "stale_tainted"] += 1

    def finish(self) -> None:
        """Compare the final state; the simulator is stopped and the feed has received everything."""
        for coverage in self._reducer.cut(self._now()):
            self.coverage[coverage.key].append(coverage)
        for case in self.cases.values():
            self._trades(case)
            self.counts["taints_left"] += case.tainted is not None and not case.declared
            if case.live and case.tainted is None:
                self.counts["final_books"] += 1
                self.counts["final_equal"] += (
                    case.at == len(case.history.messages) and case.digest(case.book) == case.published_digest()
                )
        for kind in ("drop", "1013", "freeze"):
            for fault in self._simulator.fault_log.of_kind(kind):
                for token in fault.tokens:
                    key = next((key for key in self.coverage if key.instrument_id == token), None)
                    if key is not None:
                        self.counts["outages"] += 1
                        self.counts["outages_covered"] += self._has_gap(key, fault.start, fault.end)

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
        history = case.history
        end = history.burst_ends.get((event.ts_venue or 0) // NS_PER_MS)
        state = None if end is None else history.messages[end - 1].digest if end else history.opening
        if end is None or state != case.digest(event):
            self.counts["strange_snapshots"] += 1
            return
        if not case.live:
            self._lost(case, end)
        elif case.tainted is not None:
            pass
        elif end == case.at:
            self.counts["repeated_snapshots"] += 1
        elif end != case.at + 1 or history.messages[case.at].side is not None:
            self.counts["missing"] += end - case.at - 1
        case.at, case.live, case.gap_since = end, True, None
        if case.tainted is not None and end >= case.taint_end:
            self.counts["taints_healed"] += not case.declared
            case.tainted = None

    def _delta(self, case: Case, event: BookDelta) -> None:
        messages, change = case.history.messages, case.change_of(event)
        self.counts["rows"] += 1
        if case.at < len(messages) and messages[case.at][:4] == change:
            case.at += 1
            return
        if case.at and messages[case.at - 1][:4] == change:
            self.counts["doubled"] += 1
            return
        ahead = next((n for n in range(case.at, min(case.at + 500, len(messages))) if messages[n][:4] == change), None)
        tainted = "_tainted" if case.tainted is not None else ""
        if ahead is None:
            self.counts[f"wrong{tainted}"] += 1
        else:
            self.counts[f"missing{tainted}"] += ahead - case.at
            case.at = ahead + 1

    def _lost(self, case: Case, end: int) -> None:
        """Count what was published between the last row and the snapshot that ended a gap."""
        since = case.gap_since
        lost = case.history.messages[case.at : end]
        if since is None or not lost:
            return
        self.counts["rows_in_gaps"] += len(lost)
        early = [item for item in lost if item.at < since]
        if early:
            self.worst["before_gap"] = max(self.worst["before_gap"], since - early[0].at)
        self.counts["in_flight"] += sum(item.at >= since - self._in_flight for item in early)
        self.counts["lost_while_covered"] += sum(item.at < since - self._in_flight for item in early)

    def _trade(self, teller: Teller, event: Trade) -> None:
        side, price = event.taker_side or "buy", event.price
        if teller.outcome:
            side, price = ("sell" if side == "buy" else "buy"), complement(price)
        trade = PublishedTrade((event.ts_venue or 0) // NS_PER_MS, price, event.size, side, teller.outcome)
        teller.case.trades[trade] += 1
        self.counts["trades_on_mirrors"] += event.key not in self.cases

    def _trades(self, case: Case) -> None:
        published = Counter(trade for trade in case.history.trades if trade.outcome in case.told_on)
        self.counts["trades"] += sum(case.trades.values())
        self.counts["trades_doubled"] += (case.trades - published).total()
        missing = published - case.trades
        for trade, sent_at in zip(case.history.trades, case.history.trade_times, strict=True):
            if trade in missing and self._is_covered(case.key, sent_at):
                self.counts["trades_missing"] += 1

    def _cover(self, event: MarketEvent) -> None:
        for coverage in self._reducer.apply(event):
            self.coverage[coverage.key].append(coverage)

    def _taint(self) -> None:
        """Mark the instruments of the losses injected since the last call."""
        faults = self._simulator.fault_log.faults
        for fault in faults[self._faults_seen :]:
            if fault.kind in ("skip", "cut"):
                for case in self.cases.values():
                    if case.key.instrument_id in fault.tokens:
                        self.counts[f"planted_{fault.kind}"] += 1
                        case.declared = case.declared and case.tainted is not None
                        case.tainted = fault.start if case.tainted is None else case.tainted
                        # Messages in flight may have been sent before the loss: only later books repair it.
                        case.taint_end = len(case.history.messages)
        self._faults_seen = len(faults)

    def _held_up(self, case: Case, since: int) -> bool:
        """Return whether the connection of this instrument was frozen or delayed at ``since``."""
        token = case.key.instrument_id
        faults = [*self._simulator.fault_log.of_kind("freeze"), *self._simulator.fault_log.of_kind("delay")]
        return any(
            fault.start - self._lag_max <= since <= fault.end + self._lag_max and token in fault.tokens
            for fault in faults
        )

    def _has_gap(self, key: InstrumentKey, start: int, end: int) -> bool:
        return any(
            each.state == "gap" and each.start <= end + REACH and each.end >= start for each in self.coverage[key]
        )

    def _is_covered(self, key: InstrumentKey, moment: int) -> bool:
        """Return whether ``moment`` lies well inside covered time."""
        spans = self.coverage[key]
        index = bisect_right(spans, moment, key=lambda each: each.start) - 1
        if index < 0 or spans[index].state == "gap":
            return False
        return spans[index].start + self._in_flight <= moment <= spans[index].end - self._in_flight


def _mirror(levels: Sequence[Level]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
