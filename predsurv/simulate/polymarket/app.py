"""What the outside reaches: requests go to Gamma or CLOB, WebSockets to the market channel.

Kept apart from the simulator because it is only told things; time passes elsewhere.
"""

from typing import Final

from predsurv.simulate.polymarket.clob_api import ClobApi
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.faulty_link import FaultyLink
from predsurv.simulate.polymarket.gamma_api import GammaApi
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.server import ClientLink, ServerReply, ServerRequest

WS_PATH: Final = "/ws/market"
_NOT_FOUND: Final = ServerReply(404, b'{"error":"not found"}')
_TOO_MANY: Final = ServerReply(429, b'{"error":"too many connections"}', {"retry-after": "1"})


class PolymarketApp:
    """The application behind the port; see ``predsurv.simulate.server.Application``."""

    def __init__(self, gamma: GammaApi, clob: ClobApi, members: Subscribers, mischief: FaultInjector) -> None:
        self._gamma = gamma
        self._clob = clob
        self._members = members
        self._mischief = mischief

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Answer a request; None lets a WebSocket open."""
        mischief = self._mischief
        if request.upgrade:
            if request.path != WS_PATH:
                return _NOT_FOUND
            return _TOO_MANY if mischief.is_on("handshake429") else None
        refusal = mischief.refusal()
        if refusal is not None:
            return refusal
        reply = self._gamma.answer(request) or self._clob.answer(request) or _NOT_FOUND
        return reply._replace(cut=True) if mischief.is_on("restcut") else reply

    def opened(self, link: ClientLink) -> None:
        """Take in a connection."""
        self._members.join(FaultyLink(link, self._mischief.note))

    def heard(self, link: ClientLink, message: bytes) -> None:
        """Do what a connection asks for, and answer at once."""
        self._members.hear(link.number, message)

    def closed(self, link: ClientLink) -> None:
        """Forget a connection."""
        self._members.leave(link.number)
