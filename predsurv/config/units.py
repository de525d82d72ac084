"""Sizes as text with a unit, exact in both directions: ``"64MB"`` as bytes."""

import re
from typing import Final

_UNITS_BYTES: Final = {
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "KB": 10**3,
    "B": 1,
}
_BYTES = re.compile(r"([0-9]{1,19})(GiB|GB|MiB|MB|KiB|KB|B)?\Z", re.ASCII)


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
