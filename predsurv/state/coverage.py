"""Coverage intervals: the only module that constructs them, and the reducer that makes them tile time.

Every second from the first time an instrument was wanted is either covered or a gap with a reason: an
interval that closes opens the next at the same instant, so there is neither a hole nor an overlap.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, CoverageReason, Gap, GapReason, MarketEvent, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, CoverageState

IDLE: Final = frozenset[CoverageReason]({"rotated_out", "no_capacity"})
"""Reasons of gaps that last until an instrument is recorded (again), and in which nothing happens."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[Coverage])


def gap(key: InstrumentKey, start: int, end: int, reason: GapReason) -> Coverage:
    """Return the gap of ``key`` from ``start`` to ``end`` (ns UTC, exclusive), chosen with certainty, of no epoch."""
    return Coverage(key, start, end, "gap", reason, 0, MICROS)


def open_gap(key: InstrumentKey, start: int, reason: GapReason) -> Coverage:
    """Return a gap that is open since ``start`` (ns UTC): as every open interval it ends where it starts."""
    return gap(key, start, start, reason)


def between(interval: Coverage, start: int, end: int) -> Coverage:
    """Return ``interval`` with other bounds (ns UTC, ``end`` exclusive)."""
    return replace(interval, start=start, end=end)


def retracted(interval: Coverage, since: int, until: int, reason: GapReason) -> list[Coverage]:
    """Return ``interval`` in pieces, covered time in [``since``, ``until``) (ns UTC) replaced by a gap of ``reason``.

    Gaps stay as they are; together the pieces span the same time as before.
    """
    begin, end = max(interval.start, since), min(interval.end, until)
    if interval.state == "gap" or begin >= end:
        return [interval]
    lost = Coverage(interval.key, begin, end, "gap", reason, interval.epoch, interval.inclusion)
    pieces = [between(interval, interval.start, begin), lost, between(interval, end, interval.end)]
    return [piece for piece in pieces if piece.start < piece.end]


def encode_intervals(intervals: Iterable[Coverage]) -> bytes:
    """Return ``intervals`` as ``decode_intervals`` reads them."""
    return _ENCODER.encode(list(intervals))


def decode_intervals(payload: bytes) -> list[Coverage]:
    """Return the intervals in ``payload``; raises msgspec.DecodeError when it holds anything else."""
    return _DECODER.decode(payload)


class _OpenInterval(Struct):
    start: int
    state: CoverageState
    reason: CoverageReason
    epoch: int
    inclusion: int


