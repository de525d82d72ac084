"""The connections to the market channel and their subscriptions.

Subscribing behaves as on the venue: unknown tokens are omitted without an error, opening books stop beyond a limit,
repeated subscriptions are ignored.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.simulate.polymarket import messages
from predsurv.simulate.polymarket.books import TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection

OPENING_TOKENS_MAX: Final = 500
"""A connection with more tokens gets no further opening books, and no error."""

IsBookOmitted = Callable[[str], bool]
"""Returns whether the opening book of a token is omitted, as a fault."""


class Subscriber:
    """One connection: its tokens, and whether it asked for the additional messages (``custom_features``)."""

    __slots__ = ("connection", "custom_features", "has_subscribed", "tokens")

    def __init__(self, connection: FaultyConnection) -> None:
        self.connection = connection
        self.tokens: dict[str, None] = {}
        self.custom_features = False
        self.has_subscribed = False


class SubscribeRequest(Struct):
    """``{"type":"market","assets_ids":[…],"custom_feature_enabled":true}``, or with ``operation``."""

    assets_ids: list[str] = []
    operation: str = "subscribe"
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True


_read_request = msgspec.json.Decoder(SubscribeRequest).decode


class Subscribers:
    """The connections by number (``by_number``). ``books`` are the books of unsettled markets by book number."""

    def __init__(
        self, catalog: SimulatedCatalog, books: Mapping[int, TokenPairBook], is_book_omitted: IsBookOmitted
    ) -> None:
        self.by_number: dict[int, Subscriber] = {}
        self._catalog = catalog
        self._books = books
        self._is_book_omitted = is_book_omitted
        self._by_book: dict[int, dict[int, Subscriber]] = {}
        self._sent_before = 0
        """Messages sent on connections that are closed."""

    @property
    def sent(self) -> int:
        """Messages sent so far on all connections, closed ones included."""
        return self._sent_before + sum(subscriber.connection.sent for subscriber in self.by_number.values())

    def of_book(self, book: int) -> Mapping[int, Subscriber]:
        """Return the subscribers of a book by connection number."""
        return self._by_book.get(book, {})

    def pop_book(self, book: int) -> Mapping[int, Subscriber]:
        """Remove a book and return its subscribers by connection number."""
        return self._by_book.pop(book, {})

    def add(self, connection: FaultyConnection) -> None:
        """Add a connection without subscriptions."""
        self.by_number[connection.websocket.number] = Subscriber(connection)

    def remove(self, number: int) -> None:
        """Remove a connection."""
        subscriber = self.by_number.pop(number)
        tokens, subscriber.tokens = subscriber.tokens, {}
        for token in tokens:
            self._remove_from_book(subscriber, token)
        self._sent_before += subscriber.connection.sent

    def on_message(self, number: int, message: bytes) -> None:
        """Execute a client's request; unreadable ones are ignored, as by the venue."""
        subscriber = self.by_number[number]
        if message == b"PING":
            subscriber.connection.pong()
            return
        try:
            request = _read_request(message)
        except ValueError:
            return
        if request.operation == "unsubscribe":
            for token in request.assets_ids:
                if subscriber.tokens.pop(token, "") is None:
                    self._remove_from_book(subscriber, token)
            return
        if request.custom_feature_enabled is not None:
            subscriber.custom_features = request.custom_feature_enabled
        self._subscribe(subscriber, request)
        subscriber.connection.flush()

    def broadcast(self, message: bytes) -> None:
        """Send ``message`` on every connection at once, without faults."""
        for subscriber in self.by_number.values():
            subscriber.connection.websocket.send([message])

    def flush(self, now: int) -> None:
        """Send the queued messages of every connection; ``now`` in ns since the start."""
        for subscriber in tuple(self.by_number.values()):
            subscriber.connection.now = now
            subscriber.connection.flush()

    def _subscribe(self, subscriber: Subscriber, request: SubscribeRequest) -> None:
        new_tokens = [token for token in dict.fromkeys(request.assets_ids) if token not in subscriber.tokens]
        subscriber.tokens.update(dict.fromkeys(new_tokens))
        frames: list[bytes] = []
        for token in new_tokens:
            found = self._catalog.by_token(token)
            if found is None or found.row.book not in self._books:
                continue  # settled or unknown: omitted without an error
            row, outcome = found
            self._by_book.setdefault(row.book, {})[subscriber.connection.websocket.number] = subscriber
            within_limit = len(subscriber.tokens) <= OPENING_TOKENS_MAX
            if request.initial_dump and within_limit and not self._is_book_omitted(token):
                frames.append(messages.opening_book(self._books[row.book], outcome))
        if not subscriber.has_subscribed:
            subscriber.has_subscribed = True
            frames = [b"[%s]" % b",".join(frames)]
        for frame in frames:
            subscriber.connection.put(frame)

    def _remove_from_book(self, subscriber: Subscriber, token: str) -> None:
        found = self._catalog.by_token(token)
        if found is not None and subscriber.tokens.keys().isdisjoint(found.row.tokens):
            self._by_book.get(found.row.book, {}).pop(subscriber.connection.websocket.number, None)
