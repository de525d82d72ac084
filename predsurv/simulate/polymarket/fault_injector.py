"""The faults of the simulated Polymarket: their kinds, and their injection into connections and requests."""

from collections.abc import Callable, Collection
from typing import Final

from predsurv.exchange.fault_script import FaultKinds, ScriptedFault
from predsurv.simulate.fault_log import FaultLog, InjectedFault
from predsurv.simulate.fault_script import read_script
from predsurv.simulate.polymarket.subscribers import Subscriber
from predsurv.simulate.polymarket.trading.order_faults import ORDER_KINDS
from predsurv.simulate.server import ServerResponse

_S: Final = 1_000_000_000
_OMITTED_EVERY: Final = 3

KINDS: Final = FaultKinds(
    lasting={
        "drop": 0,  # TCP connection dropped without a close frame
        "1013": 0,  # closed as a slow consumer
        "freeze": 30 * _S,  # open, answers PING and sends nothing else; then dropped
        "delay": 2 * _S,  # messages held back, then sent at once
        "duplicate": 2 * _S,  # every message twice
        "garbage": 0,  # an unreadable message
        "cut": 0,  # a truncated message
        "skip": 0,  # one price change lost silently
        "badhash": 3 * _S,  # wrong book hashes
        "nobook": 5 * _S,  # every third opening book is missing
        "handshake429": 3 * _S,
        "rest429": 3 * _S,
        "rest500": 3 * _S,
        "resthtml": 3 * _S,
        "restcut": 3 * _S,
        **ORDER_KINDS,
    },
    presets={
        "none": "",
        "mixed": "drop~9s 1013~17s freeze@8s:30s delay~11s:1s duplicate~8s:1s garbage~3s cut~7s nobook@2s:3s/13s "
        "handshake429~19s:2s rest429~13s:2s rest500~15s:2s resthtml~17s:2s restcut~19s:2s",
        "orders": "orderlost~9s:1s orderreset~11s:1s order500~13s:1s order500done~13s:1s order429~15s:1s "
        "orderslow~17s:1s order425~19s:1s orderhtml~23s:1s tradefail~11s:1s userdrop~13s userduplicate~7s:2s",
        "quiet-loss": "skip~4s badhash~31s:3s",
    },
)
"""The kinds of faults, their default durations (ns), and scripts by name; hashes are not needed to detect ``mixed``."""

_REST_RESPONSES: Final[dict[str, ServerResponse]] = {
    "rest429": ServerResponse(
        429, b'{"error":"rate limited"}', {"content-type": "application/json", "retry-after": "1"}
    ),
    "rest500": ServerResponse(500, b'{"error":"internal server error"}'),
    "resthtml": ServerResponse(502, b"<html><head><title>502</title></head><body>cloudflare</body></html>"),
}
_CONNECTION_KINDS: Final = frozenset(
    {"drop", "1013", "freeze", "delay", "duplicate", "garbage", "cut", "skip", "badhash"}
)


class FaultInjector:
    """Injects the faults of a script and logs them; ``now`` returns the time of day for the log (ns UTC)."""

    def __init__(self, text: str, seed: int, fault_log: FaultLog, now: Callable[[], int]) -> None:
        """Raises ConfigError when the script has an invalid fault."""
        self._fault_log = fault_log
        self._script = read_script(text, KINDS, seed)
        self._now = now
        self.on_userdrop: Callable[[], None] = lambda: None
        """Drops the connections of the user channel."""
        self._until: dict[str, int] = {}
        self._elapsed = 0
        self._opening_books = 0

    def stop(self) -> None:
        """Drop the rest of the script; faults that have begun go on."""
        self._script = read_script("", KINDS, 0)

    def inject_due(self, elapsed: int, subscribers: Collection[Subscriber]) -> None:
        """Inject the faults that are due ``elapsed`` ns after the start."""
        self._elapsed = elapsed
        for fault in self._script.due(elapsed):
            self.inject(fault, subscribers)

    def inject(self, fault: ScriptedFault, subscribers: Collection[Subscriber]) -> None:
        """Inject a fault now, whatever its scripted time."""
        if fault.kind not in _CONNECTION_KINDS:
            self._until[fault.kind] = self._elapsed + fault.lasts
            self.log(fault.kind, 0, (), fault.lasts)
            if fault.kind == "userdrop":
                self.on_userdrop()
            return
        candidates = [subscriber for subscriber in subscribers if subscriber.tokens]
        affected = candidates if fault.everywhere else candidates and [self._script.rng.choice(candidates)]
        unaffected = {token for each in candidates if each not in affected for token in each.tokens}
        for subscriber in affected:
            if fault.kind not in ("skip", "cut"):  # these are logged once they have found their message
                concerned = tuple(token for token in subscriber.tokens if token not in unaffected)
                self.log(fault.kind, subscriber.connection.websocket.number, concerned, fault.lasts)
            subscriber.connection.apply_fault(fault, next(iter(subscriber.tokens)))

    def log(self, kind: str, link: int, tokens: tuple[str, ...], lasts: int = 0) -> None:
        """Log a fault that begins now and lasts ``lasts`` ns; ``link``: number of the connection, 0 for all or none."""
        now = self._now()
        self._fault_log.add(InjectedFault(kind, now, now + lasts, link, tokens))

    def is_active(self, kind: str) -> bool:
        """Return whether a lasting fault is active."""
        return self._until.get(kind, 0) > self._elapsed

    def refusal(self) -> ServerResponse | None:
        """Return the response to every REST request while a fault refuses them, else None."""
        return next((response for kind, response in _REST_RESPONSES.items() if self.is_active(kind)), None)

    def is_book_omitted(self, token: str) -> bool:
        """Return whether to omit the opening book of ``token``, and log it if so."""
        if not self.is_active("nobook"):
            return False
        self._opening_books += 1
        if self._opening_books % _OMITTED_EVERY:
            return False
        self.log("omitted", 0, (token,))
        return True
