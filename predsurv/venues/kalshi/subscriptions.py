"""What one connection asked of the venue: commands out, subscription ids in.

Kept apart from ``decode`` because it is a protocol of its own: ids are given late, updates need
them, and a refused command must be as if it had never been sent.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec

BOOKS: Final = "orderbook_delta"
TRADES: Final = "trade"
LIFE: Final = "market_lifecycle_v2"

CHUNK_TICKERS_MAX: Final = 250
COMMANDS_MAX: Final = 256
"""Commands remembered so that a refusal can be told apart; older ones were answered long ago."""


class Channel:
    """One channel: its ``sid`` once known, the tickers that are ``on``, those to take off later."""

    __slots__ = ("leaving", "name", "on", "sid")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sid: int | None = None
        self.on: set[str] = set()
        self.leaving: set[str] = set()

    def reset(self) -> None:
        """Forget the subscription: the venue ended it."""
        self.sid = None
        self.on.clear()
        self.leaving.clear()


class SubscribeCommand(NamedTuple):
    """A command that may be refused: what it asked for where; ``adds`` has to be undone then.

    ``sid``: the subscription that it named, None when it opens one.
    """

    channels: Sequence[Channel]
    tickers: AbstractSet[str]
    adds: bool = True
    sid: int | None = None


class SubscribeCommands:
    """Numbers commands and remembers the last ones, so that a refusal can be told apart."""

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


class Sequences:
    """The last number seen of each subscription; the first frame of one has number 1."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def missing(self, sid: int, seq: int) -> int:
        """Take frame ``seq`` of ``sid``; return 0 when it is the next one.

        Otherwise at least 1: about how many frames are missing, or 1 for one that came again.
        """
        expected = self.last.get(sid, 0) + 1
        self.last[sid] = seq
        return 0 if seq == expected else max(seq - expected, 1)

    def forget(self, sid: int | None) -> None:
        """Let ``sid`` begin anew."""
        if sid is not None:
            self.last.pop(sid, None)


class KalshiSubscriptions:
    """The subscriptions of one connection: books and trades by ticker, life cycles of all markets."""

    def __init__(self) -> None:
        self.books = Channel(BOOKS)
        self.trades = Channel(TRADES)
        self.life = Channel(LIFE)
        self.channels: Sequence[Channel] = (self.books, self.trades, self.life)
        self._commands = SubscribeCommands()
        self._followed = False

    def change(self, asked: AbstractSet[str], gone: AbstractSet[str]) -> list[bytes]:
        """Return the commands that bring a whole book of each of ``asked`` and no more of ``gone``."""
        frames = [*self._leave(gone), *self._follow()]
        opening: dict[frozenset[str], list[Channel]] = {}
        for channel in (self.books, self.trades):
            fresh = frozenset(asked - channel.on)
            known = asked & channel.on
            channel.on |= fresh
            channel.leaving -= fresh
            if channel.sid is None:
                opening.setdefault(fresh, []).append(channel)
                continue
            frames += self._update(channel, "add_markets", fresh)
            if channel is self.books:
                frames += self._update(channel, "get_snapshot", known)
        for tickers, channels in opening.items():
            frames += self._subscribe(channels, tickers)
        return frames

    def subscribed(self, name: str, sid: int) -> None:
        """Take the id that the venue gave."""
        for channel in self.channels:
            if channel.name == name:
                channel.sid = sid

    def learn(self, name: str, sid: int) -> Channel | None:
        """Take ``sid`` from data that came before its answer; return the channel, None when it has another id."""
        channel = next((each for each in self.channels if each.name == name and each.sid is None), None)
        if channel is not None:
            channel.sid = sid
        return channel

    def by_sid(self, sid: int | None) -> Channel | None:
        """Return the channel that ``sid`` belongs to."""
        return next((channel for channel in self.channels if sid is not None and channel.sid == sid), None)

    def refused(self, command_id: int | None) -> SubscribeCommand | None:
        """Undo a refused command and return it, None when it is not known."""
        command = self._commands.sent.pop(command_id, None) if command_id is not None else None
        if command is not None and command.adds:
            for channel in command.channels:
                channel.on -= command.tickers
        return command

    def end(self, channel: Channel) -> None:
        """Forget a subscription that the venue ended: the next ``change`` subscribes anew."""
        channel.reset()
        if channel is self.life:
            self._followed = False

    def overdue(self) -> bytes | None:
        """Return a command that had to wait or has to be said again, None when there is none."""
        waiting = [*self._leave(frozenset()), *self._follow()] if self._commands.sent else []
        return waiting[0] if waiting else None

    def _follow(self) -> Iterator[bytes]:
        if self._followed:
            return
        self._followed = True
        yield self._commands.frame("subscribe", {"channels": [LIFE]}, SubscribeCommand([self.life], frozenset()))

    def _leave(self, gone: AbstractSet[str]) -> Iterator[bytes]:
        for channel in (self.books, self.trades):
            channel.leaving |= gone & channel.on
            channel.on -= gone
            if channel.sid is not None:
                leaving, channel.leaving = channel.leaving, set()
                yield from self._update(channel, "delete_markets", leaving)

    def _subscribe(self, channels: Sequence[Channel], tickers: AbstractSet[str]) -> Iterator[bytes]:
        for chunk in _chunks(tickers):
            # The flag's default is going to change; said every time, the convention cannot change under us.
            params = {
                "channels": [channel.name for channel in channels],
                "market_tickers": chunk,
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
    rest = sorted(tickers)
    for start in range(0, len(rest), CHUNK_TICKERS_MAX):
        yield rest[start : start + CHUNK_TICKERS_MAX]
