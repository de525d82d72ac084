"""What one connection carries: which tokens, and which of them have a book.

Kept apart from ``decode`` because it is all that asking, losing and finding again change.
"""

from collections.abc import Set as AbstractSet

from predsurv.core.events import Gap, GapReason
from predsurv.core.ids import InstrumentKey
from predsurv.venues.polymarket.hash_verifier import HashVerifier


class TokenSubscriptions:
    """The tokens of connection ``epoch``, whose books ``witness`` follows.

    ``carried`` and ``live`` (those with a book) by token id; ``awaiting`` have none, ``lost`` had
    one until lately.
    """

    def __init__(self, epoch: int, witness: HashVerifier) -> None:
        self._epoch = epoch
        self._witness = witness
        self.carried: dict[str, InstrumentKey] = {}
        self.live: dict[str, InstrumentKey] = {}
        self.awaiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Carry ``add`` and no longer ``drop``; in both means that the book is awaited anew."""
        for key in drop:
            self.carried.pop(key.instrument_id, None)
            self.live.pop(key.instrument_id, None)
            self._witness.forget(key.instrument_id, for_good=key not in add)
        for key in add:
            self.carried[key.instrument_id] = key
            self.live.pop(key.instrument_id, None)
        self.awaiting -= drop
        self.lost -= drop
        self.awaiting |= add

    def opened(self, key: InstrumentKey) -> None:
        """Take it that the book of ``key`` is here."""
        self.live[key.instrument_id] = key
        self.awaiting.discard(key)
        self.lost.discard(key)

    def lose(self, key: InstrumentKey, since: int, reason: GapReason) -> Gap:
        """Take it that the book of ``key`` is worth nothing ``since`` then (ns UTC); return the gap."""
        del self.live[key.instrument_id]
        self.awaiting.add(key)
        self.lost.add(key)
        self._witness.forget(key.instrument_id, for_good=False)
        return Gap(key, since, reason, self._epoch)

    def take_lost(self) -> set[InstrumentKey]:
        """Return what was lost since the last call."""
        lost, self.lost = self.lost, set()
        return lost
