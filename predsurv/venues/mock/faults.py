"""The script of what goes wrong: ``drop@5s``, ``freeze@12s:3s`` …

Kept apart because it is a little language of its own, read from the configuration before anything
starts.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct

from predsurv.config.units import parse_duration
from predsurv.core.errors import ConfigError

FaultKind = Literal["drop", "gap", "freeze", "malformed", "overflow", "unknown", "timeout"]

_FORM = re.compile(r"([a-z]+)@([0-9.a-z]+)(?::([0-9.a-z]+))?\Z", re.ASCII)
_LASTS: Final[dict[FaultKind, int]] = {"drop": 500_000_000, "freeze": 3_000_000_000}
FAULTS_MAX: Final = 1_000


class MockFault(Struct, frozen=True, order=True):
    """``kind`` happens ``at`` ns after the session's start; ``lasts`` ns where that means anything."""

    at: int
    kind: FaultKind
    lasts: int = 0


def parse_faults(texts: Iterable[str]) -> tuple[MockFault, ...]:
    """Return the faults in order of time; raises ConfigError naming the text that is none."""
    faults = sorted(_parse(text) for text in texts)
    if len(faults) > FAULTS_MAX:
        raise ConfigError(f"mock.faults: {len(faults)} entries, at most {FAULTS_MAX} are possible; remove some")
    return tuple(faults)


def _parse(text: str) -> MockFault:
    match = _FORM.match(text.strip())
    kind = next((known for known in get_args(FaultKind) if match is not None and known == match[1]), None)
    if match is None or kind is None or (match[3] is not None and kind not in _LASTS):
        raise _wrong(text)
    try:
        at = parse_duration(match[2])
        lasts = parse_duration(match[3]) if match[3] is not None else _LASTS.get(kind, 0)
    except ValueError:
        raise _wrong(text) from None
    return MockFault(at, kind, lasts)


def _wrong(text: str) -> ConfigError:
    forms = ", ".join(f'"{kind}@5s:3s"' if kind in _LASTS else f'"{kind}@5s"' for kind in get_args(FaultKind))
    return ConfigError(f"mock.faults: {text[:64]!r} is not a fault; write one of {forms} (the part after ':' may go)")
