"""One connection's conversation with a venue: what was asked, what came, what is overdue.

Kept apart from ``streaming`` because it is synchronous and has no socket: every rule about missing
books, silence and overflow is tested by calling it with the time.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.core.events import Dropped, Gap, GapReason, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.venues.codec import Codec

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS


class StreamPolicy(Struct, frozen=True, kw_only=True):
    """Every bound and patience of a streaming feed; times in ns.

    ``book_patience``: an instrument without a book this long after it was asked for is asked for
    again, each time waiting twice as long, at most ``book_patience_max``: settled ones never
    answer. ``silence``: a connection without data this long has to prove itself by one book; when
    it does, it may be silent twice as long next time, at most ``silence_max``. ``stable``: a
    connection that lived this long and brought data is a success.
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


class Overflow(Struct):
    """Stands in the queue where messages were let go; ``count`` grows until it is reached."""

    count: int


class _Asked(Struct):
    at: int
    patience: int


class Conversation:
    """The state of one connection; ``now`` is monotonic, ``ts`` wall time, both ns.

    ``outgoing`` collects frames for whoever sends. ``waiting_frames``, ``waiting_bytes`` and
    ``overflow`` belong to the queue that holds its undecoded frames.
    """

    def __init__(self, venue: VenueName, epoch: int, codec: Codec, policy: StreamPolicy, now: int) -> None:
        self.epoch = epoch
        self.keys: set[InstrumentKey] = set()
        self.outgoing: list[bytes] = []
        self.heard = False
        self.waiting_frames = 0
        self.waiting_bytes = 0
        self.overflow: Overflow | None = None
        self._venue = venue
        self._codec = codec
        self._policy = policy
        self._started = now
        self._last_data = now
        self._last_keepalive = now
        self._silence = policy.silence
        self._probed: InstrumentKey | None = None
        self._asked: dict[InstrumentKey, _Asked] = {}

    def ask(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey], now: int) -> None:
        """Ask for ``add``, no longer for ``drop``; in both means anew. Effective at once."""
        self.keys = (self.keys - drop) | add
        for key in drop - add:
            self._asked.pop(key, None)
        for key in add:
            self._asked[key] = _Asked(now, self._policy.book_patience)
        self.outgoing += self._codec.requests(add, drop)

    def receive(self, frames: Sequence[bytes], ts: int, now: int, out: list[MarketEvent]) -> None:
        """Decode what arrived at ``ts``; ask again for what a broken message spoilt."""
        decode = self._codec.decode
        data = False
        for frame in frames:
            if decode(frame, ts, out):
                data = True
        if data:
            self.heard = True
            self._last_data = now
            if self._probed is None:
                self._silence = self._policy.silence
        lost = self._codec.take_lost()
        if lost:
            self._replace(lost, now)

    def _replace(self, lost: AbstractSet[InstrumentKey], now: int) -> None:
        """Ask anew for spoilt books; one spoilt again and again only once in ``ask_interval``."""
        interval = self._policy.ask_interval
        soon = {key for key in lost if now - self._asked[key].at < interval}
        for key in soon:
            self._asked[key].patience = interval
        self._ask_again(lost - soon, now)

    def resync(self, overflow: Overflow, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Declare what was let go; ask for every book anew."""
        self.overflow = None
        out.append(Dropped(self._venue, ts, overflow.count))
        out += self.gaps("overflow", ts)
        self.ask(self.keys, self.keys, now)

    def gaps(self, reason: GapReason, ts: int) -> list[Gap]:
        """Return a gap for every instrument carried."""
        return [Gap(key, ts, reason, self.epoch) for key in sorted(self.keys)]

    def stable(self, now: int) -> bool:
        """Return whether this connection worked: it brought data and did not end at once."""
        return self.heard and now - self._started >= self._policy.stable

    def check(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Do what time demands; return False when the connection is to be given up as frozen."""
        if now - self._last_keepalive >= self._policy.keepalive:
            self._last_keepalive = now
            frame = self._codec.keepalive()
            if frame is not None:
                self.outgoing.append(frame)
        if self.waiting_frames or self.overflow is not None:
            return True  # whatever is missing may be among them
        if not self._flows(ts, now, out):
            return False
        self._chase(ts, now, out)
        return True

    def _flows(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Return whether data flows, as far as is known; make a silent connection prove it.

        An answer to a keepalive proves nothing: connections have stayed open and answering for
        hours without a single update.
        """
        awaiting = self._codec.awaiting()
        if not self.heard:
            return not self.keys or now - self._started < self._policy.book_patience
        if self._probed is not None:
            if self._probed in awaiting:
                return now - self._asked[self._probed].at < self._policy.book_patience
            self._probed = None
            self._silence = min(2 * self._silence, self._policy.silence_max)
        live = self.keys - awaiting
        if live and now - self._last_data >= self._silence:
            self._probed = min(live)
            out.append(Gap(self._probed, ts, "stall", self.epoch))
            self._ask_again({self._probed}, now)
        return True

    def _chase(self, ts: int, now: int, out: list[MarketEvent]) -> None:
        """Ask again for instruments whose first book is overdue."""
        overdue = set()
        for key in self._codec.awaiting():
            asked = self._asked[key]
            if now - asked.at >= asked.patience:
                overdue.add(key)
                out.append(Gap(key, ts, "subscribing", self.epoch))
        patience = {key: self._asked[key].patience for key in overdue}
        self._ask_again(overdue, now)
        for key, before in patience.items():
            self._asked[key].patience = min(2 * before, self._policy.book_patience_max)

    def _ask_again(self, keys: AbstractSet[InstrumentKey], now: int) -> None:
        if keys:
            self.ask(keys, keys, now)
