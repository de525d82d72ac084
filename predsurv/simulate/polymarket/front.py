"""What the outside reaches: requests go to Gamma or CLOB, WebSockets to the market channel.

Kept apart from the simulator because it is only told things; time passes elsewhere.
"""

from typing import Final

from predsurv.simulate.polymarket.clob import Clob
from predsurv.simulate.polymarket.gamma import Gamma
from predsurv.simulate.polymarket.members import Members
from predsurv.simulate.polymarket.mischief import Mischief
from predsurv.simulate.polymarket.wire import Wire
from predsurv.simulate.server import Link, Reply, Request

WS_PATH: Final = "/ws/market"
_NOT_FOUND: Final = Reply(404, b'{"error":"not found"}')
_TOO_MANY: Final = Reply(429, b'{"error":"too many connections"}', {"retry-after": "1"})


class Front:
    """The application behind the port; see ``predsurv.simulate.server.Application``."""

    def __init__(self, gamma: Gamma, clob: Clob, members: Members, mischief: Mischief) -> None:
        self._gamma = gamma
        self._clob = clob
        self._members = members
        self._mischief = mischief

    def answer(self, request: Request) -> Reply | None:
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

    def opened(self, link: Link) -> None:
        """Take in a connection."""
        self._members.join(Wire(link, self._mischief.note))

    def heard(self, link: Link, message: bytes) -> None:
        """Do what a connection asks for, and answer at once."""
        self._members.hear(link.number, message)

    def closed(self, link: Link) -> None:
        """Forget a connection."""
        self._members.leave(link.number)
