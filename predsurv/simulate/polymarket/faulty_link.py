"""One connection's way to its reader, and everything that can befall what travels on it.

Kept apart from the channel because the channel tells the truth: whatever is lost, late, doubled
or broken, is so here, and noted.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.messages import PONG
from predsurv.simulate.server import ClientLink

BACKLOG_BYTES_MAX: Final = 8 * 2**20
"""What a slow reader may leave unread before it is told to go."""
HELD_BYTES_MAX: Final = 64 * 2**20
REPEATED_EVERY: Final = 1_009
"""Every so many messages one comes twice: the real venue does that, too."""
SLOW: Final = (1013, "slow consumer: send buffer full")

_CHANGE_TAIL: Final = b'"event_type":"price_change"}'
_HASH = re.compile(rb'"hash":"[0-9a-f]{40}"')
_TOKEN = re.compile(rb'"asset_id":"([0-9]+)"')
_FALSE_HASH: Final = b'"hash":"' + b"0" * 40 + b'"'

Note = Callable[[str, int, tuple[str, ...]], None]
"""Takes the kind of what happened, the number of the link and the tokens concerned."""


class FaultyLink:
    """What one link gets. Times are ns of exchange time since the start.

    Frozen: nothing but PONG, then the end. Delayed: everything comes, later. ``skip`` and ``cut``
    wait for the next message that they can lose or shorten.
    """

    def __init__(self, link: ClientLink, note: Note) -> None:
        self.link = link
        self._until = {"freeze": 0, "delay": 0, "duplicate": 0, "badhash": 0}
        self._losses = {"skip": 0, "cut": 0}
        self.sent = 0
        self.now = 0
        """Exchange time since the start; whoever flushes sets it."""
        self._note = note
        self._out: list[bytes] = []
        self._late: list[bytes] = []
        self._late_bytes = 0
        self._nonsense = 0

    def put(self, message: bytes) -> None:
        """Take a message for the next ``flush``."""
        self._out.append(message)

    def pong(self) -> None:
        """Answer a PING: behind everything that waits, but frozen or not."""
        if self._until["delay"]:
            self._late.append(PONG)
        else:
            self.link.send([PONG])

    def befall(self, fault: ScriptedFault, token: str) -> None:
        """Let a fault happen to this connection; ``token`` is one it carries, "" when none."""
        until = self.now + fault.lasts
        match fault.kind:
            case "drop":
                self.link.abort()
            case "1013":
                self.link.close(*SLOW)
            case "freeze" | "delay" | "duplicate" | "badhash":
                self._until[fault.kind] = until
            case "skip" | "cut":
                self._losses[fault.kind] += 1
            case _:
                self._out.append(nonsense(self._nonsense, token))
                self._nonsense += 1

    def flush(self) -> None:
        """Send what was put, as far as nothing is in its way."""
        out, self._out = self._out, []
        frozen = self._until["freeze"]
        if frozen:
            if self.now >= frozen:
                self.link.abort()
            return
        if out:
            out = self._spoilt(out)
        if self._until["delay"]:
            out = self._hold(out)
        self.link.send(out)
        self.sent += len(out)
        if self.link.backlog > BACKLOG_BYTES_MAX:
            self.link.close(*SLOW)

    def _hold(self, out: list[bytes]) -> list[bytes]:
        """Return what may go: nothing yet, or everything."""
        self._late += out
        self._late_bytes += sum(map(len, out))
        if self.now < self._until["delay"]:
            if self._late_bytes > HELD_BYTES_MAX:
                self.link.close(*SLOW)
            return []
        out, self._late = self._late, []
        self._late_bytes = self._until["delay"] = 0
        return out

    def _spoilt(self, out: list[bytes]) -> list[bytes]:
        if any(self._losses.values()):
            out = self._lose(out)
        if self._until["badhash"] > self.now:
            out = [_HASH.sub(_FALSE_HASH, message) for message in out]
        if self._until["duplicate"] > self.now:
            return [message for message in out for _ in range(2)]
        if self.sent // REPEATED_EVERY != (self.sent + len(out)) // REPEATED_EVERY:
            last = out[-1]
            out.append(swapped(last) if self.sent // REPEATED_EVERY % 2 else last)
        return out

    def _lose(self, out: Sequence[bytes]) -> list[bytes]:
        kept: list[bytes] = []
        losses = self._losses
        for message in out:
            if losses["skip"] and message.endswith(_CHANGE_TAIL):
                losses["skip"] -= 1
                self._note("skip", self.link.number, _tokens(message))
            elif losses["cut"] and len(message) > 2:
                losses["cut"] -= 1
                self._note("cut", self.link.number, _tokens(message))
                kept.append(message[: len(message) * 2 // 3])
            else:
                kept.append(message)
        return kept


def swapped(message: bytes) -> bytes:
    """Return a price change with its entries the other way round: the same thing said again."""
    head, found, rest = message.partition(b'"price_changes":[')
    entries, end, tail = rest.partition(b"]")
    pieces = entries.split(b"},{")
    if not found or not end or len(pieces) != 2:
        return message
    return head + found + b"{" + pieces[1][:-1] + b"}," + pieces[0] + b"}" + end + tail


def nonsense(number: int, token: str) -> bytes:
    """Return something no reader can make sense of, each time something else."""
    name = token.encode()
    shapes = (
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"event_type":"dance","asset_id":"%s"}' % name,
        b'{"event_type":"book","asset_id":"%s","bids":0,"asks":{}}' % name,
        b'{"market":"0x0","price_changes":[{"asset_id":"%s","price":"NaN","size":"1e9","side":"BUY"}],'
        b'"timestamp":"0","event_type":"price_change"}' % name,
        b"[" * 400,
        b'{"event_type":"book"',
    )
    return shapes[number % len(shapes)]


def _tokens(message: bytes) -> tuple[str, ...]:
    return tuple(token.decode() for token in dict.fromkeys(_TOKEN.findall(message)))
