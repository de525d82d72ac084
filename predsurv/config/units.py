"""Durations and sizes as text with a unit, exact in both directions: ``"5m"`` as ns, ``"64MB"`` as bytes."""

import re
from typing import Final

_UNITS_NS: Final = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_UNITS_BYTES: Final = {
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "KB": 10**3,
    "B": 1,
}
_DURATION = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?(ns|us|ms|s|m|h|d)\Z", re.ASCII)
_BYTES = re.compile(r"([0-9]{1,19})(GiB|GB|MiB|MB|KiB|KB|B)?\Z", re.ASCII)


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


def parse_bytes(text: str) -> int:
    """Return a size such as ``"64MB"``, ``"64MiB"`` or ``"512"`` in bytes; raises ValueError."""
    match = _BYTES.match(text)
    if match is None:
        raise ValueError(f"not a size in bytes: {text[:32]!r}")
    return int(match[1]) * _UNITS_BYTES[match[2] or "B"]


def format_bytes(size: int) -> str:
    """Return bytes as the shortest exact text: ``64_000_000`` → ``"64MB"``."""
    if size == 0:
        return "0B"
    return min(
        (f"{size // unit}{name}" for name, unit in _UNITS_BYTES.items() if size % unit == 0),
        key=len,
    )
