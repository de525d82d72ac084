"""The tokens that one connection is subscribed to, and which of them have a valid book."""

from collections.abc import Set as AbstractSet

from predsurv.core.events import Gap, GapReason
from predsurv.core.ids import InstrumentKey
from predsurv.venues.polymarket.hash_verifier import HashVerifier


class TokenSubscriptions:
    """The tokens of connection ``epoch``, whose books ``verifier`` follows.

    ``subscribed`` and ``live`` (those with a valid book): instruments by token. ``awaiting``: those
    without; ``lost``: those whose book became invalid since ``take_lost``.
    """

    def __init__(self, epoch: int, verifier: HashVerifier) -> None:
        self._epoch = epoch
        self._verifier = verifier
        self.subscribed: dict[str, InstrumentKey] = {}
        self.live: dict[str, InstrumentKey] = {}
        self.awaiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Subscribe ``add`` and unsubscribe ``drop``; in both means that a new snapshot is awaited."""
        for key in drop:
            self.subscribed.pop(key.instrument_id, None)
            self.live.pop(key.instrument_id, None)
            self._verifier.forget(key.instrument_id, unsubscribed=key not in add)
        for key in add:
            self.subscribed[key.instrument_id] = key
            self.live.pop(key.instrument_id, None)
        self.awaiting -= drop
        self.lost -= drop
        self.awaiting |= add

    def restore(self, key: InstrumentKey) -> None:
        """Record that a snapshot of ``key`` came: its book is valid."""
        self.live[key.instrument_id] = key
        self.awaiting.discard(key)
        self.lost.discard(key)

    def invalidate(self, key: InstrumentKey, since: int, reason: GapReason) -> Gap:
        """Record that the book of ``key`` is invalid ``since`` then (ns UTC); return the gap."""
        del self.live[key.instrument_id]
        self.awaiting.add(key)
        self.lost.add(key)
        self._verifier.forget(key.instrument_id, unsubscribed=False)
        return Gap(key, since, reason, self._epoch)

    def take_lost(self) -> set[InstrumentKey]:
        """Return the instruments whose book became invalid since the last call."""
        lost, self.lost = self.lost, set()
        return lost
