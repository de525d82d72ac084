"""Who may ask for what: REST answers and handshakes of the simulator, and the windows in which they fail.

Kept apart from the connections because a request knows nothing of them: path, query and signature
in, answer out.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from predsurv.ports import Clock
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.rest_api import answer, refusal
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.server import ServerReply, ServerRequest

REST_PREFIX: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
REQUESTS_KEPT: Final = 10_000

_S: Final = 1_000_000_000
_HTML: Final = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>challenge</body></html>"


class AccessControl:
    """Answers requests; ``requests`` are the last paths asked for."""

    def __init__(self, world: KalshiMarkets, key: ThrowawayKey, clock: Clock) -> None:
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)
        self._world = world
        self._key = key
        self._clock = clock
        self._until: dict[str, int] = {}

    def fail(self, kind: str, lasts: int) -> None:
        """Let requests or handshakes fail in a way, for ``lasts`` ns from now."""
        self._until[kind] = self._clock.monotonic() + lasts

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Answer a request; None lets a WebSocket open."""
        path = urlsplit(request.target).path
        self.requests.append(path)
        signed = self._key.accepts(request.headers, request.method, path, self._clock.now())
        if request.upgrade:
            return self._handshake(path, signed=signed)
        if not path.startswith(REST_PREFIX):
            return self._reply(refusal(404))
        path = path.removeprefix(REST_PREFIX)
        claims = "kalshi-access-key" in request.headers
        if not signed and (claims or path.startswith(("/account", "/portfolio"))):
            return self._reply(refusal(401))
        return self._rest(path, request.query)

    def _handshake(self, path: str, *, signed: bool) -> ServerReply | None:
        if path != WS_PATH:
            return self._reply(refusal(404))
        if self._is_on("handshake429"):
            return self._reply(refusal(429))
        return None if signed and not self._is_on("handshake401") else self._reply(refusal(401))

    def _rest(self, path: str, query: Mapping[str, Sequence[str]]) -> ServerReply:
        for kind, status in (("rest429", 429), ("rest500", 500)):
            if self._is_on(kind):
                return self._reply(refusal(status))
        if self._is_on("resthtml"):
            return ServerReply(200, _HTML, {"content-type": "text/html"})
        return self._reply(answer(self._world, path, query), cut=self._is_on("restcut"))

    def _reply(self, said: tuple[int, bytes], *, cut: bool = False) -> ServerReply:
        moment = datetime.fromtimestamp(self._clock.now() // _S, UTC)
        date = format_datetime(moment, usegmt=True)
        return ServerReply(*said, {"date": date, "content-type": "application/json"}, cut)

    def _is_on(self, kind: str) -> bool:
        return self._clock.monotonic() < self._until.get(kind, 0)
