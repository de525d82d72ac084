"""The wire between the exchange and one subscriber, with everything that can befall it.

Kept apart from the feed because it is synchronous and exact: given the tape and the time it says
which market events arrive, so loss and recovery are tested without waiting.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

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
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeSettlement, TapeTrade
from predsurv.exchange.world import VENUE
from predsurv.venues.mock.faults import MockFault
from predsurv.venues.mock.subscriptions import DeliveryQueue, MockSubscriptions

STALL_NS: Final = 1_000_000_000
"""Silence after which the watchdog gives a connection up."""
LOST_CHANGES: Final = 3
"""Changes that a ``gap`` fault swallows."""


class FaultyDelivery:
    """Turns tape events into market events for what is watched. Faults happen by exchange time."""

    def __init__(self, exchange: Exchange, faults: Iterable[MockFault]) -> None:
        self._exchange = exchange
        self._faults = deque(sorted(faults))
        self._delivery = DeliveryQueue()
        self._subscriptions = MockSubscriptions(exchange, self._delivery)
        self._held: list[TapeEvent] = []
        self._pending: deque[MockFault] = deque()
        self._swallow = (-1, 0)
        """(book, changes still to be lost)."""
        self._frozen_at = 0
        self._resumes = 0
        self._up = False

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set what is watched; opening books come with the next turns."""
        self._subscriptions.watch(want)

    def inject(self, fault: MockFault) -> None:
        """Let one more thing go wrong."""
        self._faults = deque(sorted((*self._faults, fault)))

    def turn(self, recv: int, events: Sequence[TapeEvent], dropped: int, snapshots_max: int) -> list[MarketEvent]:
        """Return what arrives at ``recv`` (ns UTC, never decreasing), in order.

        ``dropped`` counts tape events lost before this turn; at most ``snapshots_max`` snapshots.
        """
        delivery = self._delivery
        delivery.recv = recv
        arrived: list[MarketEvent] = []
        delivery.events = arrived
        self._misfortunes(len(events))
        if dropped:
            self._overflow(dropped)
        if self._frozen_at:
            self._watch_silence()
        if self._up and not self._frozen_at:
            held, self._held = self._held, []
            self._deliver(held)
            self._deliver(events)
        else:
            self._hold(events)
        if not self._up and self._exchange.now >= self._resumes:
            self._connect()
        if self._up and not self._frozen_at:
            self._subscriptions.open_books(snapshots_max)
        return arrived

    def _misfortunes(self, arriving: int) -> None:
        exchange = self._exchange
        while self._faults and exchange.origin + self._faults[0].at <= exchange.now:
            fault = self._faults.popleft()
            match fault.kind:
                case "drop":
                    self._disconnect("disconnect", "connection reset by the venue")
                    self._resumes = exchange.origin + fault.at + fault.lasts
                case "freeze":
                    self._frozen_at = exchange.origin + fault.at
                    self._resumes = self._frozen_at + fault.lasts
                case "overflow":
                    self._overflow(max(arriving, 1))
                case "unknown":
                    self._delivery.events.append(Unknown(VENUE, self._delivery.recv, "mood_change"))
                case "gap" | "malformed":
                    self._pending.append(fault)
                case "timeout":
                    pass  # is the broker's

    def _connect(self) -> None:
        delivery = self._delivery
        delivery.epoch += 1
        self._up = True
        delivery.events.append(Connected(VENUE, delivery.recv, delivery.epoch, 1))
        held, self._held = self._held, []
        self._deliver(held)
        self._subscriptions.hasten()

    def _disconnect(self, reason: GapReason, detail: str) -> None:
        if not self._up:
            return
        delivery = self._delivery
        self._up = False
        self._frozen_at = 0
        self._swallow = (-1, 0)
        delivery.events.append(Disconnected(VENUE, delivery.recv, delivery.epoch, 0, detail))
        self._subscriptions.lose_all(reason)

    def _watch_silence(self) -> None:
        """Give up a frozen connection, or let it thaw with everything that it held back."""
        now, patience = self._exchange.now, self._frozen_at + STALL_NS
        if self._resumes > patience <= now:
            self._disconnect("stall", "no data for 1 s")
        elif now >= self._resumes:
            self._frozen_at = 0

    def _hold(self, events: Sequence[TapeEvent]) -> None:
        """Keep what a frozen wire holds back; a cut one keeps only what the venue tells again."""
        self._held.extend(events)
        if not self._up:
            self._held = [event for event in self._held if isinstance(event, TapeLifecycle | TapeSettlement)]

    def _overflow(self, count: int) -> None:
        self._delivery.events.append(Dropped(VENUE, self._delivery.recv, count))
        self._subscriptions.lose_all("overflow")

    def _deliver(self, events: Iterable[TapeEvent]) -> None:
        subscriptions, arrived = self._subscriptions, self._delivery.events
        for event in events:
            if type(event) is LevelChange:
                if not ((self._pending or self._swallow[1]) and self._spoiled(event)):
                    subscriptions.change(event)
            elif type(event) is TapeTrade:
                subscriptions.trade(event)
            elif type(event) is TapeLifecycle:
                arrived.append(_changed(event, self._delivery.recv))
            elif type(event) is TapeSettlement:
                arrived.append(_resolved(event, self._delivery.recv))

    def _spoiled(self, event: LevelChange) -> bool:
        """Let a waiting fault take this change; returns whether it did."""
        book, left = self._swallow
        if left:
            if event.book == book:
                self._swallow = (book, left - 1)
            return event.book == book
        if not self._subscriptions.hears(event):
            return False
        if self._pending.popleft().kind == "gap":
            self._swallow = (event.book, LOST_CHANGES - 1)
            return True
        digest = blake2b(f"{event.book}/{event.book_seq}".encode(), digest_size=8).hexdigest()
        self._delivery.events.append(Malformed(VENUE, self._delivery.recv, "price 'NaN' is not a decimal", digest))
        self._subscriptions.lose_book(event.book, "decode_error")
        return True


def _changed(event: TapeLifecycle, recv: int) -> MarketChange:
    market = event.market
    return MarketChange(
        venue=VENUE,
        market_id=market.market_id,
        instrument_id=None,
        ts_recv=recv,
        ts_venue=event.ts,
        kind=event.kind,
        value=event.value,
        market=market,
        tick_size=market.tick_size if event.kind == "tick_size" else None,
    )


def _resolved(event: TapeSettlement, recv: int) -> MarketResolved:
    return MarketResolved(VENUE, event.market.market_id, recv, event.ts, event.payouts, event.void)