class CoverageReducer:
    """Folds events into closed ``Coverage`` intervals, per instrument from the first time it is wanted.

    ``covered`` is the reason given to covered time: ``live``, or ``polled`` for a polled feed.
    An instrument rotated out, or one whose market opened while there was no place (``resume`` as ``no_capacity``),
    stays tracked as a gap, so that its intervals reach to the next time it is recorded, until ``release``, for
    which the end of its coverage has to be stored elsewhere. Because
    ``want`` requires that end of every instrument that is not tracked, no time in between can be lost.
    A ``Gap`` may lie in the past (a stall is detected later than it began): it retracts covered time,
    down to the start of the open interval. ``cut`` with ``held`` leaves room for that.
    """

    def __init__(self, covered: CoverageReason = "live") -> None:
        self._covered = covered
        self._open: dict[InstrumentKey, _OpenInterval] = {}

    def want(self, event: Wanted, resume_from: int | None) -> list[Coverage]:
        """Start or go on recording an instrument; return the intervals this closed.

        ``resume_from``: where the coverage of an instrument that is not tracked ended (ns UTC), None when it
        was never recorded before; ignored for one that is tracked. The time since is ``rotated_out``.
        """
        state = self._open.get(event.key)
        if state is None:
            if resume_from is None:
                self._open[event.key] = _OpenInterval(event.ts_recv, "gap", "subscribing", 0, event.inclusion)
                return []
            state = self._open[event.key] = _OpenInterval(resume_from, "gap", "rotated_out", 0, MICROS)
        closed: list[Coverage] = []
        if state.reason in IDLE or state.inclusion != event.inclusion:
            # Another inclusion probability is another interval.
            closed = _close(event.key, state, event.ts_recv)
            state.start = max(state.start, event.ts_recv)
            state.inclusion = event.inclusion
        if state.reason in IDLE:
            state.reason = "subscribing"
        return closed

    def apply(self, event: MarketEvent) -> list[Coverage]:
        """Fold one event other than ``Wanted``, which is for ``want``; return the intervals it closed (none or one)."""
        if type(event) is BookSnapshot:
            return self._snapshot(event)
        if type(event) is Gap:
            return self._gap(event)
        if type(event) is Unwanted:
            return self._unwanted(event)
        if type(event) is Wanted:
            raise TypeError("Wanted is for want(), which requires the end of earlier coverage")
        return []

    def resume(self, key: InstrumentKey, start: int, reason: CoverageReason) -> None:
        """Track ``key`` as a gap since ``start``: time that a recorder left open, or that it had no place for.

        Raises ValueError when ``key`` is tracked: its time is accounted for up to now.
        """
        if key in self._open:
            raise ValueError(f"{key} is tracked already")
        self._open[key] = _OpenInterval(start, "gap", reason, 0, MICROS)

    def release(self, key: InstrumentKey) -> None:
        """Stop tracking ``key``; its ``open_interval`` must have been stored, for ``want`` or ``resume``."""
        self._open.pop(key, None)

    def split(self, key: InstrumentKey, at: int) -> list[Coverage]:
        """Close the open interval of ``key`` at ``at`` and open another of the same kind there."""
        state = self._open.get(key)
        if state is None:
            return []
        closed = _close(key, state, at)
        state.start = max(state.start, at)
        return closed

    def cut(self, now: int, *, idle: bool = False, held: int = 0) -> list[Coverage]:
        """Close every open interval at ``now`` and open another of the same kind there.

        ``IDLE`` instruments are cut only with ``idle``: there are many, and nothing happens to
        them until they are recorded. The last ``held`` ns of covered time stay open.
        """
        closed: list[Coverage] = []
        for key, state in self._open.items():
            if idle or state.reason not in IDLE:
                until = now - held if state.state == "covered" else now
                closed += _close(key, state, until)
                state.start = max(state.start, until)
        return closed

    def open_interval(self, key: InstrumentKey) -> Coverage | None:
        """Return the open interval of ``key``, ending where it starts; None when it is not tracked."""
        state = self._open.get(key)
        return None if state is None else _opened(key, state)

    def open_intervals(self) -> list[Coverage]:
        """Return every open interval, ending where it starts."""
        return [_opened(key, state) for key, state in self._open.items()]

    def _snapshot(self, event: BookSnapshot) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None or state.reason in IDLE:
            return []  # sent before the venue knew that we unsubscribed
        return _switch(event.key, state, event.ts_recv, ("covered", self._covered, event.epoch))

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
            return []  # the first cause stands until there is data again
        return _switch(event.key, state, event.ts_recv, ("gap", event.reason, event.epoch))


_Kind = tuple[CoverageState, CoverageReason, int]
"""State, reason and epoch: what distinguishes an interval from the one before."""


def _switch(key: InstrumentKey, state: _OpenInterval, now: int, kind: _Kind) -> list[Coverage]:
    if (state.state, state.reason, state.epoch) == kind:
        return []
    closed = _close(key, state, now)
    state.start = max(state.start, now)
    state.state, state.reason, state.epoch = kind
    return closed


def _opened(key: InstrumentKey, state: _OpenInterval) -> Coverage:
    return Coverage(key, state.start, state.start, state.state, state.reason, state.epoch, state.inclusion)


def _close(key: InstrumentKey, state: _OpenInterval, now: int) -> list[Coverage]:
    # A gap that is detected late may begin before the interval: what was closed stays closed.
    if now <= state.start:
        return []
    return [Coverage(key, state.start, now, state.state, state.reason, state.epoch, state.inclusion)]
