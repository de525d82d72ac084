"""The application behind the port: routes requests to Gamma or CLOB and WebSockets to the market channel."""

from typing import Final

from predsurv.simulate.polymarket.clob_api import ClobApi
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.gamma_api import GammaApi
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.server import ServerRequest, ServerResponse, WebSocketConnection

WS_PATH: Final = "/ws/market"
_NOT_FOUND: Final = ServerResponse(404, b'{"error":"not found"}')
_TOO_MANY: Final = ServerResponse(429, b'{"error":"too many connections"}', {"retry-after": "1"})


class PolymarketApp:
    """Implements ``predsurv.simulate.server.ServerApplication``."""

    def __init__(self, gamma: GammaApi, clob: ClobApi, subscribers: Subscribers, faults: FaultInjector) -> None:
        self._gamma = gamma
        self._clob = clob
        self._subscribers = subscribers
        self._faults = faults

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request; None accepts a WebSocket."""
        faults = self._faults
        if request.upgrade:
            if request.path != WS_PATH:
                return _NOT_FOUND
            return _TOO_MANY if faults.is_active("handshake429") else None
        refusal = faults.refusal()
        if refusal is not None:
            return refusal
        response = self._gamma.respond(request) or self._clob.respond(request) or _NOT_FOUND
        return response._replace(truncated=True) if faults.is_active("restcut") else response

    def on_open(self, websocket: WebSocketConnection) -> None:
        """Add a connection."""
        self._subscribers.add(FaultyConnection(websocket, self._faults.log))

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """Execute a client's request and send the response at once."""
        self._subscribers.on_message(websocket.number, message)

    def on_close(self, websocket: WebSocketConnection) -> None:
        """Remove a connection."""
        self._subscribers.remove(websocket.number)
