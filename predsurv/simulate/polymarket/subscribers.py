"""Who is connected to the market channel and what each of them asked for.

Kept apart from the channel because subscribing is a conversation of its own, with habits that
readers have to survive: silent omissions, a limit nobody announces, duplicates that are ignored.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.simulate.polymarket import messages
from predsurv.simulate.polymarket.books import TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.faulty_link import FaultyLink

OPENING_TOKENS_MAX: Final = 500
"""A connection that carries more gets no opening books any more, and is not told."""

Omits = Callable[[str], bool]


class Subscriber:
    """One connection: the tokens it asked for, and whether it wants the extra messages."""

    __slots__ = ("custom", "greeted", "tokens", "wire")

    def __init__(self, wire: FaultyLink) -> None:
        self.wire = wire
        self.tokens: dict[str, None] = {}
        self.custom = False
        self.greeted = False


class SubscribeRequest(Struct):
    """``{"type":"market","assets_ids":[…],"custom_feature_enabled":true}``, or with ``operation``."""

    assets_ids: list[str] = []
    operation: str = "subscribe"
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True


_read_wish = msgspec.json.Decoder(SubscribeRequest).decode


class Subscribers:
    """The connections by number. ``books`` are the live ones by book number.

    ``omits``: whether the opening book of a token gets lost.
    """

    def __init__(self, listing: SimulatedCatalog, books: Mapping[int, TokenPairBook], omits: Omits) -> None:
        self.all: dict[int, Subscriber] = {}
        self._listing = listing
        self._books = books
        self._omits = omits
        self._audience: dict[int, dict[int, Subscriber]] = {}
        self._sent = 0

    @property
    def sent(self) -> int:
        """Messages sent so far on all connections that there are or were."""
        return self._sent + sum(member.wire.sent for member in self.all.values())

    def audience(self, book: int) -> Mapping[int, Subscriber]:
        """Return who hears of a book, by number."""
        return self._audience.get(book, {})

    def disband(self, book: int) -> Mapping[int, Subscriber]:
        """Forget who hears of a book, and return them."""
        return self._audience.pop(book, {})

    def join(self, wire: FaultyLink) -> None:
        """Take in a connection."""
        self.all[wire.link.number] = Subscriber(wire)

    def leave(self, number: int) -> None:
        """Forget a connection."""
        member = self.all.pop(number)
        tokens, member.tokens = member.tokens, {}
        for token in tokens:
            self._unhear(member, token)
        self._sent += member.wire.sent

    def hear(self, number: int, message: bytes) -> None:
        """Do what a connection asks for; nonsense is ignored, as the venue does."""
        member = self.all[number]
        if message == b"PING":
            member.wire.pong()
            return
        try:
            wish = _read_wish(message)
        except ValueError:
            return
        if wish.operation == "unsubscribe":
            for token in wish.assets_ids:
                if member.tokens.pop(token, "") is None:
                    self._unhear(member, token)
            return
        if wish.custom_feature_enabled is not None:
            member.custom = wish.custom_feature_enabled
        self._subscribe(member, wish)
        member.wire.flush()

    def say(self, message: bytes) -> None:
        """Send ``message`` on every connection as it is, at once."""
        for member in self.all.values():
            member.wire.link.send([message])

    def flush(self, now: int) -> None:
        """Hand over everything to the connections, ``now`` ns after the start."""
        for member in tuple(self.all.values()):
            member.wire.now = now
            member.wire.flush()

    def _subscribe(self, member: Subscriber, wish: SubscribeRequest) -> None:
        fresh = [token for token in dict.fromkeys(wish.assets_ids) if token not in member.tokens]
        member.tokens.update(dict.fromkeys(fresh))
        frames: list[bytes] = []
        for token in fresh:
            found = self._listing.token(token)
            if found is None or found[0].book not in self._books:
                continue  # settled or unknown: left out without a word
            row, outcome = found
            self._audience.setdefault(row.book, {})[member.wire.link.number] = member
            if wish.initial_dump and len(member.tokens) <= OPENING_TOKENS_MAX and not self._omits(token):
                frames.append(messages.opening_book(self._books[row.book], outcome))
        if not member.greeted:
            member.greeted = True
            frames = [b"[%s]" % b",".join(frames)]
        for frame in frames:
            member.wire.put(frame)

    def _unhear(self, member: Subscriber, token: str) -> None:
        found = self._listing.token(token)
        if found is not None and member.tokens.keys().isdisjoint(found[0].tokens):
            self._audience.get(found[0].book, {}).pop(member.wire.link.number, None)
