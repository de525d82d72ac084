"""The script of what a simulator does wrong, and when: ``drop@5s freeze@10s:20s garbage~7s``.

Kept apart because it is a little language shared by all simulators; each venue says which kinds
it knows and what they do.
"""

import heapq
import random
import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from predsurv.config.units import parse_duration
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

ENTRIES_MAX: Final = 1_000
PERIOD_MIN: Final = 10_000_000
"""Shortest time between repetitions (ns)."""
_FORM = re.compile(
    r"(?P<kind>[a-z0-9]+)(?P<all>-all)?(?P<how>[@~])(?P<at>[0-9.a-z]+)(?::(?P<lasts>[0-9.a-z]+))?"
    r"(?:/(?P<period>[0-9.a-z]+))?\Z",
    re.ASCII,
)


class ScriptedFault(Struct, frozen=True, order=True):
    """``kind`` happens ``at`` ns after the start, for ``lasts`` ns where that means anything.

    ``everywhere``: to every connection, else to one that is drawn.
    """

    at: int
    kind: str
    lasts: int = 0
    everywhere: bool = False


class _Entry(Struct, frozen=True, order=True):
    fault: ScriptedFault
    number: int
    period: int = 0
    drawn: bool = False


class FaultKinds(Struct, frozen=True):
    """What a venue can do wrong: how long each kind lasts by default (0: it has no length).

    ``presets``: scripts by name.
    """

    lasting: Mapping[str, int]
    presets: Mapping[str, str]


class FaultScript:
    """Faults in order of time. ``rng`` draws times and, for whoever asks, victims."""

    def __init__(self, text: str, kinds: FaultKinds, seed: int) -> None:
        """Raises ConfigError that names the word which is no fault."""
        self.rng = random.Random(f"faults {seed}")  # noqa: S311 - seeded on purpose
        self._heap = [self._first(entry) for entry in _entries(text, kinds)]
        heapq.heapify(self._heap)

    def due(self, elapsed: int) -> Iterator[ScriptedFault]:
        """Yield what is to happen up to ``elapsed`` ns after the start, once."""
        while self._heap and self._heap[0].fault.at <= elapsed:
            entry = heapq.heappop(self._heap)
            if entry.period:
                heapq.heappush(self._heap, self._again(entry))
            yield entry.fault

    def _first(self, entry: _Entry) -> _Entry:
        return self._again(entry) if entry.drawn else entry

    def _again(self, entry: _Entry) -> _Entry:
        fault = entry.fault
        wait = self.rng.randrange(entry.period // 4, entry.period * 7 // 4) if entry.drawn else entry.period
        return _Entry(
            ScriptedFault(fault.at + wait, fault.kind, fault.lasts, fault.everywhere),
            entry.number,
            entry.period,
            entry.drawn,
        )


def _entries(text: str, kinds: FaultKinds) -> list[_Entry]:
    words = [
        part
        for word in text.replace(",", " ").split()
        for part in (kinds.presets[word].split() if word in kinds.presets else [word])
    ]
    if len(words) > ENTRIES_MAX:
        raise ConfigError(f"--faults: {len(words)} faults, at most {ENTRIES_MAX} are possible; remove some")
    return [_entry(word, number, kinds) for number, word in enumerate(words)]


def _entry(word: str, number: int, kinds: FaultKinds) -> _Entry:
    match = _FORM.match(word)
    if match is None or match["kind"] not in kinds.lasting:
        raise _wrong(word, kinds)
    default = kinds.lasting[match["kind"]]
    if match["lasts"] is not None and not default:
        raise _wrong(word, kinds)
    try:
        at, lasts, period = (parse_duration(match[name] or "0s") for name in ("at", "lasts", "period"))
    except ValueError:
        raise _wrong(word, kinds) from None
    drawn = match["how"] == "~"
    period = at if drawn else period
    if 0 < period < PERIOD_MIN or (drawn and (not period or match["period"] is not None)):
        raise _wrong(word, kinds)
    fault = ScriptedFault(0 if drawn else at, match["kind"], lasts or default, match["all"] is not None)
    return _Entry(fault, number, period, drawn)


def _wrong(word: str, kinds: FaultKinds) -> ConfigError:
    names = ", ".join([*kinds.presets, *kinds.lasting])
    return ConfigError(
        f'--faults: "{sanitise(word, 64)}" is not a fault; write KIND@5s, KIND@5s:3s (lasting), KIND@5s/20s '
        f"(again every 20s), KIND~20s (at random) or KIND-all@5s; there are {names}"
    )
