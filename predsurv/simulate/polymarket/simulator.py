"""The simulated Polymarket as a whole: one port, one exchange, one clock, and a script of faults.

Kept apart from its parts because only here does time pass: an exchange that follows a clock (or a
test's hand), connections that come and go, and windows in which REST or handshakes fail.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.ports import Clock
from predsurv.simulate.faults import Fault, Kinds, Script
from predsurv.simulate.polymarket.channel import NS_PER_MS, Channel
from predsurv.simulate.polymarket.clob import Clob
from predsurv.simulate.polymarket.gamma import Gamma, Json
from predsurv.simulate.polymarket.history import History
from predsurv.simulate.polymarket.ledger import Ledger
from predsurv.simulate.polymarket.listing import Listing
from predsurv.simulate.polymarket.wire import Wire
from predsurv.simulate.server import Link, Reply, Request, Server
from predsurv.simulate.truth import Deed, Truth
from predsurv.venues.mock.exchange import Exchange
from predsurv.venues.mock.tape import Execution, TapeEvent
from predsurv.venues.mock.world import broken_rows

WS_PATH: Final = "/ws/market"
TURN: Final = 5 * NS_PER_MS
"""How often the exchange moves on when it follows a clock."""
STEP_MAX: Final = 50 * NS_PER_MS
"""Most exchange time between two looks at the connections: a simulator that fell behind catches up."""
_S: Final = 1_000 * NS_PER_MS
_OMITTED_EVERY: Final = 3

KINDS: Final = Kinds(
    lasting={
        "drop": 0,  # gone without a close frame
        "1013": 0,  # told to be a slow consumer
        "freeze": 30 * _S,  # open, answering PING, and nothing else; then dropped
        "delay": 2 * _S,  # everything late, then all at once
        "duplicate": 2 * _S,  # every message twice
        "garbage": 0,  # a message no one can make sense of
        "cut": 0,  # a message cut short
        "skip": 0,  # one price change lost without a sign
        "badhash": 3 * _S,  # hashes that do not fit
        "nobook": 5 * _S,  # subscriptions are answered without every third opening book
        "handshake429": 3 * _S,
        "rest429": 3 * _S,
        "rest500": 3 * _S,
        "resthtml": 3 * _S,
        "restcut": 3 * _S,
    },
    presets={
        "none": "",
        "mixed": "drop~9s 1013~17s freeze@8s:30s delay~11s:1s duplicate~8s:1s garbage~3s cut~7s nobook@2s:3s/13s "
        "handshake429~19s:2s rest429~13s:2s rest500~15s:2s resthtml~17s:2s restcut~19s:2s",
        "quiet-loss": "skip~4s badhash~31s:3s",
    },
)
"""What can go wrong, how long it lasts, and scripts by name. ``mixed`` leaves out what only hashes can tell."""

_REST: Final[dict[str, Reply]] = {
    "rest429": Reply(429, b'{"error":"rate limited"}', {"content-type": "application/json", "retry-after": "1"}),
    "rest500": Reply(500, b'{"error":"internal server error"}'),
    "resthtml": Reply(502, b"<html><head><title>502</title></head><body>cloudflare</body></html>"),
}
_CONNECTION: Final = frozenset({"drop", "1013", "freeze", "delay", "duplicate", "garbage", "cut", "skip", "badhash"})


class Terms(Struct, frozen=True, kw_only=True):
    """What to simulate. ``rate``: level changes a second over all books.

    ``truth``: file for what was done wrong. ``keep``: remember everything published (for tests).
    """

    seed: int = 7
    markets: int = 300
    rate: int = 400
    faults: str = ""
    truth: Path | None = None
    keep: bool = False


class PolymarketSimulator:
    """Gamma, CLOB and the market channel on one loopback port.

    Time passes in ``run`` by the clock, or in ``advance`` by hand; at no other time.
    """

    def __init__(self, terms: Terms, clock: Clock) -> None:
        """Raises ConfigError when a fault of the script is none."""
        self._clock = clock
        self._last = clock.monotonic()
        self.script = Script(terms.faults, KINDS, terms.seed)
        self.exchange = Exchange(terms.seed, terms.markets, terms.rate, clock.now())
        self.listing = Listing(self.exchange)
        self.ledger = Ledger() if terms.keep else None
        self.channel = Channel(self.exchange, self.listing, self._omits, self.ledger)
        self.truth = Truth(terms.truth)
        self.server = Server(self)
        self.paused = False
        """While set, ``run`` lets no time pass."""
        self._history = History()
        self._gamma = Gamma(self.listing, self.channel.books, _oddities(terms.markets))
        self._clob = Clob(self.exchange, self.listing, self.channel.books, self._history)
        self._at = self.exchange.origin
        self._until: dict[str, int] = {}
        self._asked = 0
        self._sent = 0

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.server.port

    @property
    def http_url(self) -> str:
        """Address of Gamma and of CLOB."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address of the market channel."""
        return f"ws://127.0.0.1:{self.port}{WS_PATH}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes any free one. Raises ConfigError when that fails."""
        await self.server.start(port)

    async def run(self) -> None:
        """Let the exchange follow the clock, which it began with, until cancelled."""
        while True:
            await self._clock.sleep(TURN)
            now = self._clock.monotonic()
            passed, self._last = now - self._last, now
            if not self.paused:
                await self.advance(passed)

    async def advance(self, duration: int) -> None:
        """Let ``duration`` ns pass on the exchange, as far as they are whole milliseconds in all."""
        self._at += duration
        while True:
            # A millisecond is told as a whole: the next one begins where this one ends.
            end = self._at // NS_PER_MS * NS_PER_MS - 1
            step = min(end, self.exchange.now + STEP_MAX)
            if step > self.exchange.now:
                self.turn(self.exchange.advance(step))
            if step >= end:
                return
            await self._clock.sleep(0)

    def turn(self, events: list[TapeEvent]) -> None:
        """Tell what happened and let go wrong what is due."""
        for event in events:
            if isinstance(event, Execution):
                row = self.listing.book(event.book)
                if row is not None:
                    self._history.add(row.tokens[0], event.ts, event.price, event.taker_side)
        self.channel.fold(events)
        for fault in self.script.due(self.exchange.now - self.exchange.origin):
            self.inject(fault)
        self.channel.flush(self.exchange.now)

    def inject(self, fault: Fault) -> None:
        """Let something go wrong now, whatever its time."""
        now = self.exchange.now
        if fault.kind not in _CONNECTION:
            self._until[fault.kind] = now + fault.lasts
            self.truth.note(Deed(fault.kind, now, now + fault.lasts))
            return
        members = [member for _, member in sorted(self.channel.members.items()) if member.tokens]
        for member in members if fault.everywhere else members and [self.script.rng.choice(members)]:
            wire = member.wire
            if fault.kind not in ("skip", "cut"):  # these are noted when it is known what they hit
                deed = Deed(fault.kind, now, now + fault.lasts, wire.link.number, tuple(member.tokens))
                self.truth.note(deed)
            wire.befall(fault, now, next(iter(member.tokens)))

    def stop_faults(self) -> None:
        """Let nothing more go wrong that has not begun."""
        self.script = Script("", KINDS, 0)

    @property
    def sent(self) -> int:
        """Messages sent so far on all connections there are or were."""
        return self._sent + sum(member.wire.sent for member in self.channel.members.values())

    def say(self, message: bytes) -> None:
        """Send ``message`` on every connection as it is."""
        for member in self.channel.members.values():
            member.wire.link.send([message])

    def answer(self, request: Request) -> Reply | None:
        """Answer a request; None lets a WebSocket open."""
        if request.upgrade:
            if request.path != WS_PATH:
                return Reply(404, b"not found", {"content-type": "text/plain"})
            return _REST["rest429"] if self._is_on("handshake429") else None
        for kind, reply in _REST.items():
            if self._is_on(kind):
                return reply
        reply = self._gamma.answer(request) or self._clob.answer(request) or Reply(404, b'{"error":"not found"}')
        return reply._replace(cut=True) if self._is_on("restcut") else reply

    def opened(self, link: Link) -> None:
        """Take in a connection."""
        self.channel.join(Wire(link, self.truth.note))

    def heard(self, link: Link, message: bytes) -> None:
        """Do what a connection asks for, and answer at once."""
        self.channel.hear(link.number, message)
        self.channel.members[link.number].wire.flush(self.exchange.now)

    def closed(self, link: Link) -> None:
        """Forget a connection."""
        self._sent += self.channel.leave(link.number)

    async def aclose(self) -> None:
        """Stop and drop everybody; safe to call twice."""
        await self.server.aclose()
        self.truth.close()

    def _is_on(self, kind: str) -> bool:
        return self._until.get(kind, 0) > self.exchange.now

    def _omits(self, token: str) -> bool:
        if not self._is_on("nobook"):
            return False
        self._asked += 1
        if self._asked % _OMITTED_EVERY:
            return False
        self.truth.note(Deed("omitted", self.exchange.now, self.exchange.now, 0, (token,)))
        return True


