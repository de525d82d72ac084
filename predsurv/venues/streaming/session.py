"""One connection's conversation with a venue: what was asked, what came, what is overdue.

Kept apart from ``lane`` because it is synchronous and has no socket: every rule about missing
books, silence and overflow is tested by calling it with the time.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.core.events import BookSnapshot, Dropped, Gap, GapReason, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.venues.streaming.codec import Auditor, Codec

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS


ANSWERS_MISSED: Final = 2
"""How often an instrument is asked for on one connection before another one is tried."""


class StreamPolicy(Struct, frozen=True, kw_only=True):
    """Every bound and patience of a streaming feed; times in ns.

    ``book_patience``: an instrument without a book this long after it was asked for is asked for
    again, each time waiting twice as long, at most ``book_patience_max``: settled ones never
    answer. ``silence``: a connection without data this long has to prove itself by one book; when
    it does, it may be silent twice as long next time, at most ``silence_max``. ``stable``: a
    connection that lived this long and brought data is a success. ``lifetime``: a connection this
    old is replaced by a new one without a seam; 0 for never. ``overlap``: how long both are read,
    so that the old one has told all that is in the new one's books, however far it is behind.
    """

    tick: int = 500 * _MS
    keepalive: int = 10 * _S
    book_patience: int = 10 * _S
    book_patience_max: int = 320 * _S
    silence: int = 15 * _S
    silence_max: int = 120 * _S
    stable: int = 10 * _S
    ask_interval: int = _S
    waiting_frames_max: int = 50_000
    waiting_bytes_max: int = 64 * 2**20
    turn_frames_max: int = 4_096
    backoff_base: int = _S
    backoff_cap: int = 30 * _S
    outage_attempts: int = 10
    handshake_interval: int = 250 * _MS
    retries_per_minute: int = 5
    retries_at_once: int = 4
    lifetime: int = 0
    overlap: int = 2 * _S
    handover_patience: int = 30 * _S
    catch_up_patience: int = 5 * _S


class MessagesDropped(Struct):
    """Stands in the queue where messages were let go; ``count`` grows until it is reached."""

    count: int


Gate = Callable[[Sequence[MarketEvent], list[MarketEvent]], None]
"""Passes on to a list what may be told of some events."""


class _PendingRequest(Struct):
    at: int
    patience: int


class _PendingRequests:
    """What was asked for and when."""

    def __init__(self, policy: StreamPolicy) -> None:
        self._policy = policy
        self._asked: dict[InstrumentKey, _PendingRequest] = {}

    def note(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey], now: int) -> None:
        """Remember that ``add`` was asked for and ``drop`` is wanted no longer (in both means anew)."""
        for key in drop - add:
            self._asked.pop(key, None)
        for key in add:
            self._asked[key] = _PendingRequest(now, self._policy.book_patience)

    def late(self, key: InstrumentKey, now: int) -> bool:
        """Return whether an answer about ``key`` is overdue."""
        return now - self._asked[key].at >= self._policy.book_patience

    def overdue(self, awaiting: AbstractSet[InstrumentKey], now: int) -> dict[InstrumentKey, int]:
        """Return what is worth asking for again, each with the patience to have with it next time."""
        found = {}
        for key in awaiting:
            asked = self._asked[key]
            if now - asked.at >= asked.patience:
                found[key] = min(2 * asked.patience, self._policy.book_patience_max)
        return found

    def wait(self, patience: Mapping[InstrumentKey, int]) -> None:
        """Have this much patience with each."""
        for key, value in patience.items():
            self._asked[key].patience = value

    def too_soon(self, keys: AbstractSet[InstrumentKey], now: int) -> set[InstrumentKey]:
        """Return those asked for so recently that they have to wait for their turn."""
        interval = self._policy.ask_interval
        soon = {key for key in keys if now - self._asked[key].at < interval}
        self.wait(dict.fromkeys(soon, interval))
        return soon


class _Probe(Struct):
    """An instrument asked for anew to see whether anything comes: unknown from ``ts`` until told otherwise."""

    key: InstrumentKey
    ts: int
    told: bool = False


class _LivenessProbe:
    """Whether data flows.

    An answer to a keepalive proves nothing: connections have stayed open and answering for hours
    without a single update. So one that is silent for too long has to bring one book.
    """

    def __init__(self, policy: StreamPolicy, now: int) -> None:
        self.last_ts: int | None = None
        self.probe: _Probe | None = None
        self._policy = policy
        self._silence = policy.silence
        self._last_data = now
        self._probes = 0

    def note(self, ts: int, now: int) -> None:
        """Remember that data came, or that nothing was missed, at ``ts``."""
        self._last_data, self.last_ts = now, ts
        if self.probe is None:
            self._silence = self._policy.silence

    def quiet(self, now: int) -> int:
        """Return how long (ns) nothing has come."""
        return now - self._last_data

    def answered(self) -> None:
        """Remember that the probe was answered: this connection may be silent for longer."""
        self.probe = None
        self._silence = min(2 * self._silence, self._policy.silence_max)

    def choose(self, live: AbstractSet[InstrumentKey], ts: int, now: int) -> InstrumentKey | None:
        """Return the instrument to ask for anew, None when there is no need."""
        if not live or now - self._last_data < self._silence:
            return None
        # Not always the same one: it pays with a gap.
        self.probe = _Probe(sorted(live)[self._probes % len(live)], ts)
        self._probes += 1
        return self.probe.key

    def explain(self, events: list[MarketEvent], epoch: int) -> None:
        """Put the gap that the probe tore before the book that closes it.

        It is not told earlier: without an answer everything is unknown since the last data.
        """
        if self.probe is None or self.probe.told:
            return
        for index, event in enumerate(events):
            if isinstance(event, BookSnapshot) and event.key == self.probe.key:
                events.insert(index, Gap(event.key, self.probe.ts, "stall", epoch))
                self.probe.told = True
                return


class ConnectionSession:
    """The state of one connection; ``now`` is monotonic, ``ts`` wall time, both ns.

    ``outgoing`` collects frames for whoever sends. ``waiting_frames``, ``waiting_bytes`` and
    ``overflow`` belong to the queue that holds its undecoded frames. ``gate``, when there is one,
    decides what is told. ``heard``: data came. ``unanswered``: was asked for ANSWERS_MISSED times here,
    without a book.
    """

    def __init__(self, venue: VenueName, epoch: int, codec: Codec, policy: StreamPolicy, now: int) -> None:
        self.epoch = epoch
        self.codec = codec
        self.gate: Gate | None = None
        self.heard = False
        self.keys: set[InstrumentKey] = set()
        self.outgoing: list[bytes] = []
        self.waiting_frames = 0
        self.waiting_bytes = 0
        self.overflow: MessagesDropped | None = None
        self._venue = venue
        self._policy = policy
        self._audit = codec.audit if isinstance(codec, Auditor) else None
        self._started = now
        self._last_keepalive = now
        self._asks = _PendingRequests(policy)
        self._vigil = _LivenessProbe(policy, now)
        self.unanswered: set[InstrumentKey] = set()
        self._broken: set[InstrumentKey] = set()
        """Had a book, lost it, and was asked for anew."""

    def ask(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey], now: int) -> None:
        """Ask for ``add``, no longer for ``drop``; in both means anew. Effective at once."""
        self.keys = (self.keys - drop) | add
        self.unanswered -= drop - add
        self._asks.note(add, drop, now)
        self.outgoing += self.codec.requests(add, drop)

    def receive(self, frames: Sequence[bytes], ts: int, now: int, out: list[MarketEvent]) -> None:
        """Decode and check what arrived at ``ts``; ask again for what was spoilt."""
        if self.gate is None and self._vigil.probe is None:
            self._take(frames, ts, now, out)
            return
        events: list[MarketEvent] = []
        self._take(frames, ts, now, events)
        self._vigil.explain(events, self.epoch)
        self._tell(events, out)

    def resync(self, overflow: MessagesDropped, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Declare what was let go; ask for every book anew."""
        self.overflow = None
        self._tell([Dropped(self._venue, ts, overflow.count), *_gaps(self, "overflow", ts)], out)
        self.ask(self.keys, self.keys, now)

    def end(self, cause: GapReason, ts: int, out: list[MarketEvent]) -> None:
        """Declare a gap for every instrument carried, from the last data on; it is over at ``ts``.

        One that was found dead may have been dead since; and one that said goodbye may have been told
        off for its backlog, which then never came.
        """
        since = ts if self._vigil.last_ts is None else self._vigil.last_ts
        self._tell(_gaps(self, cause, since), out)

    def stable(self, now: int) -> bool:
        """Return whether this connection worked: it brought data and did not end at once."""
        return self.heard and now - self._started >= self._policy.stable

    def check(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Do what time demands; return False when the connection is to be given up as frozen."""
        if now - self._last_keepalive >= self._policy.keepalive:
            self._last_keepalive = now
            frame = self.codec.keepalive()
            if frame is not None:
                self.outgoing.append(frame)
        if self.waiting_frames or self.overflow is not None:
            return True  # whatever is missing may be among them
        events: list[MarketEvent] = []
        self._examine(ts, now, events)
        flows = self._flows(ts, now)
        if flows:
            self._chase(ts, now, events)
        if events:
            self._tell(events, out)
        return flows

    def _tell(self, events: Sequence[MarketEvent], out: list[MarketEvent]) -> None:
        if self.gate is None:
            out += events
        else:
            self.gate(events, out)

    def _take(self, frames: Sequence[bytes], ts: int, now: int, out: list[MarketEvent]) -> None:
        if self.codec.decode(frames, ts, out):
            self.heard = True
            self._vigil.note(ts, now)
        self._examine(ts, now, out)

    def _examine(self, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Check what was decoded; ask anew for what is spoilt, for one spoilt again and again only now and then."""
        if self._audit is not None and self._audit(ts, now, out) and self.heard:
            self._vigil.note(ts, now)
        lost = self.codec.take_lost()
        if lost:
            self._broken |= lost
            _ask_again(self, lost - self._asks.too_soon(lost, now), now)

    def _flows(self, ts: int, now: int) -> bool:
        """Return whether data flows, as far as is known; make a silent connection prove it."""
        vigil, awaiting = self._vigil, self.codec.awaiting()
        if not self.heard:
            return not self.keys or now - self._started < self._policy.book_patience
        self._broken &= awaiting
        if self._broken and vigil.quiet(now) >= self._policy.book_patience:
            return False  # with every book broken there would be none left to probe
        if vigil.probe is not None:
            if vigil.probe.key in awaiting:
                return not self._asks.late(vigil.probe.key, now)
            vigil.answered()
        chosen = vigil.choose(self.keys - awaiting, ts, now)
        if chosen is not None:
            _ask_again(self, {chosen}, now)
        return True

    def _chase(self, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Ask again for instruments whose first book is overdue."""
        overdue = self._asks.overdue(self.codec.awaiting(), now)
        out += [Gap(key, ts, "subscribing", self.epoch) for key in sorted(overdue)]
        _ask_again(self, overdue.keys(), now)
        self._asks.wait(overdue)
        tried = self._policy.book_patience << ANSWERS_MISSED
        self.unanswered |= {key for key, patience in overdue.items() if patience >= tried}


def _ask_again(talk: ConnectionSession, keys: AbstractSet[InstrumentKey], now: int) -> None:
    if keys:
        talk.ask(frozenset(keys), frozenset(keys), now)


def _gaps(talk: ConnectionSession, reason: GapReason, ts: int) -> list[Gap]:
    return [Gap(key, ts, reason, talk.epoch) for key in sorted(talk.keys)]
