"""Durations as text with a unit, exact in both directions: ``"5m"`` as ns."""

import re
from typing import Final, NewType

Duration = NewType("Duration", int)
"""Nanoseconds."""

_UNITS_NS: Final = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_DURATION = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?(ns|us|ms|s|m|h|d)\Z", re.ASCII)


def parse_duration(text: str) -> int:
    """Return a duration such as ``"500ms"`` or ``"1.5h"`` in ns; raises ValueError."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"not a duration: {text[:32]!r}")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    scaled = int(whole + fraction) * _UNITS_NS[unit]
    duration, rest = divmod(scaled, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError(f"finer than a nanosecond: {text[:32]!r}")
    return duration


def format_duration(duration: int) -> str:
    """Return ns as the shortest exact duration text: ``60_000_000_000`` → ``"1m"``."""
    if duration == 0:
        return "0s"
    unit = next(name for name, size in _UNITS_NS.items() if duration % size == 0)
    return f"{duration // _UNITS_NS[unit]}{unit}"
