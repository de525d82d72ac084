"""The session of one connection: what it carries, what it decoded, and what time demands of it.

Synchronous and without a socket: every rule about missing books, silence and overflow is tested by
calling it with the time.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from predsurv.core.events import Dropped, Gap, GapReason, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.venues.streaming.codec import Auditor, Codec
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.rules import (
    SESSION_TRANSITIONS,
    BrokenBookRule,
    FirstDataRule,
    KeepaliveRule,
    Liveness,
    OverdueBookRule,
    ProbeRule,
    SessionState,
    SessionTick,
    SessionTrigger,
    SilenceRule,
    TimeRule,
)
from predsurv.venues.streaming.state_machine import next_state
from predsurv.venues.streaming.subscriptions import Subscriptions

EventFilter = Callable[[Sequence[MarketEvent], list[MarketEvent]], None]
"""Appends to a list those of some events that may be emitted."""


class DroppedFrames(Struct):
    """Queue marker for dropped frames; ``count`` grows until the queue reaches the marker."""

    count: int


class ConnectionSession:
    """The state of one connection; ``now`` is monotonic, ``ts`` wall time, both ns.

    ``waiting_frames``, ``waiting_bytes`` and ``overflow`` belong to the queue that holds the
    undecoded frames. ``subscriptions`` is what the connection carries and requests.
    ``event_filter``, when there is one, decides which events are emitted. ``delivered``: data came.
    ``state`` follows SESSION_TRANSITIONS.
    """

    def __init__(
        self,
        venue: VenueName,
        epoch: int,
        codec: Codec,
        policy: StreamPolicy,
        now: int,
        *,
        event_filter: EventFilter | None = None,
    ) -> None:
        self.epoch = epoch
        self.codec = codec
        self.event_filter = event_filter
        self.delivered = False
        self.state = SessionState.AWAITING_DATA
        self.waiting_frames = 0
        self.waiting_bytes = 0
        self.overflow: DroppedFrames | None = None
        self._venue = venue
        self._policy = policy
        self._audit = codec.audit if isinstance(codec, Auditor) else None
        self._started = now
        self.subscriptions = subscriptions = Subscriptions(codec, policy)
        self._liveness = liveness = Liveness(policy, now)
        self._keepalive = KeepaliveRule(subscriptions, codec, policy, now)
        self._broken_books = BrokenBookRule(subscriptions, liveness, policy)
        self._rules: Sequence[TimeRule] = (
            FirstDataRule(subscriptions, policy, now),
            self._broken_books,
            ProbeRule(subscriptions, liveness),
            SilenceRule(subscriptions, liveness),
            OverdueBookRule(subscriptions, epoch),
        )

    def receive(self, frames: Sequence[bytes], ts: int, now: int, out: list[MarketEvent]) -> None:
        """Decode and verify what arrived at ``ts``; request broken books anew."""
        if self.event_filter is None and self._liveness.probe is None:
            self._decode(frames, ts, now, out)
            return
        events: list[MarketEvent] = []
        self._decode(frames, ts, now, events)
        self._liveness.insert_probe_gap(events, self.epoch)
        self._emit(events, out)

    def resync(self, overflow: DroppedFrames, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Declare the dropped frames; request every book anew."""
        self.overflow = None
        self._emit([Dropped(self._venue, ts, overflow.count), *self._gaps("overflow", ts)], out)
        self.subscriptions.repeat(self.subscriptions.keys, now)

    def end(self, cause: GapReason, ts: int, out: list[MarketEvent]) -> None:
        """Declare a gap for every instrument carried, from the last data on; the connection ended at ``ts``.

        One found frozen may have been frozen since then; and one that the venue closed may have been
        closed for its backlog, which was never delivered.
        """
        since = ts if self._liveness.last_data_ts is None else self._liveness.last_data_ts
        self._emit(self._gaps(cause, since), out)

    def stable(self, now: int) -> bool:
        """Return whether this connection was a success: it delivered data and did not end at once."""
        return self.delivered and now - self._started >= self._policy.stable

    def check(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Apply the time rules; return False when the connection is frozen and has to be closed."""
        events: list[MarketEvent] = []
        tick = SessionTick(ts, now, events)
        self._keepalive.check(tick)
        if self.waiting_frames or self.overflow is not None:
            return True  # what the other rules miss may be among the frames that wait
        self._verify(ts, now, events)
        for rule in self._rules:
            if self.state in rule.armed_in:
                trigger = rule.check(tick)
                if trigger is not None:
                    self.state = next_state(SESSION_TRANSITIONS, self.state, trigger)
        if events:
            self._emit(events, out)
        return self.state is not SessionState.FROZEN

    def _emit(self, events: Sequence[MarketEvent], out: list[MarketEvent]) -> None:
        if self.event_filter is None:
            out += events
        else:
            self.event_filter(events, out)

    def _decode(self, frames: Sequence[bytes], ts: int, now: int, out: list[MarketEvent]) -> None:
        if self.codec.decode(frames, ts, out):
            if not self.delivered:
                self.delivered = True
                if self.state is SessionState.AWAITING_DATA:
                    self.state = next_state(SESSION_TRANSITIONS, self.state, SessionTrigger.DATA)
            self._liveness.data_received(ts, now)
        self._verify(ts, now, out)

    def _verify(self, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Audit what was decoded; request broken books anew."""
        if self._audit is not None and self._audit(ts, now, out) and self.delivered:
            self._liveness.data_received(ts, now)
        lost = self.codec.take_lost()
        if lost:
            self._broken_books.add(lost)
            self.subscriptions.repeat_lost(lost, now)

    def _gaps(self, reason: GapReason, ts: int) -> list[Gap]:
        return [Gap(key, ts, reason, self.epoch) for key in sorted(self.subscriptions.keys)]
