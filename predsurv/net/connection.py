"""A websockets client connection that hands over whole batches of messages.

Kept apart from the port because it leans on the library's seams: it overrides the methods by
which asyncio delivers bytes, cuts plain messages out itself and leaves everything else to it.
"""

from enum import Enum, auto
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, CloseCode, Frame
from websockets.protocol import OPEN, Event

from predsurv.core.errors import TransientError
from predsurv.core.text import sanitise
from predsurv.net.frame_scanner import frame_size, plain_messages
from predsurv.net.http_errors import cause
from predsurv.net.receive_buffer import ReceiveBuffer

_HEAD_END: Final = b"\r\n\r\n"
_HEAD_BYTES_MAX: Final = 65_536
_FRAGMENTS_MAX: Final = 4_096
_QUEUED_MESSAGES_OF_FULL_SIZE: Final = 4


class SocketClosedError(TransientError):
    """The connection is over. ``code``, ``reason``: the peer's; None and "" without a close frame."""

    def __init__(self, message: str, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class _Mode(Enum):
    HANDSHAKE = auto()
    PLAIN = auto()
    LIBRARY = auto()


class BatchingConnection(ClientConnection):
    """Made by ``connect(create_connection=Connection)``; ``max_queue`` bounds the inbox."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._message_max = protocol.max_message_size or 0
        self.inbox = ReceiveBuffer(
            frames_max=self.max_queue_high or 0,
            bytes_max=_QUEUED_MESSAGES_OF_FULL_SIZE * self._message_max,
            pause=self._pause,
            resume=self._resume,
        )
        self._mode = _Mode.HANDSHAKE
        self._parts: list[bytes] = []
        self._rest = bytearray()
        self._need = 0
        self._stopped = False

    async def stop(self) -> None:
        """Close, throwing away what arrives meanwhile so that the peer's answer gets through."""
        self._stopped = True
        self.inbox.clear()
        await self.close()

    def closed(self) -> SocketClosedError:
        """Return the error that says why the connection is over."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None:
            reason = sanitise(received.reason, 120)
            said = f"connection closed by the other side: code {int(received.code)}"
            return SocketClosedError(f"{said}, {reason}" if reason else said, int(received.code), reason)
        if sent is not None:
            said = f"connection closed on this side: code {int(sent.code)}"
            return SocketClosedError(f"{said}, {sanitise(sent.reason, 120)}" if sent.reason else said)
        why = f": {cause(self.connection_exc)}" if self.connection_exc else ""
        return SocketClosedError(f"connection lost without a close frame{why}")

    def data_received(self, data: bytes) -> None:
        """Take bytes from the operating system (called by asyncio)."""
        received = len(data)
        if self._mode is _Mode.LIBRARY:
            super().data_received(data)
        elif len(self._rest) + received < self._need:
            self._rest += data
        else:
            if self._rest:
                data = bytes(self._rest) + data
                self._rest.clear()
            self._need = 0
            if self._mode is _Mode.HANDSHAKE:
                data = self._head_received(data)
            if data:
                self._frames_received(data)
        self.inbox.notify(received)

    def eof_received(self) -> None:
        """Let the library say what was cut short (called by asyncio)."""
        if self._rest:
            self._leave(bytes(self._rest))
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for a message that will not come (called by asyncio)."""
        super().connection_lost(exc)
        self.inbox.end()

    def process_event(self, event: Event) -> None:
        """Take a frame that the library parsed."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._parts.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._parts)
            self._parts.clear()
            if not self._stopped:
                self.inbox.messages.append(message)
        elif len(self._parts) > _FRAGMENTS_MAX:
            self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.send_data()

    def _head_received(self, data: bytes) -> bytes:
        """Give the library the response to the handshake; return the frames that follow it."""
        found = data.find(_HEAD_END)
        if found < 0 and len(data) <= _HEAD_BYTES_MAX:
            self._rest += data
            return b""
        end = found + len(_HEAD_END)
        super().data_received(data[:end])
        if self.protocol.state is not OPEN:
            self._leave(data[end:])
            return b""
        self._mode = _Mode.PLAIN
        return data[end:]

    def _frames_received(self, data: bytes) -> None:
        pos = 0
        while self.protocol.state is OPEN:
            if not self._parts:
                pos, self._need = plain_messages(data, pos, self._message_max, self.inbox.messages)
                if self._need:
                    break
            size, payload = frame_size(data, pos)
            if payload > self._message_max:
                # Not worth waiting for: the library refuses it by its header.
                break
            if pos + size > len(data):
                self._need = size
                break
            super().data_received(data[pos : pos + size])
            pos += size
        if self._need:
            self._rest += data[pos:]
        else:
            self._leave(data[pos:])

    def _pause(self) -> None:
        self.transport.pause_reading()

    def _resume(self) -> None:
        self.transport.resume_reading()

    def _leave(self, data: bytes) -> None:
        """Leave the connection to the library from here on: it is failing, closing or too odd."""
        self._mode = _Mode.LIBRARY
        self._rest.clear()
        self._need = 0
        if data:
            super().data_received(data)
        if self.close_timeout is not None:
            # A peer that never closes its end must not keep the receiver waiting.
            self.loop.call_later(self.close_timeout, self.transport.abort)
