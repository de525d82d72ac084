"""Coverage intervals: the only module that constructs them, and the reducer that makes them tile time.

Every second from the first time an instrument was wanted is either covered or a gap with a reason: an
interval that closes opens the next at the same instant, so there is neither a hole nor an overlap.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import (
    BookSnapshot,
    ChannelChange,
    CoverageReason,
    Gap,
    GapReason,
    MarketEvent,
    Unwanted,
    Wanted,
)
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.packed_book import PackedBook
from predsurv.core.records import Coverage, CoverageState

IDLE: Final = frozenset[CoverageReason]({"rotated_out", "no_capacity", "unannounced"})
"""Reasons of gaps that last until an instrument is recorded (again), and in which nothing is wanted of it."""

NOT_WANTED: Final = IDLE | {"shutdown", "crash"}
"""Reasons of gaps in which nobody records: what a run that goes on has lost is none of these."""

NO_BOOKS: Final[CoverageReason] = "not_offered"
"""The reason of gaps of a feed without books, which tell how its other channels were observed as covered time does."""

NOTHING_RECEIVED: Final = frozenset[CoverageReason](
    {*IDLE, NO_BOOKS, "clock_step", "subscribing", "shutdown", "disk_full"},
)
"""Reasons of gaps that begin when they are noticed: no row of a book lies in one.

