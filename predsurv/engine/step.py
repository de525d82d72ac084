"""The outcome of one event, as the engine returns it."""

from typing import Final, Literal

from msgspec import Struct

from predsurv.core.errors import StrategyError
from predsurv.core.num import Money
from predsurv.core.orders import Approved, Refused
from predsurv.engine.account.portfolio import Settlement
from predsurv.engine.risk.gate import GateDecision

NoteKind = Literal["halted", "reducing", "loss_limit", "resumed", "duplicate", "stale", "foreign", "day", "phase"]


class EngineNote(Struct, frozen=True, array_like=True, tag="note"):
    """Something for people and the journal; ``equity`` (micros) is set for kind ``day``, a new UTC day.

    ``loss_limit``: the day's loss reached its limit, and positions are only reduced until the next. ``duplicate``,
    ``stale`` and ``foreign`` name an account event that changed nothing, ``phase`` a venue's phase.
    """

    ts: int
    kind: NoteKind
    detail: str
    equity: Money | None = None


class Step(Struct, frozen=True):
    """The outcome of one event, in order. ``booked``: the event itself changed the account.

    ``failed``: a strategy's code failed, and nothing was decided; to be raised once the rest was journalled.
    """

    decisions: tuple[GateDecision, ...] = ()
    refusals: tuple[Refused, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    notes: tuple[EngineNote, ...] = ()
    booked: bool = False
    failed: StrategyError | None = None

    @property
    def commands(self) -> tuple[Approved, ...]:
        """The commands for the brokers."""
        return tuple(decision.approved for decision in self.decisions)


EMPTY_STEP: Final = Step()
"""Nothing happened; returned as this very object, so that callers may compare by identity."""
