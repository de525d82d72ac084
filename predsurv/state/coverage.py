"""Turn subscription and integrity events into intervals that tile every instrument's wanted time.

Kept apart because it carries the promise that each second is either data or a gap with a reason:
every interval that closes opens the next at the same instant, so there can be no hole or overlap.
"""

from msgspec import Struct

from predsurv.core.events import BookSnapshot, Gap, MarketEvent, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, CoverageReason, CoverageState


class _OpenInterval(Struct):
    start: int
    state: CoverageState
    reason: CoverageReason
    epoch: int
    inclusion: int


class CoverageReducer:
    """Folds events into closed ``Coverage`` intervals, per instrument from its first ``Wanted``.

    ``covered`` is the reason given to covered time: ``live``, or ``polled`` for a polled feed.
    An instrument rotated out stays tracked as a gap, so that the tiles reach to its next turn.
    A ``Gap`` may lie in the past (a stall is found out later than it began): it takes covered time
    back, down to the start of the open interval. ``cut`` with ``held`` leaves room for that.
    """

    def __init__(self, covered: CoverageReason = "live") -> None:
        self._covered = covered
        self._open: dict[InstrumentKey, _OpenInterval] = {}

    def apply(self, event: MarketEvent) -> list[Coverage]:
        """Fold one event; return the intervals it closed (none or one)."""
        if type(event) is BookSnapshot:
            return self._snapshot(event)
        if type(event) is Gap:
            return self._gap(event)
        if type(event) is Wanted:
            return self._wanted(event)
        if type(event) is Unwanted:
            return self._unwanted(event)
        return []

    def resume(self, key: InstrumentKey, start: int, reason: CoverageReason) -> None:
        """Track ``key`` as a gap since ``start``: the time a stopped or dead recorder left open."""
        self._open[key] = _OpenInterval(start, "gap", reason, 0, 1_000_000)

    def release(self, key: InstrumentKey) -> None:
        """Track ``key`` no more; whoever ``resume``s it must know since when."""
        self._open.pop(key, None)

    def split(self, key: InstrumentKey, at: int) -> list[Coverage]:
        """End the open interval of ``key`` at ``at`` and go on with another of the same kind."""
        state = self._open.get(key)
        if state is None:
            return []
        closed = _close(key, state, at)
        state.start = max(state.start, at)
        return closed

    def cut(self, now: int, *, idle: bool = False, held: int = 0) -> list[Coverage]:
        """Return all open time up to ``now`` as closed intervals and go on from there.

        Rotated-out instruments are cut only with ``idle``: there are many, and nothing happens to
        them until their next turn. The last ``held`` ns of covered time stay open.
        """
        closed: list[Coverage] = []
        for key, state in self._open.items():
            if idle or state.reason != "rotated_out":
                until = now - held if state.state == "covered" else now
                closed += _close(key, state, until)
                state.start = max(state.start, until)
        return closed

    def tracked(self) -> dict[InstrumentKey, tuple[CoverageState, CoverageReason]]:
        """Return what each tracked instrument is in right now."""
        return {key: (state.state, state.reason) for key, state in self._open.items()}

    def _snapshot(self, event: BookSnapshot) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None or state.reason == "rotated_out":
            return []  # what was still on the wire when we left is not recorded
        return _switch(event.key, state, event.ts_recv, ("covered", self._covered, event.epoch))

    def opened(self, key: InstrumentKey) -> Coverage | None:
        """Return the interval of ``key`` that is still open, ending where it starts; None when not tracked."""
        state = self._open.get(key)
        if state is None:
            return None
        return Coverage(key, state.start, state.start, state.state, state.reason, state.epoch, state.inclusion)

    def _wanted(self, event: Wanted) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None:
            opened = _OpenInterval(event.ts_recv, "gap", "subscribing", 0, event.inclusion)
            self._open[event.key] = opened
            return []
        closed: list[Coverage] = []
        if state.reason == "rotated_out" or state.inclusion != event.inclusion:
            # Another chance of being chosen weighs differently: it is another interval.
            closed = _close(event.key, state, event.ts_recv)
            state.start = max(state.start, event.ts_recv)
            state.inclusion = event.inclusion
        if state.reason == "rotated_out":
            state.reason = "subscribing"
        return closed

    def _unwanted(self, event: Unwanted) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None:
            return []
        if event.reason == "rotated_out":
            return _switch(event.key, state, event.ts_recv, ("gap", "rotated_out", 0))
        del self._open[event.key]
        return _close(event.key, state, event.ts_recv)

    def _gap(self, event: Gap) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None:
            return []
        if state.state == "gap" and state.reason != "subscribing":
            return []  # the first cause stands until data is back
        return _switch(event.key, state, event.ts_recv, ("gap", event.reason, event.epoch))


_Kind = tuple[CoverageState, CoverageReason, int]
"""State, reason and epoch: what makes an interval differ from the one before."""


def _switch(key: InstrumentKey, state: _OpenInterval, now: int, kind: _Kind) -> list[Coverage]:
    if (state.state, state.reason, state.epoch) == kind:
        return []
    closed = _close(key, state, now)
    state.start = max(state.start, now)
    state.state, state.reason, state.epoch = kind
    return closed


def _close(key: InstrumentKey, state: _OpenInterval, now: int) -> list[Coverage]:
    # A gap found out late may lie before the interval: what was written down stays.
    if now <= state.start:
        return []
    return [Coverage(key, state.start, now, state.state, state.reason, state.epoch, state.inclusion)]