Others are found out late (a stall began before it was noticed): what was recorded meanwhile stays, and is not trusted.
"""

COVERED_DELAY: Final = 150_000_000_000
"""Covered time is written this late (ns): so long after its beginning may a feed detect a stall."""

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


class ChannelStates(Struct, frozen=True):
    """How a feed observes the channels beside the books (``live``, ``polled``), or why not, from ``since`` (ns UTC) on.

    None where that was not recorded.
    """

    since: int = 0
    trades: CoverageReason | None = "live"
    lifecycle: CoverageReason | None = "live"


class ChannelHistory:
    """How a feed observed the channels beside the books, by time.

    Kept apart from the intervals until these are closed: a change must not close them, because a ``Gap`` that is
    detected late has to find them open.
    """

    def __init__(self, states: Iterable[ChannelStates]) -> None:
        """``states``: in the order of time."""
        self.states = tuple(states)

    def add(self, event: ChannelChange) -> None:
        """Observe a channel as ``event`` says from its time on, whatever was said of later times before."""
        if event.channel == "book":
            return
        at = bisect_right(self.states, event.ts_recv, key=_since)
        said: dict[str, Any] = {event.channel: event.reason}
        until_then = self.states[at - 1] if at else ChannelStates(0, None, None)
        begins = replace(until_then, since=event.ts_recv, **said)
        before = self.states[: bisect_left(self.states, event.ts_recv, key=_since)]
        later = (replace(each, **said) for each in self.states[at:])
        states: list[ChannelStates] = []
        for each in (*before, begins, *later):
            if not states or _channels(each) != _channels(states[-1]):
                states.append(each)
        if len(states) > CHANGES_MAX:
            first, second = states[:2]
            states[:2] = [ChannelStates(first.since, *map(_worse, _channels(first), _channels(second)))]
        self.states = tuple(states)

    def forget(self, before: int) -> None:
        """Keep only what tells of time from ``before`` (ns UTC) on."""
        self.states = self.states[max(0, bisect_right(self.states, before, key=_since) - 1) :]

    def told(self, interval: Coverage) -> list[Coverage]:
        """Return ``interval`` in pieces that tell how the channels were observed; a gap of books as it is."""
        if interval.state == "gap" and interval.reason != NO_BOOKS:
            return [interval]
        known = [each for each in self.states if each.since < interval.end]
        known = known[max(0, bisect_right(known, interval.start, key=_since) - 1) :]
        if not known:
            return [interval]
        starts = [interval.start, *(each.since for each in known[1:])]
        return [
            replace(interval, start=start, end=end, trades=each.trades, lifecycle=each.lifecycle)
            for each, start, end in zip(known, starts, [*starts[1:], interval.end], strict=True)
        ]


CHANGES_MAX: Final = 4_096
"""Changes of channels that are kept while no interval is closed; the oldest two become one, observed by neither."""

OBSERVED: Final = frozenset({"live", "polled"})


def _since(states: ChannelStates) -> int:
    return states.since


def _channels(states: ChannelStates) -> tuple[CoverageReason | None, CoverageReason | None]:
    return states.trades, states.lifecycle


def _worse(one: CoverageReason | None, other: CoverageReason | None) -> CoverageReason | None:
    return other if one in OBSERVED else one


class _OpenInterval(Struct):
    start: int
    state: CoverageState
    reason: CoverageReason
    epoch: int
    inclusion: int


class CoverageReducer:
    """Folds events into closed ``Coverage`` intervals, per instrument from the first time it is wanted.

    ``covered`` is the reason given to covered time: ``live``, or ``polled`` for a polled feed. ``channels``: how the
    feed observes its other channels, which closed intervals tell too.
    An instrument rotated out, or one whose market opened while there was no place (``resume`` as ``no_capacity``),
    stays tracked as a gap, so that its intervals reach to the next time it is recorded, until ``release``, for
    which the end of its coverage has to be stored elsewhere. Because
    ``want`` requires that end of every instrument that is not tracked, no time in between can be lost.
    A ``Gap`` may lie in the past (a stall is detected later than it began): it retracts covered time,
    down to the start of the open interval. ``cut`` with ``held`` leaves room for that.
    """

    def __init__(self, covered: CoverageReason = "live", channels: ChannelStates | None = None) -> None:
        self._covered = covered
        self.channels = ChannelHistory([channels or ChannelStates()])
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
            closed = self._split(event.key, state, event.ts_recv)
            state.inclusion = event.inclusion
        if state.reason in IDLE:
            state.reason = "subscribing"
        return closed

    def apply(self, event: MarketEvent | PackedBook) -> list[Coverage]:
        """Fold one event other than ``Wanted``, which is for ``want``; return the intervals it closed.

        None or one, in as many pieces as the other channels were observed in different ways.
        """
        if isinstance(event, _OF_ONE):
            return self._fold(event)
        if type(event) is ChannelChange:
            self.channels.add(event)
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
        return self._split(key, state, at)

    def cut(self, now: int, *, idle: bool = False, held: int = 0) -> list[Coverage]:
        """Close every open interval at ``now`` and open another of the same kind there.

        ``IDLE`` instruments are cut only with ``idle``: there are many, and nothing happens to
        them until they are recorded. The last ``held`` ns of covered time stay open.
        """
        closed: list[Coverage] = []
        for key, state in self._open.items():
            if idle or state.reason not in IDLE:
                until = now - held if state.state == "covered" else now
                closed += self._split(key, state, until)
        telling = (each.start for each in self._open.values() if each.state == "covered" or each.reason == NO_BOOKS)
        self.channels.forget(min(telling, default=now))
        return closed

    def open_interval(self, key: InstrumentKey) -> Coverage | None:
        """Return the open interval of ``key``, ending where it starts; None when it is not tracked."""
        state = self._open.get(key)
        return None if state is None else _row(key, state, state.start)

    def open_intervals(self) -> list[Coverage]:
        """Return every open interval, ending where it starts."""
        return [_row(key, state, state.start) for key, state in self._open.items()]

    def _fold(self, event: BookSnapshot | PackedBook | Gap | Unwanted) -> list[Coverage]:
        state = self._open.get(event.key)
        if state is None:
            return []
        if type(event) is Unwanted and event.reason != "rotated_out":
            del self._open[event.key]
            return self._split(event.key, state, event.ts_recv)
        kind = _kind_after(state, event, self._covered)
        if kind == (state.state, state.reason, state.epoch):
            return []
        closed = self._split(event.key, state, event.ts_recv)
        state.state, state.reason, state.epoch = kind
        return closed

    def _split(self, key: InstrumentKey, state: _OpenInterval, at: int) -> list[Coverage]:
        """Close ``state`` at ``at`` and let it begin there anew."""
        if at <= state.start:
            return []  # a gap that is detected late may begin before the interval: what was closed stays closed
        closed = self.channels.told(_row(key, state, at))
        state.start = at
        return closed


_OF_ONE: Final = (BookSnapshot, PackedBook, Gap, Unwanted)
"""Events that begin an interval of one instrument."""

_Kind = tuple[CoverageState, CoverageReason, int]
"""State, reason and epoch: what distinguishes an interval from the one before."""


def _kind_after(
    state: _OpenInterval, event: BookSnapshot | PackedBook | Gap | Unwanted, covered: CoverageReason
) -> _Kind:
    unchanged = (state.state, state.reason, state.epoch)
    if isinstance(event, BookSnapshot | PackedBook):
        # One that was sent before the venue knew that we unsubscribed covers nothing.
        return unchanged if state.reason in IDLE else ("covered", covered, event.epoch)
    if isinstance(event, Unwanted):
        return ("gap", "rotated_out", 0)
    if state.state == "gap" and state.reason != "subscribing":
        return unchanged  # the first cause stands until there is data again
    return ("gap", event.reason, event.epoch)


def _row(key: InstrumentKey, state: _OpenInterval, end: int) -> Coverage:
    return Coverage(key, state.start, end, state.state, state.reason, state.epoch, state.inclusion)
