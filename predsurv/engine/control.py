"""What may be sent: by a person's order, by the day's limit of losses, and while the run ends."""

from collections.abc import Iterable

from msgspec.structs import replace

from predsurv.core.num import Money, format_micros
from predsurv.engine.loss_limit import DailyLossLimit
from predsurv.engine.risk.gate import RiskGate
from predsurv.engine.risk.state import RiskState, TradingState
from predsurv.engine.step import EMPTY_STEP, EngineNote, NoteKind, Step


class TradingControl:
    """Halts, limits and resumes trading; the stricter of what was ordered and what the day's loss demands holds.

    ``loss``: the limit of the day's loss.
    """

    def __init__(self, risk: RiskState, gate: RiskGate, max_daily_loss: Money) -> None:
        self._risk, self._gate, self.loss = risk, gate, DailyLossLimit(risk, max_daily_loss)

    @property
    def trading(self) -> TradingState:
        """What may be sent now."""
        return self._risk.trading

    @property
    def ordered(self) -> TradingState:
        """What ``halt``, ``reduce`` and ``resume`` left in force."""
        return self._risk.requested

    def continue_minute(self, sent: Iterable[int]) -> None:
        """Count orders that an earlier run sent (ns UTC, in order) towards the limit of orders per minute."""
        self._risk.sent.extend(sent)

    def continue_day(self, ts: int, equity: Money, *, lost_too_much: bool) -> None:
        """Go on with the UTC day that ``ts`` (ns) is in, which an earlier run began with ``equity``."""
        self._risk.valuation.begin_day(ts, equity)
        self._risk.lost_too_much = lost_too_much

    def halt(self, ts: int, reason: str) -> Step:
        """Cancel every live order and send no new one until ``resume``."""
        already, self._risk.requested = self._risk.requested == "halted", "halted"
        self._risk.now = max(self._risk.now, ts)
        notes = () if already else (EngineNote(self._risk.now, "halted", reason),)
        return Step(decisions=self._gate.cancel_forbidden(), notes=notes)

    def reduce(self, ts: int, reason: str) -> Step:
        """Cancel every live buy and send sales only until ``resume``; a halt in force becomes this."""
        before, self._risk.requested = self._risk.trading, "reducing"
        self._risk.now = max(self._risk.now, ts)
        notes = () if before == "reducing" else (EngineNote(self._risk.now, "reducing", reason),)
        return Step(decisions=self._gate.cancel_forbidden(), notes=notes)

    def resume(self, ts: int) -> Step:
        """Lift what ``halt`` or ``reduce`` ordered; the day's limit of losses stays in force.

        Nothing is sent any more once the engine was shut down.
        """
        before, self._risk.requested = self._risk.requested, "active"
        self._risk.now = max(self._risk.now, ts)
        if before == "active" or self._risk.shutting_down:
            return EMPTY_STEP
        return Step(notes=(_lifted(self._risk, "by request"),))

    def shut_down(self, ts: int) -> Step:
        """Cancel every live order and stop calling strategies, irreversibly: the run is ending."""
        if self._risk.shutting_down:
            return EMPTY_STEP
        self._risk.shutting_down = True
        self._risk.now = max(self._risk.now, ts)
        return Step(decisions=self._gate.cancel_forbidden())

    def on_tick(self, step: Step) -> Step:
        """Return the ``step`` of a tick, with cancels of all buys once the day's loss stands at its limit."""
        if self._risk.lost_too_much or not self.loss.stands():
            return step
        before, self._risk.lost_too_much = self._risk.trading, True
        detail = f"{format_micros(self._risk.valuation.day_loss())} USD were lost since midnight UTC"
        note = EngineNote(self._risk.now, "loss_limit", detail)
        decisions = (*step.decisions, *self._gate.cancel_forbidden()) if before == "active" else step.decisions
        return replace(step, decisions=decisions, notes=(*step.notes, note))

    def on_new_day(self, step: Step, equity: Money) -> Step:
        """Return ``step`` with the note of a new UTC day that begins with ``equity``: losses count anew."""
        notes = [*step.notes, EngineNote(self._risk.now, "day", "a new UTC day", equity)]
        if self._risk.lost_too_much:
            self._risk.lost_too_much = False
            notes.append(_lifted(self._risk, "a new UTC day"))
        return replace(step, notes=tuple(notes))


def _lifted(risk: RiskState, reason: str) -> EngineNote:
    """Return the note that something was lifted, and of what is still in force."""
    if risk.trading == "active":
        return EngineNote(risk.now, "resumed", reason)
    kind: NoteKind = risk.trading
    return EngineNote(risk.now, kind, f"{reason}; still in force")
