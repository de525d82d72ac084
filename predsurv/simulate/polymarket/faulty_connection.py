"""One WebSocket with fault injection: messages to it are lost, delayed, duplicated or corrupted here, and logged."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.messages import PONG
from predsurv.simulate.server import WebSocketConnection

BACKLOG_BYTES_MAX: Final = 8 * 2**20
"""Most unread bytes of a client; a slower one is disconnected."""
DELAYED_BYTES_MAX: Final = 64 * 2**20
"""Most bytes that a delay holds back; beyond that the client is disconnected."""
REPEATED_EVERY: Final = 1_009
"""One in so many messages is sent twice, as by the real venue."""
SLOW_CONSUMER: Final = (1013, "slow consumer: send buffer full")

_PRICE_CHANGE_END: Final = b'"event_type":"price_change"}'
_HASH = re.compile(rb'"hash":"[0-9a-f]{40}"')
_TOKEN = re.compile(rb'"asset_id":"([0-9]+)"')
_WRONG_HASH: Final = b'"hash":"' + b"0" * 40 + b'"'

LogFault = Callable[[str, int, tuple[str, ...]], None]
"""Logs a fault: its kind, the number of the connection and the tokens concerned."""


class FaultyConnection:
    """One client's connection. Times are ns of exchange time since the start.

    ``freeze``: nothing but PONG, then the connection is dropped. ``delay``: messages are sent later, all of them.
    ``skip`` and ``cut`` apply to the next message that they can drop or truncate.
    """

    def __init__(self, websocket: WebSocketConnection, log_fault: LogFault) -> None:
        self.websocket = websocket
        self._until = {"freeze": 0, "delay": 0, "duplicate": 0, "badhash": 0}
        self._pending = {"skip": 0, "cut": 0}
        self.sent = 0
        self.now = 0
        """Exchange time since the start; set before each ``flush``."""
        self._log_fault = log_fault
        self._outgoing: list[bytes] = []
        self._delayed: list[bytes] = []
        self._delayed_bytes = 0
        self._garbage_sent = 0

    def put(self, message: bytes) -> None:
        """Queue a message for the next ``flush``."""
        self._outgoing.append(message)

    def pong(self) -> None:
        """Answer a PING, after delayed messages but even while frozen."""
        if self._until["delay"]:
            self._delayed.append(PONG)
        else:
            self.websocket.send([PONG])

    def apply_fault(self, fault: ScriptedFault, token: str) -> None:
        """Apply a fault to this connection; ``token`` is one of its tokens, "" when it has none."""
        until = self.now + fault.lasts
        match fault.kind:
            case "drop":
                self.websocket.abort()
            case "1013":
                self.websocket.close(*SLOW_CONSUMER)
            case "freeze" | "delay" | "duplicate" | "badhash":
                self._until[fault.kind] = until
            case "skip" | "cut":
                self._pending[fault.kind] += 1
            case _:
                self._outgoing.append(garbage(self._garbage_sent, token))
                self._garbage_sent += 1

    def flush(self) -> None:
        """Send the queued messages, as far as no fault prevents it."""
        outgoing, self._outgoing = self._outgoing, []
        frozen_until = self._until["freeze"]
        if frozen_until:
            if self.now >= frozen_until:
                self.websocket.abort()
            return
        if outgoing:
            outgoing = self._with_faults(outgoing)
        if self._until["delay"]:
            outgoing = self._hold_back(outgoing)
        self.websocket.send(outgoing)
        self.sent += len(outgoing)
        if self.websocket.backlog > BACKLOG_BYTES_MAX:
            self.websocket.close(*SLOW_CONSUMER)

    def _hold_back(self, outgoing: list[bytes]) -> list[bytes]:
        """Return the messages that may be sent now: none yet, or all."""
        self._delayed += outgoing
        self._delayed_bytes += sum(map(len, outgoing))
        if self.now < self._until["delay"]:
            if self._delayed_bytes > DELAYED_BYTES_MAX:
                self.websocket.close(*SLOW_CONSUMER)
            return []
        outgoing, self._delayed = self._delayed, []
        self._delayed_bytes = self._until["delay"] = 0
        return outgoing

    def _with_faults(self, outgoing: list[bytes]) -> list[bytes]:
        if any(self._pending.values()):
            outgoing = self._skip_or_cut(outgoing)
        if self._until["badhash"] > self.now:
            outgoing = [_HASH.sub(_WRONG_HASH, message) for message in outgoing]
        if self._until["duplicate"] > self.now:
            return [message for message in outgoing for _ in range(2)]
        if self.sent // REPEATED_EVERY != (self.sent + len(outgoing)) // REPEATED_EVERY:
            last = outgoing[-1]
            outgoing.append(swap_entries(last) if self.sent // REPEATED_EVERY % 2 else last)
        return outgoing

    def _skip_or_cut(self, outgoing: Sequence[bytes]) -> list[bytes]:
        kept: list[bytes] = []
        pending = self._pending
        for message in outgoing:
            if pending["skip"] and message.endswith(_PRICE_CHANGE_END):
                pending["skip"] -= 1
                self._log_fault("skip", self.websocket.number, _tokens(message))
            elif pending["cut"] and len(message) > 2:
                pending["cut"] -= 1
                self._log_fault("cut", self.websocket.number, _tokens(message))
                kept.append(message[: len(message) * 2 // 3])
            else:
                kept.append(message)
        return kept


def swap_entries(message: bytes) -> bytes:
    """Return a price change of two entries with these in reverse order; other messages unchanged."""
    head, found, rest = message.partition(b'"price_changes":[')
    entries, end, tail = rest.partition(b"]")
    pieces = entries.split(b"},{")
    if not found or not end or len(pieces) != 2:
        return message
    return head + found + b"{" + pieces[1][:-1] + b"}," + pieces[0] + b"}" + end + tail


def garbage(number: int, token: str) -> bytes:
    """Return an unreadable message, another one for each ``number``."""
    name = token.encode()
    variants = (
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"event_type":"dance","asset_id":"%s"}' % name,
        b'{"event_type":"book","asset_id":"%s","bids":0,"asks":{}}' % name,
        b'{"market":"0x0","price_changes":[{"asset_id":"%s","price":"NaN","size":"1e9","side":"BUY"}],'
        b'"timestamp":"0","event_type":"price_change"}' % name,
        b"[" * 400,
        b'{"event_type":"book"',
    )
    return variants[number % len(variants)]


def _tokens(message: bytes) -> tuple[str, ...]:
    return tuple(token.decode() for token in dict.fromkeys(_TOKEN.findall(message)))
