"""The time rules of one connection: what a session does because time has passed.

Each rule names the session states in which it is armed. ``check`` either acts by itself (sends a
request, appends a Gap) or returns the trigger that moves the session to another state.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import ClassVar, Final, NamedTuple, Protocol

from msgspec import Struct

from predsurv.core.events import BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.packed_book import PackedBook
from predsurv.venues.streaming.codec import Codec
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.subscriptions import Subscriptions


class SessionState(Enum):
    """What is known about the flow of data on one connection."""

    AWAITING_DATA = "awaiting_data"
    """No data has come yet."""
    FLOWING = "flowing"
    """Data has come, and not too long ago."""
    PROBING = "probing"
    """Silent for too long: one book was requested anew to see whether data still flows."""
    FROZEN = "frozen"
    """Open, but without data: the connection is to be closed."""


class SessionTrigger(Enum):
    """What moves a session from one state to another."""

    DATA = "first data"
    NO_DATA = "no first data"
    SILENCE = "silence"
    PROBE_ANSWERED = "probe answered"
    PROBE_UNANSWERED = "probe unanswered"
    BOOK_NOT_RESTORED = "broken book not restored"


SESSION_TRANSITIONS: Final[Mapping[SessionState, Mapping[SessionTrigger, SessionState]]] = {
    SessionState.AWAITING_DATA: {
        SessionTrigger.DATA: SessionState.FLOWING,
        SessionTrigger.NO_DATA: SessionState.FROZEN,
    },
    SessionState.FLOWING: {
        SessionTrigger.SILENCE: SessionState.PROBING,
        SessionTrigger.BOOK_NOT_RESTORED: SessionState.FROZEN,
    },
    SessionState.PROBING: {
        SessionTrigger.PROBE_ANSWERED: SessionState.FLOWING,
        SessionTrigger.PROBE_UNANSWERED: SessionState.FROZEN,
        SessionTrigger.BOOK_NOT_RESTORED: SessionState.FROZEN,
    },
    SessionState.FROZEN: {},
}
"""Drawn in ``docs/architecture.md`` under "Session"."""


class SessionTick(NamedTuple):
    """A moment at which rules are checked: wall time and monotonic time in ns, and a list for events."""

    ts: int
    now: int
    out: list[MarketEvent]


class TimeRule(Protocol):
    """One rule about elapsed time."""

    armed_in: ClassVar[AbstractSet[SessionState]]

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Apply the rule; return the trigger when it fires, else None."""
        ...


class _Probe(Struct):
    """A book requested anew at ``ts``, to see whether anything comes; unknown from then on until it does."""

    key: InstrumentKey
    ts: int
    gap_emitted: bool = False


class Liveness:
    """When data last came, and the probe that checks whether it still does.

    An answer to a keepalive proves nothing: connections have stayed open and answering for hours
    without a single update. So one that is silent for too long has to deliver one book.
    """

    def __init__(self, policy: StreamPolicy, now: int) -> None:
        self.last_data_ts: int | None = None
        """Time of the last data (ns UTC); None before the first."""
        self.probe: _Probe | None = None
        self._policy = policy
        self._allowed_silence = policy.silence
        self._last_data = now
        self._probes = 0

    def data_received(self, ts: int, now: int) -> None:
        """Record data, or proof that none was missed, at ``ts``; unless probing, it resets the allowed silence."""
        self._last_data, self.last_data_ts = now, ts
        if self.probe is None:
            self._allowed_silence = self._policy.silence

    def silence(self, now: int) -> int:
        """Return for how long (ns) no data has come."""
        return now - self._last_data

    def too_silent(self, now: int) -> bool:
        """Return whether data has failed to come for longer than allowed."""
        return self.silence(now) >= self._allowed_silence

    def start_probe(self, live: AbstractSet[InstrumentKey], ts: int) -> InstrumentKey:
        """Return the instrument to probe with; not always the same of ``live``, because it pays with a gap."""
        self.probe = _Probe(sorted(live)[self._probes % len(live)], ts)
        self._probes += 1
        return self.probe.key

    def end_probe(self) -> None:
        """Record that the probe was answered, which doubles the allowed silence."""
        self.probe = None
        self._allowed_silence = min(2 * self._allowed_silence, self._policy.silence_max)

    def insert_probe_gap(self, events: list[MarketEvent], epoch: int) -> None:
        """Insert the Gap that the probe caused before the snapshot that ends it.

        Not emitted earlier: if no answer comes, everything is unknown since the last data.
        """
        if self.probe is None or self.probe.gap_emitted:
            return
        for index, event in enumerate(events):
            if isinstance(event, BookSnapshot | PackedBook) and event.key == self.probe.key:
                events.insert(index, Gap(event.key, self.probe.ts, "stall", epoch))
                self.probe.gap_emitted = True
                return


