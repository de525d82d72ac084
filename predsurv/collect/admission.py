"""What happens to instruments that become tradable while recording: a place at once, or an entry in the ledger.

A place is free where the plan leaves one, and where an instrument is that has its turn in the sweep: it was not
recorded for a while and can wait for longer, while a market of five minutes is over before the next plan. Drawn
instruments keep their places, since the probability with which they were chosen is what totals are estimated by.
For a pinned instrument everything else yields.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import Final

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.waiting import WaitingInstruments
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.planner import NEVER, Plan, Reason, RotationHistory
from predsurv.collect.transition import SubscriptionTransition
from predsurv.collect.unaccounted import UnaccountedInstruments
from predsurv.core.events import GapReason
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage
from predsurv.state.coverage import open_gap

YIELDING_PART: Final = 2
"""One in this many swept instruments gives its place away, those recorded most lately first: the sweep goes on."""

YIELDS_TO_PINNED: Final[Sequence[Reason]] = ("new", "drawn", "exploited", "swept")
"""Why instruments were chosen that give their places to pinned ones once no other does, in this order."""


FILLED_MAX: Final = 1_000
"""Instruments that are looked at to fill places, at a time."""


class Admission:
    """The instruments that became tradable since the last plan.

    ``placed``: those that got a place without a plan. ``displaced``: those that gave it to them, with the period in
    which each was last recorded before this plan. ``waiting``: those that have had no place at all so far.
    ``unaccounted``: those that were not recorded and do not wait either, in particular those whose market was over
    before it was heard of.
    """

    def __init__(self, coverage: CoverageTracker, counted: Counter[GapReason]) -> None:
        """``counted``: the numbers of gaps by reason, to which ``unannounced`` ones are added."""
        self.placed: dict[InstrumentKey, None] = {}
        self.displaced: dict[InstrumentKey, int] = {}
        self.waiting = WaitingInstruments(coverage)
        self.unaccounted = UnaccountedInstruments()
        self._coverage = coverage
        self._counted = counted
        self._reasons: Mapping[InstrumentKey, Reason] = {}
        self._turns: dict[InstrumentKey, int] = {}  # of those that yield, in this order

    def begin(self, made: Plan, before: RotationHistory) -> None:
        """Begin a period with a new plan; ``before`` is the history it was made of."""
        self._reasons, self.placed, self.displaced = made.reasons, {}, {}
        swept = [(before.since.get(key, NEVER), key) for key, reason in made.reasons.items() if reason == "swept"]
        swept.sort(key=lambda each: each[0], reverse=True)
        self._turns = {key: since for since, key in swept[: len(swept) // YIELDING_PART]}

    def place(
        self, opened: Sequence[InstrumentKey], pinned: AbstractSet[InstrumentKey], transition: SubscriptionTransition
    ) -> list[InstrumentKey]:
        """Give places to ``opened`` instruments, pinned ones first; return those for which there is none."""
        for keys, by_pin in (
            ([key for key in opened if key in pinned], True),
            ([key for key in opened if key not in pinned], False),
        ):
            missing = sum(key not in transition.target for key in keys) - transition.free
            for key in self._yielding(transition, pinned, missing, by_pin=by_pin) if missing > 0 else ():
                transition.remove(key)
                if key in self._turns:
                    self.displaced[key] = self._turns.pop(key)
            self.placed |= dict.fromkeys(transition.admit(keys, MICROS))
        return [key for key in opened if key not in transition.target]

    def fill(self, transition: SubscriptionTransition, tradable: Callable[[InstrumentKey], bool]) -> None:
        """Give places that became free to those that wait, the first that came, then to those that gave theirs away."""
        if not transition.free:
            return
        first = list(islice(chain(self.waiting, self.displaced), FILLED_MAX))
        found = [key for key in first if key not in transition.target and tradable(key)]
        if not found:  # those whose markets are paused for long must not keep all behind them from their turn
            self.waiting.postpone(first)
        for key in transition.admit(found, MICROS):
            self.placed[key] = None
            self.displaced.pop(key, None)  # it has its turn after all

    async def account(self, index: CoverageIndex, *, stopping: bool = False) -> list[Coverage]:
        """Account for those that have no place or are over, and for all there are when ``stopping``; return their gaps.

        The others begin to wait. Nothing is said of those that an earlier run has recorded: their time is
        ``rotated_out`` already.
        """
        closed: list[Coverage] = []
        if stopping:
            self.unaccounted.lose_places(())
        while due := list(self.unaccounted.due()):
            found = await asyncio.to_thread(index.lookup, self._coverage.untracked(due))
            for key in due:
                if key not in self._coverage.untracked([key]) or found.get(key, 0) is not None:
                    self.unaccounted.discard([key])
                else:
                    closed += self._account_for(key)
            if not stopping:
                break  # what came meanwhile has its turn: while it is looked up a cancellation would lose these gaps
        if unannounced := sum(each.reason == "unannounced" for each in closed):
            self._counted["unannounced"] += unannounced
        return closed

    def _account_for(self, key: InstrumentKey) -> list[Coverage]:
        """Return the gaps of an instrument that nobody has recorded: until its market was over, or it begins to wait.

        What was said of it may have changed since it was looked up.
        """
        known = self.unaccounted.get(key)
        if known is None or (known.ended is None and known.has_place):
            return []
        gaps = known.gaps(key, self.unaccounted.began)
        self.unaccounted.discard([key])
        if known.ended is None:
            self.waiting.add(key, max(known.heard or 0, self.unaccounted.began))
        elif gaps:
            self._coverage.resume([open_gap(key, gaps[-1].end, "rotated_out")])
        return gaps

    def late(self, key: InstrumentKey) -> Coverage | None:
        """Return the open gap of an instrument that is about to be recorded and opened before that was heard."""
        known = self.unaccounted.get(key)
        if known is None or known.opened is None or known.heard is None:
            return None
        opened = max(known.opened, self.unaccounted.began)
        return open_gap(key, opened, "unannounced") if opened < known.heard else None

    def _yielding(
        self, transition: SubscriptionTransition, pinned: AbstractSet[InstrumentKey], missing: int, *, by_pin: bool
    ) -> list[InstrumentKey]:
        """Return up to ``missing`` instruments of the target that give their places away."""
        found = [key for key in self._turns if key in transition.target]
        if by_pin and len(found) < missing:
            others = [key for key in transition.target if key not in self._turns and key not in pinned]
            rank = {reason: place for place, reason in enumerate(YIELDS_TO_PINNED)}
            found += sorted(others, key=lambda key: rank.get(self._reasons.get(key, "new"), 0))
        return found[:missing]
