"""Authentication of REST requests and WebSocket handshakes, and the faults that make them fail for a time."""

from collections import deque
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from predsurv.ports import Clock
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.rest_api import RestResponse, error_response, respond
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.kalshi.trading.trading_api import KalshiTradingApi
from predsurv.simulate.server import ServerRequest, ServerResponse

REST_PREFIX: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
REQUESTS_KEPT_MAX: Final = 10_000

_S: Final = 1_000_000_000
_HTML: Final = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>challenge</body></html>"


class AccessControl:
    """Checks signatures and applies the faults of access before a request is served.

    ``requests``: the last paths asked for.
    """

    def __init__(self, markets: KalshiMarkets, key: ThrowawayKey, clock: Clock) -> None:
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT_MAX)
        self._markets = markets
        self._key = key
        self._clock = clock
        self._until: dict[str, int] = {}
        self.trading: KalshiTradingApi | None = None
        """Answers private requests where orders are served."""

    def start_fault(self, kind: str, lasts: int) -> None:
        """Apply a fault to requests or handshakes for ``lasts`` ns from now."""
        self._until[kind] = self._clock.monotonic() + lasts

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request; None accepts a WebSocket."""
        path = urlsplit(request.target).path
        self.requests.append(path)
        signed = self._key.accepts(request.headers, request.method, path, self._clock.now())
        if request.upgrade:
            return self._handshake(path, signed=signed)
        if not path.startswith(REST_PREFIX):
            return self._to_server_response(error_response(404))
        path = path.removeprefix(REST_PREFIX)
        has_key = "kalshi-access-key" in request.headers
        if not signed and (has_key or path.startswith(("/account/limits", "/api_keys", "/portfolio"))):
            return self._to_server_response(error_response(401))
        return self._rest(path, request)

    def _handshake(self, path: str, *, signed: bool) -> ServerResponse | None:
        if path != WS_PATH:
            return self._to_server_response(error_response(404))
        if self.is_active("handshake429"):
            return self._to_server_response(error_response(429))
        return None if signed and not self.is_active("handshake401") else self._to_server_response(error_response(401))

    def is_active(self, kind: str) -> bool:
        """Return whether a fault is active."""
        return self._clock.monotonic() < self._until.get(kind, 0)

    def _rest(self, path: str, request: ServerRequest) -> ServerResponse:
        for kind, status in (("rest429", 429), ("rest500", 500)):
            if self.is_active(kind):
                return self._to_server_response(error_response(status))
        if self.is_active("resthtml"):
            return ServerResponse(200, _HTML, {"content-type": "text/html"})
        private = None if self.trading is None else self.trading.respond(path, request, self._to_server_response)
        if private is not None:
            return private._replace(truncated=self.is_active("restcut"))
        if request.method != "GET":
            return self._to_server_response(error_response(405))
        return self._to_server_response(
            respond(self._markets, path, request.query), truncated=self.is_active("restcut")
        )

    def _to_server_response(self, response: RestResponse, *, truncated: bool = False) -> ServerResponse:
        date = format_datetime(datetime.fromtimestamp(self._clock.now() // _S, UTC), usegmt=True)
        return ServerResponse(*response, {"date": date, "content-type": "application/json"}, truncated)