class KeepaliveRule:
    """Armed always, even while frames wait. Every ``keepalive`` ns it sends the codec's keepalive frame."""

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset(SessionState)

    def __init__(self, subscriptions: Subscriptions, codec: Codec, policy: StreamPolicy, now: int) -> None:
        self._subscriptions = subscriptions
        self._codec = codec
        self._interval = policy.keepalive
        self._last = now

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Send the keepalive when it is due."""
        if tick.now - self._last >= self._interval:
            self._last = tick.now
            frame = self._codec.keepalive()
            if frame is not None:
                self._subscriptions.send(frame)
        return None


class FirstDataRule:
    """Armed until the first data. Fires when anything is carried and ``book_timeout`` has passed since the start."""

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset({SessionState.AWAITING_DATA})

    def __init__(self, subscriptions: Subscriptions, policy: StreamPolicy, now: int) -> None:
        self._subscriptions = subscriptions
        self._timeout = policy.book_timeout
        self._started = now

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Return NO_DATA when the connection never delivered anything."""
        overdue = self._subscriptions.keys and tick.now - self._started >= self._timeout
        return SessionTrigger.NO_DATA if overdue else None


class BrokenBookRule:
    """Armed while a book that broke is awaited. Fires when no data at all has come for ``book_timeout``.

    Needed beside the probe: with every book broken there would be none left to probe with.
    """

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset({SessionState.FLOWING, SessionState.PROBING})

    def __init__(self, subscriptions: Subscriptions, liveness: Liveness, policy: StreamPolicy) -> None:
        self._subscriptions = subscriptions
        self._liveness = liveness
        self._timeout = policy.book_timeout
        self._broken: set[InstrumentKey] = set()

    def add(self, lost: AbstractSet[InstrumentKey]) -> None:
        """Watch over books that broke and were requested anew."""
        self._broken |= lost

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Return BOOK_NOT_RESTORED when a broken book is missing and nothing else comes either."""
        self._broken &= self._subscriptions.awaiting()
        silent = self._liveness.silence(tick.now) >= self._timeout
        return SessionTrigger.BOOK_NOT_RESTORED if self._broken and silent else None


class ProbeRule:
    """Armed while a probe is out. Fires when its book has come, or is ``book_timeout`` late."""

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset({SessionState.PROBING})

    def __init__(self, subscriptions: Subscriptions, liveness: Liveness) -> None:
        self._subscriptions = subscriptions
        self._liveness = liveness

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Return how the probe ended, None while it is out."""
        probe = self._liveness.probe
        if probe is None or probe.key not in self._subscriptions.awaiting():
            self._liveness.end_probe()
            return SessionTrigger.PROBE_ANSWERED
        return SessionTrigger.PROBE_UNANSWERED if self._subscriptions.is_late(probe.key, tick.now) else None


class SilenceRule:
    """Armed while data flows. Fires after the allowed silence, if any book is live: requests one of them anew."""

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset({SessionState.FLOWING})

    def __init__(self, subscriptions: Subscriptions, liveness: Liveness) -> None:
        self._subscriptions = subscriptions
        self._liveness = liveness

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Return SILENCE when a probe was sent."""
        live = self._subscriptions.keys - self._subscriptions.awaiting()
        if not live or not self._liveness.too_silent(tick.now):
            return None
        self._subscriptions.repeat({self._liveness.start_probe(live, tick.ts)}, tick.now)
        return SessionTrigger.SILENCE


class OverdueBookRule:
    """Requests each overdue book again, and emits a Gap for it; armed until the session is frozen."""

    armed_in: ClassVar[AbstractSet[SessionState]] = frozenset(SessionState) - {SessionState.FROZEN}

    def __init__(self, subscriptions: Subscriptions, epoch: int) -> None:
        self._subscriptions = subscriptions
        self._epoch = epoch

    def check(self, tick: SessionTick) -> SessionTrigger | None:
        """Repeat overdue requests; never fires."""
        overdue = self._subscriptions.repeat_overdue(tick.now)
        tick.out.extend(Gap(key, tick.ts, "subscribing", self._epoch) for key in overdue)
        return None
