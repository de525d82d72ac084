"""The tokens that one connection is subscribed to, and which of them have a valid book.

The venue tells a trade on the taker's token alone. So with each wanted token the other one of its market, its
mirror, is subscribed as well, and heard for what the venue may tell on it alone; its books are not followed.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct

from predsurv.core.events import Gap, GapReason
from predsurv.core.ids import InstrumentKey
from predsurv.ports import Mirrors
from predsurv.venues.polymarket.hash_verifier import HashVerifier


class HeardToken(NamedTuple):
    """A token that is subscribed for its trades; ``wanted``: the other one of its market, whose book is followed."""

    key: InstrumentKey
    wanted: InstrumentKey


class TokenChange(Struct, frozen=True):
    """The tokens to unsubscribe, and then to subscribe: one in both is requested anew."""

    unsubscribe: frozenset[str]
    subscribe: frozenset[str]


class TokenSubscriptions:
    """The tokens of connection ``epoch``, whose books ``verifier`` follows.

    ``subscribed`` and ``live`` (those with a valid book): wanted instruments by token. ``heard``: the mirrors
    that are not wanted themselves, by token. ``awaiting``: wanted ones without a valid book; ``lost``: those whose
    book became invalid since ``take_lost``.
    """

    def __init__(self, epoch: int, verifier: HashVerifier) -> None:
        self._epoch = epoch
        self._verifier = verifier
        self._mirrors: dict[InstrumentKey, InstrumentKey] = {}
        self.subscribed: dict[str, InstrumentKey] = {}
        self.live: dict[str, InstrumentKey] = {}
        self.heard: dict[str, HeardToken] = {}
        self.heard_names: set[bytes] = set()
        self.awaiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def change(
        self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey], mirrors: Mirrors
    ) -> TokenChange:
        """Subscribe ``add`` and unsubscribe ``drop``; in both means that a new snapshot is awaited.

        ``mirrors``: at least those of ``add``. A mirror is requested, and requested anew, with its instrument.
        """
        before = self.subscribed.keys() | self.heard.keys()
        for key in drop:
            self.subscribed.pop(key.instrument_id, None)
            self.live.pop(key.instrument_id, None)
            self._mirrors.pop(key, None)
            self._verifier.forget(key.instrument_id, unsubscribed=key not in add)
        for key in add:
            self.subscribed[key.instrument_id] = key
            self.live.pop(key.instrument_id, None)
            if key in mirrors:
                self._mirrors[key] = mirrors[key]
        self.awaiting -= drop
        self.lost -= drop
        self.awaiting |= add
        self._hear_mirrors()
        asked: set[str] = {key.instrument_id for key in add}
        asked |= {token for token, heard in self.heard.items() if heard.wanted in add}
        left = {key.instrument_id for key in drop} | before
        left -= self.subscribed.keys() | self.heard.keys()
        return TokenChange(frozenset(left | (asked & before)), frozenset(asked))

    def have_any(self, tokens: Iterable[str]) -> bool:
        """Return whether any of ``tokens`` is subscribed, wanted or heard."""
        return any(token in self.subscribed or token in self.heard for token in tokens)

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

    def _hear_mirrors(self) -> None:
        self.heard = {
            mirror.instrument_id: HeardToken(mirror, wanted)
            for wanted, mirror in self._mirrors.items()
            if mirror.instrument_id not in self.subscribed
        }
        self.heard_names = {token.encode() for token in self.heard}
