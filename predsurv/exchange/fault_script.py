"""The script language for injected faults: ``drop@5s freeze@10s:20s garbage~7s``, and the schedule it makes.

Shared by the mock venue and the simulators; each declares which kinds it knows and what they do.
A word is ``KIND@5s`` (once, 5 s after the start), ``KIND@5s:3s`` (lasting 3 s), ``KIND@5s/20s``
(again every 20 s), ``KIND~20s`` (at random, every 20 s on average) or ``KIND-all@5s`` (everywhere).
"""

import heapq
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.durations import parse_duration

PERIOD_MIN: Final = 10_000_000
"""Shortest time between repetitions (ns)."""
_WORD = re.compile(
    r"(?P<kind>[a-z0-9]+)(?P<all>-all)?(?P<how>[@~])(?P<at>[0-9.a-z]+)(?::(?P<lasts>[0-9.a-z]+))?"
    r"(?:/(?P<period>[0-9.a-z]+))?\Z",
    re.ASCII,
)


class ScriptedFault(Struct, frozen=True, order=True):
    """A fault of ``kind``, ``at`` ns after the start, for ``lasts`` ns where the kind has a length.

    ``everywhere``: on every connection, else on one that is drawn.
    """

    at: int
    kind: str
    lasts: int = 0
    everywhere: bool = False


class FaultEntry(Struct, frozen=True):
    """One word of a script: its first fault, and how it repeats.

    ``period``: time to the next one (ns), 0 for none. ``drawn``: the times are random, ``period``
    apart on average, the first one counted from ``fault.at``.
    """

    fault: ScriptedFault
    period: int = 0
    drawn: bool = False


class FaultKinds(Struct, frozen=True):
    """The faults of a venue: kind → default length in ns, 0 for kinds without a length.

    ``presets``: scripts by name.
    """

    lasting: Mapping[str, int]
    presets: Mapping[str, str] = {}


def parse_entry(word: str, kinds: FaultKinds) -> FaultEntry:
    """Return the entry that ``word`` describes; raises ValueError when it describes none."""
    match = _WORD.match(word)
    if match is None or match["kind"] not in kinds.lasting:
        raise ValueError("not a fault, or of an unknown kind")
    default = kinds.lasting[match["kind"]]
    if match["lasts"] is not None and not default:
        raise ValueError("a fault of this kind has no length")
    drawn = match["how"] == "~"
    at = parse_duration(match["at"])
    lasts = default if match["lasts"] is None else parse_duration(match["lasts"])
    period = at if drawn else parse_duration(match["period"] or "0s")
    if 0 < period < PERIOD_MIN or (drawn and (not period or match["period"] is not None)):
        raise ValueError("not a possible repetition")
    fault = ScriptedFault(0 if drawn else at, match["kind"], lasts, match["all"] is not None)
    return FaultEntry(fault, period, drawn)


class FaultSchedule:
    """Faults in order of time. ``rng`` draws random times and, for the user, victims."""

    def __init__(self, entries: Iterable[FaultEntry], seed: int = 0) -> None:
        self.rng = random.Random(f"faults {seed}")
        self._heap = [
            (self._following(entry) if entry.drawn else entry.fault, number, entry)
            for number, entry in enumerate(entries)
        ]
        heapq.heapify(self._heap)
        self._count = len(self._heap)

    def add(self, fault: ScriptedFault) -> None:
        """Schedule one more fault."""
        heapq.heappush(self._heap, (fault, self._count, FaultEntry(fault)))
        self._count += 1

    def due(self, elapsed: int) -> Iterator[ScriptedFault]:
        """Yield the faults up to ``elapsed`` ns after the start that were not yielded before, in order."""
        while self._heap and self._heap[0][0].at <= elapsed:
            fault, number, entry = heapq.heappop(self._heap)
            if entry.period:
                repeated = replace(entry, fault=fault)
                heapq.heappush(self._heap, (self._following(repeated), number, repeated))
            yield fault

    def _following(self, entry: FaultEntry) -> ScriptedFault:
        period = entry.period
        wait = self.rng.randrange(period // 4, period * 7 // 4) if entry.drawn else period
        return replace(entry.fault, at=entry.fault.at + wait)
