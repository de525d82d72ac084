"""The subscription protocol of one connection: commands out, subscription ids in.

Ids are given late, updates need them, and a refused command must leave no trace.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec

BOOKS: Final = "orderbook_delta"
TRADES: Final = "trade"
LIFECYCLE: Final = "market_lifecycle_v2"

CHUNK_TICKERS_MAX: Final = 250
COMMANDS_MAX: Final = 256
"""Commands remembered to match a refusal with its command; older ones were answered long ago."""


class Channel:
    """One channel: its ``sid`` once known, its ``tickers``, and those ``leaving`` as soon as the sid is known."""

    __slots__ = ("leaving", "name", "sid", "tickers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sid: int | None = None
        self.tickers: set[str] = set()
        self.leaving: set[str] = set()

    def reset(self) -> None:
        """Forget the subscription: the venue ended it."""
        self.sid = None
        self.tickers.clear()
        self.leaving.clear()


class SubscribeCommand(NamedTuple):
    """A command that may be refused: its channels and tickers; one that ``adds`` is undone then.

    ``sid``: the subscription that it named, None when it opens one.
    """

    channels: Sequence[Channel]
    tickers: AbstractSet[str]
    adds: bool = True
    sid: int | None = None


class SubscribeCommands:
    """Numbers commands and remembers the last ``COMMANDS_MAX`` of them, in ``sent`` by number."""

    def __init__(self) -> None:
        self.sent: dict[int, SubscribeCommand] = {}
        self._ids = count(1)

    def frame(self, name: str, params: dict[str, Any], command: SubscribeCommand) -> bytes:
        """Return the frame of a command."""
        number = next(self._ids)
        self.sent[number] = command
        if len(self.sent) > COMMANDS_MAX:
            del self.sent[next(iter(self.sent))]
        return msgspec.json.encode({"id": number, "cmd": name, "params": params})


class SequenceTracker:
    """The last sequence number of each subscription, in ``last`` by sid; the first frame of one has number 1."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def advance(self, sid: int, seq: int) -> int:
        """Take frame ``seq`` of ``sid``; return 0 when it is the next one.

        Otherwise at least 1: about how many frames are missing, or 1 for a repeated one.
        """
        expected = self.last.get(sid, 0) + 1
        self.last[sid] = seq
        return 0 if seq == expected else max(seq - expected, 1)

    def forget(self, sid: int | None) -> None:
        """Expect number 1 of ``sid`` next."""
        if sid is not None:
            self.last.pop(sid, None)


class KalshiSubscriptions:
    """The subscriptions of one connection: books and trades by ticker, life cycles of all markets."""

    def __init__(self) -> None:
        self.books = Channel(BOOKS)
        self.trades = Channel(TRADES)
        self.lifecycle = Channel(LIFECYCLE)
        self.channels: Sequence[Channel] = (self.books, self.trades, self.lifecycle)
        self._commands = SubscribeCommands()
        self._lifecycle_requested = False

    def change(self, wanted: AbstractSet[str], unwanted: AbstractSet[str]) -> list[bytes]:
        """Return the commands that bring a snapshot of each of ``wanted`` and end those of ``unwanted``."""
        frames = [*self._unsubscribe(unwanted), *self._subscribe_lifecycle()]
        opening: dict[frozenset[str], list[Channel]] = {}
        for channel in (self.books, self.trades):
            added = frozenset(wanted - channel.tickers)
            known = wanted & channel.tickers
            channel.tickers |= added
            channel.leaving -= added
            if channel.sid is None:
                opening.setdefault(added, []).append(channel)
                continue
            frames += self._update(channel, "add_markets", added)
            if channel is self.books:
                frames += self._update(channel, "get_snapshot", known)
        for tickers, channels in opening.items():
            frames += self._subscribe(channels, tickers)
        return frames

    def subscribed(self, name: str, sid: int) -> None:
        """Take the id that the venue gave to a channel."""
        for channel in self.channels:
            if channel.name == name:
                channel.sid = sid

    def adopt(self, name: str, sid: int) -> Channel | None:
        """Take ``sid`` from data that came before its answer; return the channel, None when it has another id."""
        channel = next((each for each in self.channels if each.name == name and each.sid is None), None)
        if channel is not None:
            channel.sid = sid
        return channel

    def by_sid(self, sid: int | None) -> Channel | None:
        """Return the channel that ``sid`` belongs to, None when there is none."""
        return next((channel for channel in self.channels if sid is not None and channel.sid == sid), None)

    def refused(self, command_id: int | None) -> SubscribeCommand | None:
        """Undo a refused command and return it, None when it is not known."""
        command = self._commands.sent.pop(command_id, None) if command_id is not None else None
        if command is not None and command.adds:
            for channel in command.channels:
                channel.tickers -= command.tickers
        return command

    def end(self, channel: Channel) -> None:
        """Forget a subscription that the venue ended: the next ``change`` subscribes again."""
        channel.reset()
        if channel is self.lifecycle:
            self._lifecycle_requested = False

    def overdue(self) -> bytes | None:
        """Return a command that had to wait or must be repeated, None when there is none."""
        waiting = [*self._unsubscribe(frozenset()), *self._subscribe_lifecycle()] if self._commands.sent else []
        return waiting[0] if waiting else None

    def _subscribe_lifecycle(self) -> Iterator[bytes]:
        if self._lifecycle_requested:
            return
        self._lifecycle_requested = True
        command = SubscribeCommand([self.lifecycle], frozenset())
        yield self._commands.frame("subscribe", {"channels": [LIFECYCLE]}, command)

    def _unsubscribe(self, tickers: AbstractSet[str]) -> Iterator[bytes]:
        for channel in (self.books, self.trades):
            channel.leaving |= tickers & channel.tickers
            channel.tickers -= tickers
            if channel.sid is not None:
                leaving, channel.leaving = channel.leaving, set()
                yield from self._update(channel, "delete_markets", leaving)

    def _subscribe(self, channels: Sequence[Channel], tickers: AbstractSet[str]) -> Iterator[bytes]:
        for chunk in _chunks(tickers):
            params = {
                "channels": [channel.name for channel in channels],
                "market_tickers": chunk,
                # The default is announced to change; sent every time, the scale of NO bids cannot change unnoticed.
                "use_yes_price": False,
            }
            yield self._commands.frame("subscribe", params, SubscribeCommand(channels, frozenset(chunk)))

    def _update(self, channel: Channel, action: str, tickers: AbstractSet[str]) -> Iterator[bytes]:
        adds = action == "add_markets"
        for chunk in _chunks(tickers):
            params = {"sid": channel.sid, "action": action, "market_tickers": chunk}
            yield self._commands.frame(
                "update_subscription", params, SubscribeCommand([channel], frozenset(chunk), adds, channel.sid)
            )


def _chunks(tickers: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(tickers)
    for start in range(0, len(ordered), CHUNK_TICKERS_MAX):
        yield ordered[start : start + CHUNK_TICKERS_MAX]
