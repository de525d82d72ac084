"""What rotation decided, as records: who has a place, why and with which probability, and who lost it. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from predsurv.collect.selection.planner import EXPLORING, Plan
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import ChoiceReason, LeaveReason, RotationChoice

_IN_TURN: Final = frozenset[ChoiceReason]({*EXPLORING, "opened"})


class _Decision(Struct, frozen=True):
    made: Plan
    interest: Mapping[InstrumentKey, int]


class ChoiceLog:
    """Tells the choices of one venue's run as they take effect.

    A plan that has a place for everybody tells only what is new; any other one tells of all that it chose, so that the
    rows of a period are whole.
    """

    def __init__(self, seed: int) -> None:
        """``seed``: that of the run's draws, which tells its periods from another's."""
        self._seed = seed
        self._period = self._pool = self._drawn = 0
        self._decision: _Decision | None = None
        self._told: dict[InstrumentKey, ChoiceReason] = {}  # who has a place, and why

    def resume(self, recorded: Iterable[InstrumentKey], exploited: Collection[InstrumentKey]) -> None:
        """Take over those that an earlier run ``recorded`` when it ended: they lose their places like any other."""
        self._told |= {key: "exploited" if key in exploited else "swept" for key in recorded}

    def decide(self, made: Plan, interest: Mapping[InstrumentKey, int]) -> None:
        """Take a plan, to be told once it takes effect; ``interest``: of every tradable instrument, in micros."""
        wanted = [key for key in (*made.want, *self._told) if key in interest]
        self._decision = _Decision(made, {key: interest[key] for key in wanted})

    def take(
        self, ts: int, target: Collection[InstrumentKey], is_open: Callable[[InstrumentKey], bool]
    ) -> list[RotationChoice]:
        """Return what was not told yet, at ``ts`` (ns UTC); ``target``: who has a place then.

        ``is_open``: whether the market of one that has none any more is not over.
        """
        rows = [*self._plan_rows(ts)]
        for key in [key for key in self._told if key not in target]:
            del self._told[key]
            rows.append(self._row(key, ts, "displaced" if is_open(key) else "untradable", 0, None))
        for key in target if len(target) > len(self._told) else ():
            if key not in self._told:
                self._told[key] = "opened"
                rows.append(self._row(key, ts, "opened", MICROS, None))
        return rows

    def _plan_rows(self, ts: int) -> Iterator[RotationChoice]:
        if self._decision is None:
            return
        made, interest, before = self._decision.made, self._decision.interest, self._told
        self._decision, self._told = None, {**made.reasons}
        self._period, self._drawn = made.history.period, made.count("drawn")
        self._pool = made.pool - made.count("new", "swept") if self._drawn else 0
        for key, reason in made.reasons.items():
            if made.pool or before.get(key) != reason:
                yield self._row(key, ts, reason, made.want[key], interest.get(key))
        for key, was in before.items():
            if key not in made.reasons:
                why: LeaveReason = "turn_over" if was in _IN_TURN else "outranked"
                yield self._row(key, ts, why if key in interest else "untradable", 0, interest.get(key))

    def _row(
        self, key: InstrumentKey, ts: int, reason: ChoiceReason | LeaveReason, inclusion: int, interest: int | None
    ) -> RotationChoice:
        return RotationChoice(key, ts, self._period, reason, inclusion, interest, self._seed, self._pool, self._drawn)
