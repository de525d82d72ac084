"""What the simulated Polymarket can do wrong, and doing it: to connections, handshakes and requests.

Kept apart because the venue itself is honest: everything in here is asked for, and noted.
"""

from collections.abc import Callable, Collection
from typing import Final

from predsurv.exchange.fault_script import FaultKinds, ScriptedFault
from predsurv.simulate.fault_log import FaultLog, InjectedFault
from predsurv.simulate.fault_script import read_script
from predsurv.simulate.polymarket.subscribers import Subscriber
from predsurv.simulate.server import ServerReply

_S: Final = 1_000_000_000
_OMITTED_EVERY: Final = 3

KINDS: Final = FaultKinds(
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

_REST: Final[dict[str, ServerReply]] = {
    "rest429": ServerReply(429, b'{"error":"rate limited"}', {"content-type": "application/json", "retry-after": "1"}),
    "rest500": ServerReply(500, b'{"error":"internal server error"}'),
    "resthtml": ServerReply(502, b"<html><head><title>502</title></head><body>cloudflare</body></html>"),
}
_CONNECTION: Final = frozenset({"drop", "1013", "freeze", "delay", "duplicate", "garbage", "cut", "skip", "badhash"})


class FaultInjector:
    """The script and what of it lasts at the moment. ``now`` is the time of day, for notes (ns UTC)."""

    def __init__(self, text: str, seed: int, truth: FaultLog, now: Callable[[], int]) -> None:
        """Raises ConfigError when a fault of the script is none."""
        self.truth = truth
        self._script = read_script(text, KINDS, seed)
        self._now = now
        self._until: dict[str, int] = {}
        self._elapsed = 0
        self._asked = 0

    def stop(self) -> None:
        """Let nothing more go wrong that has not begun."""
        self._script = read_script("", KINDS, 0)

    def turn(self, elapsed: int, members: Collection[Subscriber]) -> None:
        """Do what is due ``elapsed`` ns after the start."""
        self._elapsed = elapsed
        for fault in self._script.due(elapsed):
            self.strike(fault, members)

    def strike(self, fault: ScriptedFault, members: Collection[Subscriber]) -> None:
        """Let something go wrong now, whatever its time."""
        if fault.kind not in _CONNECTION:
            self._until[fault.kind] = self._elapsed + fault.lasts
            self.note(fault.kind, 0, (), fault.lasts)
            return
        carrying = [member for member in members if member.tokens]
        hit = carrying if fault.everywhere else carrying and [self._script.rng.choice(carrying)]
        spared = {token for member in carrying if member not in hit for token in member.tokens}
        for member in hit:
            if fault.kind not in ("skip", "cut"):  # these are noted when it is known what they hit
                concerned = tuple(token for token in member.tokens if token not in spared)
                self.note(fault.kind, member.wire.link.number, concerned, fault.lasts)
            member.wire.befall(fault, next(iter(member.tokens)))

    def note(self, kind: str, link: int, tokens: tuple[str, ...], lasts: int = 0) -> None:
        """Write down what was done just now."""
        now = self._now()
        self.truth.note(InjectedFault(kind, now, now + lasts, link, tokens))

    def is_on(self, kind: str) -> bool:
        """Return whether something that lasts is going on."""
        return self._until.get(kind, 0) > self._elapsed

    def refusal(self) -> ServerReply | None:
        """Return how requests are refused at the moment, None when they are not."""
        return next((reply for kind, reply in _REST.items() if self.is_on(kind)), None)

    def omits(self, token: str) -> bool:
        """Return whether the opening book of ``token`` gets lost."""
        if not self.is_on("nobook"):
            return False
        self._asked += 1
        if self._asked % _OMITTED_EVERY:
            return False
        self.note("omitted", 0, (token,))
        return True