def environment(port: int) -> dict[str, str]:
    """Return the variables that point the program at a simulator on ``port``."""
    prefix, rest = "PREDSURV_VENUES__POLYMARKET__", f"http://127.0.0.1:{port}"
    return {
        f"{prefix}GAMMA_URL": rest,
        f"{prefix}CLOB_URL": rest,
        f"{prefix}DATA_URL": rest,
        f"{prefix}WS_MARKET_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
    }


def _oddities(markets: int) -> list[Json]:
    """Return rows such as the venue lists among the others: unreadable, of no order book, not yet ready."""
    if not broken_rows(markets):
        return []
    return [
        {"id": "499998", "conditionId": "0x" + "1" * 64, "question": "Will this row parse?",
         "clobTokenIds": '["11","12"]', "outcomes": '["Yes","No"]', "orderPriceMinTickSize": "NaN"},
        {"id": "499999", "conditionId": "0x" + "2" * 64, "question": "Which of three?", "closed": True,
         "clobTokenIds": '["21","22","23"]', "outcomes": '["A","B","C"]'},
        {"id": "500000", "conditionId": "0x" + "3" * 64, "question": "Will tokens come?", "active": True,
         "clobTokenIds": "", "outcomes": '["Yes","No"]'},
    ]  # fmt: skip
