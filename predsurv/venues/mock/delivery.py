"""From tape events to market events on one simulated connection, with every fault that it can suffer.

Synchronous and exact: given the tape and the time it returns the events that arrive, so loss and
recovery are tested without waiting.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from predsurv.core.events import (
    Connected,
    Disconnected,
    Dropped,
    GapReason,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Unknown,
)
from predsurv.core.ids import InstrumentKey
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeSettlement, TapeTrade
from predsurv.exchange.world import VENUE
from predsurv.venues.mock.faults import schedule
from predsurv.venues.mock.subscriptions import DeliveryBatch, MockSubscriptions

STALL_NS: Final = 1_000_000_000
"""Silence after which a frozen connection is closed."""
LOST_CHANGES: Final = 3
"""Level changes that a ``gap`` fault loses."""


class _LosingBook(Struct):
    """The book of which ``left`` more level changes are lost."""

    book: int = -1
    left: int = 0


class FaultyDelivery:
    """Turns tape events into market events for the watched instruments. Faults happen by exchange time."""

    def __init__(self, exchange: Exchange, faults: Iterable[ScriptedFault]) -> None:
        self._exchange = exchange
        self._faults = schedule(faults)
        self._batch = DeliveryBatch()
        self._subscriptions = MockSubscriptions(exchange, self._batch)
        self._held: list[TapeEvent] = []
        """Events that a connection which is down or frozen delivers later."""
        self._level_faults: deque[ScriptedFault] = deque()
        """Faults that wait for a level change to spoil."""
        self._losing = _LosingBook()
        self._frozen_at = 0
        self._resumes_at = 0
        self._up = False

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set the watched instruments; opening books come with the next batches."""
        self._subscriptions.watch(want)

    def inject(self, kind: str, lasts: int = 0) -> None:
        """Schedule a fault for the present exchange time."""
        self._faults.add(ScriptedFault(self._exchange.now - self._exchange.origin, kind, lasts))

    def deliver(self, ts_recv: int, events: Sequence[TapeEvent], dropped: int, snapshots_max: int) -> list[MarketEvent]:
        """Return the events that arrive at ``ts_recv`` (ns UTC, never decreasing), in order.

        ``dropped`` counts tape events lost before this batch; at most ``snapshots_max`` snapshots.
        """
        batch = self._batch
        batch.ts_recv = ts_recv
        arrived: list[MarketEvent] = []
        batch.events = arrived
        self._apply_due_faults(len(events))
        if dropped:
            self._overflow(dropped)
        if self._frozen_at:
            self._check_frozen()
        if self._up and not self._frozen_at:
            held, self._held = self._held, []
            self._emit(held)
            self._emit(events)
        else:
            self._hold(events)
        if not self._up and self._exchange.now >= self._resumes_at:
            self._connect()
        if self._up and not self._frozen_at:
            self._subscriptions.open_books(snapshots_max)
        return arrived

    def _apply_due_faults(self, arriving: int) -> None:
        exchange = self._exchange
        for fault in self._faults.due(exchange.now - exchange.origin):
            match fault.kind:
                case "drop":
                    self._disconnect("disconnect", "connection reset by the venue")
                    self._resumes_at = exchange.origin + fault.at + fault.lasts
                case "freeze":
                    self._frozen_at = exchange.origin + fault.at
                    self._resumes_at = self._frozen_at + fault.lasts
                case "overflow":
                    self._overflow(max(arriving, 1))
                case "unknown":
                    self._batch.events.append(Unknown(VENUE, self._batch.ts_recv, "mood_change"))
                case "gap" | "malformed":
                    self._level_faults.append(fault)
                case _:
                    pass  # "timeout" concerns brokers

    def _connect(self) -> None:
        batch = self._batch
        batch.epoch += 1
        self._up = True
        batch.events.append(Connected(VENUE, batch.ts_recv, batch.epoch, 1))
        held, self._held = self._held, []
        self._emit(held)
        self._subscriptions.open_now()

    def _disconnect(self, reason: GapReason, detail: str) -> None:
        if not self._up:
            return
        batch = self._batch
        self._up = False
        self._frozen_at = 0
        self._losing = _LosingBook()
        batch.events.append(Disconnected(VENUE, batch.ts_recv, batch.epoch, 0, detail))
        self._subscriptions.lose_all(reason)

    def _check_frozen(self) -> None:
        """Close a frozen connection after STALL_NS, or resume with everything that it held back."""
        now, closes_at = self._exchange.now, self._frozen_at + STALL_NS
        if self._resumes_at > closes_at <= now:
            self._disconnect("stall", "no data for 1 s")
        elif now >= self._resumes_at:
            self._frozen_at = 0

    def _hold(self, events: Sequence[TapeEvent]) -> None:
        """Keep what a frozen connection holds back; one that is down keeps only what the venue sends again."""
        self._held.extend(events)
        if not self._up:
            self._held = [event for event in self._held if isinstance(event, TapeLifecycle | TapeSettlement)]

    def _overflow(self, count: int) -> None:
        self._batch.events.append(Dropped(VENUE, self._batch.ts_recv, count))
        self._subscriptions.lose_all("overflow")

    def _emit(self, events: Iterable[TapeEvent]) -> None:
        subscriptions, arrived = self._subscriptions, self._batch.events
        for event in events:
            if type(event) is LevelChange:
                if not ((self._level_faults or self._losing.left) and self._spoil(event)):
                    subscriptions.change(event)
            elif type(event) is TapeTrade:
                subscriptions.trade(event)
            elif type(event) is TapeLifecycle:
                arrived.append(_market_change(event, self._batch.ts_recv))
            elif type(event) is TapeSettlement:
                arrived.append(_market_resolved(event, self._batch.ts_recv))

    def _spoil(self, event: LevelChange) -> bool:
        """Let a waiting fault take this change; return whether one did."""
        losing = self._losing
        if losing.left:
            if event.book == losing.book:
                losing.left -= 1
            return event.book == losing.book
        if not self._subscriptions.is_live(event):
            return False
        if self._level_faults.popleft().kind == "gap":
            self._losing = _LosingBook(event.book, LOST_CHANGES - 1)
            return True
        digest = blake2b(f"{event.book}/{event.book_seq}".encode(), digest_size=8).hexdigest()
        self._batch.events.append(Malformed(VENUE, self._batch.ts_recv, "price 'NaN' is not a decimal", digest))
        self._subscriptions.lose_book(event.book, "decode_error")
        return True


def _market_change(event: TapeLifecycle, ts_recv: int) -> MarketChange:
    market = event.market
    return MarketChange(
        venue=VENUE,
        market_id=market.market_id,
        instrument_id=None,
        ts_recv=ts_recv,
        ts_venue=event.ts,
        kind=event.kind,
        value=event.value,
        market=market,
        tick_size=market.tick_size if event.kind == "tick_size" else None,
    )


def _market_resolved(event: TapeSettlement, ts_recv: int) -> MarketResolved:
    return MarketResolved(VENUE, event.market.market_id, ts_recv, event.ts, event.payouts, event.void)
