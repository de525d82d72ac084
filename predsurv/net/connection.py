"""A websockets client connection that returns whole batches of messages.

Depends on the library's internals: it overrides the methods by which asyncio delivers bytes,
extracts plain messages itself and leaves everything else to the library.
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
from predsurv.net.http_errors import error_text
from predsurv.net.receive_buffer import ReceiveBuffer

_HANDSHAKE_END: Final = b"\r\n\r\n"
_HANDSHAKE_BYTES_MAX: Final = 65_536
_FRAGMENTS_MAX: Final = 4_096
_QUEUED_MESSAGES_OF_FULL_SIZE: Final = 4


class SocketClosedError(TransientError):
    """The connection ended. ``code`` and ``reason`` are from the peer's close frame, None and "" without one."""

    def __init__(self, message: str, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class _Mode(Enum):
    HANDSHAKE = auto()
    PLAIN = auto()
    LIBRARY = auto()


class BatchingConnection(ClientConnection):
    """Made by ``connect(create_connection=BatchingConnection)``; ``max_queue`` bounds the buffer."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._message_max = protocol.max_message_size or 0
        self.buffer = ReceiveBuffer(
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
        """Close; discards what arrives meanwhile, so that the peer's answer gets through."""
        self._stopped = True
        self.buffer.clear()
        await self.close()

    def closed_error(self) -> SocketClosedError:
        """Return an error with the reason why the connection ended."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None:
            reason = sanitise(received.reason, 120)
            message = f"connection closed by the other side: code {int(received.code)}"
            return SocketClosedError(f"{message}, {reason}" if reason else message, int(received.code), reason)
        if sent is not None:
            message = f"connection closed on this side: code {int(sent.code)}"
            return SocketClosedError(f"{message}, {sanitise(sent.reason, 120)}" if sent.reason else message)
        why = f": {error_text(self.connection_exc)}" if self.connection_exc else ""
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
                data = self._handshake_received(data)
            if data:
                self._frames_received(data)
        self.buffer.notify(received)

    def eof_received(self) -> None:
        """Let the library report what was cut short (called by asyncio)."""
        if self._rest:
            self._delegate(bytes(self._rest))
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake a receiver that waits for a message (called by asyncio)."""
        super().connection_lost(exc)
        self.buffer.end()

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
                self.buffer.messages.append(message)
        elif len(self._parts) > _FRAGMENTS_MAX:
            self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.send_data()

    def _handshake_received(self, data: bytes) -> bytes:
        """Pass the response to the handshake to the library; return the bytes that follow it."""
        found = data.find(_HANDSHAKE_END)
        if found < 0 and len(data) <= _HANDSHAKE_BYTES_MAX:
            self._rest += data
            return b""
        end = found + len(_HANDSHAKE_END)
        super().data_received(data[:end])
        if self.protocol.state is not OPEN:
            self._delegate(data[end:])
            return b""
        self._mode = _Mode.PLAIN
        return data[end:]

    def _frames_received(self, data: bytes) -> None:
        pos = 0
        while self.protocol.state is OPEN:
            if not self._parts:
                pos, self._need = plain_messages(data, pos, self._message_max, self.buffer.messages)
                if self._need:
                    break
            frame = frame_size(data, pos)
            if frame.payload > self._message_max:
                # Do not wait for the payload: the library refuses it by its header.
                break
            if pos + frame.size > len(data):
                self._need = frame.size
                break
            super().data_received(data[pos : pos + frame.size])
            pos += frame.size
        if self._need:
            self._rest += data[pos:]
        else:
            self._delegate(data[pos:])

    def _pause(self) -> None:
        self.transport.pause_reading()

    def _resume(self) -> None:
        self.transport.resume_reading()

    def _delegate(self, data: bytes) -> None:
        """Pass all bytes to the library from here on: the connection is failing, closing or unusual."""
        self._mode = _Mode.LIBRARY
        self._rest.clear()
        self._need = 0
        if data:
            super().data_received(data)
        if self.close_timeout is not None:
            # A peer that never closes its end must not keep the receiver waiting.
            self.loop.call_later(self.close_timeout, self.transport.abort)
