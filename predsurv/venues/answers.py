"""What a venue's answer to an order or a cancel says of its fate: a table of rules per venue, applied here.

An answer that no rule knows, that cannot be read, or that never came leaves the fate unknown: the order may exist, and
only the venue can say. Tables are data, each row with its source and an example, so that they are tested row by row.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from predsurv.core.events import TradingPhase
from predsurv.net.http_errors import summary

Operation = Literal["place", "cancel"]

Fate = Literal[
    "accepted",  # the order exists, or the cancel was carried out
    "rejected",  # it certainly does not exist, or the cancel was not carried out
    "killed",  # it was accepted and is over without a trade: an order that only takes and found nothing
    "unknown",  # nobody can tell from here: reconcile, never send again
]

Reaction = Literal[
    "go_on",
    "retry_after",  # not before the wait that the venue asks for
    "reconcile",  # ask for the order, and for what it did, before anything else is sent there
    "halt",  # nothing that is sent will be accepted until somebody has looked
]

SUCCESS: Final = range(200, 300)
CLIENT_ERRORS: Final = range(400, 500)
ANY_STATUS: Final = range(1_000)


class Reply(NamedTuple):
    """An answer, read. ``code`` and ``state`` are the venue's words, "" where it has none; ``text`` is for people.

    ``is_readable``: it has the form of the venue's answers. ``order_id`` is the one that it names; ``wait_ns`` how long
    it asks to wait.
    """

    status: int
    is_readable: bool
    code: str = ""
    text: str = ""
    state: str = ""
    order_id: str = ""
    wait_ns: int | None = None


class AnswerRule(NamedTuple):
    """A row: which replies it is about, what they mean, where that is said, and an example of one.

    ``code`` and ``state`` have to be equal, ``text`` to be contained, whatever the case of its letters; "" stands for
    any. ``phase`` is set where the whole venue is in it.
    """

    operations: tuple[Operation, ...]
    statuses: Sequence[int]
    fate: Fate
    reaction: Reaction
    source: str
    example: bytes
    code: str = ""
    text: str = ""
    state: str = ""
    phase: TradingPhase | None = None
    is_readable: bool | None = True

    def matches(self, operation: Operation, reply: Reply) -> bool:
        """Return whether this row is about ``reply``."""
        return (
            operation in self.operations
            and reply.status in self.statuses
            and (self.is_readable is None or self.is_readable == reply.is_readable)
            and (not self.code or self.code == reply.code)
            and (not self.state or self.state == reply.state)
            and (not self.text or self.text.casefold() in reply.text.casefold())
        )


class Verdict(NamedTuple):
    """What an answer means. ``reason`` is harmless text; ``wait_ns`` is set where the venue asked to wait."""

    fate: Fate
    reaction: Reaction
    reason: str
    order_id: str = ""
    wait_ns: int | None = None
    phase: TradingPhase | None = None


def judge(rules: Sequence[AnswerRule], operation: Operation, reply: Reply) -> Verdict:
    """Return the verdict of the first rule that matches; unknown where none does."""
    rule = next((rule for rule in rules if rule.matches(operation, reply)), None)
    reason = summary(f"{reply.code} {reply.text or reply.state}".strip().encode("utf-8", "replace"))
    reason = f"{reply.status}: {reason}" if reply.code or reply.text or reply.state else f"{reply.status}"
    if rule is None:
        return Verdict("unknown", "reconcile", reason, reply.order_id, reply.wait_ns)
    return Verdict(rule.fate, rule.reaction, reason, reply.order_id, reply.wait_ns, rule.phase)


def lost(reason: str) -> Verdict:
    """Return the verdict of a request that was sent and never answered: ``reason`` is a time-out, a reset …"""
    return Verdict("unknown", "reconcile", summary(reason.encode("utf-8", "replace")))
