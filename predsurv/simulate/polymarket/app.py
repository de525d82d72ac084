"""The applications behind the ports: one for each API of the venue, and one for all that is a WebSocket."""

from collections.abc import Callable, Mapping
from typing import Final

from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.real_time_data import RealTimeDataSocket
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.polymarket.trading.user_channel import UserChannel
from predsurv.simulate.server import ServerRequest, ServerResponse, WebSocketConnection

WS_PATH: Final = "/ws/market"
_NOT_FOUND: Final = ServerResponse(404, b'{"error":"not found"}')
_TOO_MANY: Final = ServerResponse(429, b'{"error":"too many connections"}', {"retry-after": "1"})

Respond = Callable[[ServerRequest], ServerResponse | None]
"""Returns the response to a request, None for a path that is unknown."""


class RestApplication:
    """Implements ``predsurv.simulate.server.ServerApplication`` for one API."""

    def __init__(self, respond: Respond, faults: FaultInjector) -> None:
        self._respond = respond
        self._faults = faults

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request."""
        if request.upgrade:
            return _NOT_FOUND
        refusal = self._faults.refusal()
        if refusal is not None:
            return refusal
        response = self._respond(request) or _NOT_FOUND
        return response._replace(truncated=True) if self._faults.is_active("restcut") else response

    def on_open(self, websocket: WebSocketConnection) -> None:
        """No request becomes a WebSocket here."""

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """No request becomes a WebSocket here."""

    def on_close(self, websocket: WebSocketConnection) -> None:
        """No request becomes a WebSocket here."""


class ChannelApplication:
    """The market channel and, by their paths, the others: the real-time data socket, and the user channel, if any."""

    def __init__(
        self, subscribers: Subscribers, faults: FaultInjector, others: Mapping[str, UserChannel | RealTimeDataSocket]
    ) -> None:
        self._subscribers = subscribers
        self._faults = faults
        self._others = others

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request; None accepts a WebSocket."""
        if not request.upgrade or (request.path != WS_PATH and request.path not in self._others):
            return _NOT_FOUND
        return _TOO_MANY if self._faults.is_active("handshake429") else None

    def on_open(self, websocket: WebSocketConnection) -> None:
        """Add a connection."""
        other = self._others.get(websocket.request.path)
        if other is not None:
            other.add(websocket)
        else:
            self._subscribers.add(FaultyConnection(websocket, self._faults.log))

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """Execute a client's request and send the response at once."""
        other = self._others.get(websocket.request.path)
        if other is not None:
            other.on_message(websocket, message)
        else:
            self._subscribers.on_message(websocket.number, message)

    def on_close(self, websocket: WebSocketConnection) -> None:
        """Remove a connection."""
        other = self._others.get(websocket.request.path)
        if other is not None:
            other.remove(websocket)
        else:
            self._subscribers.remove(websocket.number)
