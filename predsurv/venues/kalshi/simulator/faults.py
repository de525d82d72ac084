"""The script of what the simulator does wrong: ``drop@5s``, ``freeze@12s:3s`` …

Kept apart because it is a little language of its own, read before anything starts.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct

from predsurv.config.kinds import parse_duration
from predsurv.core.errors import ConfigError

FaultKind = Literal[
    "drop",  # connections end without a word; no new ones for a while
    "freeze",  # connections stay open and say nothing more
    "gap",  # the next numbered frame of each connection never arrives
    "duplicate",  # … arrives twice
    "reorder",  # … arrives after the one that follows it
    "negative",  # a change that takes more than there is
    "malformed",  # a frame that is no JSON
    "unknown",  # a frame of a kind that nobody knows
    "error10",  # the books' subscription ends: channel error
    "error25",  # … ends: the client is too slow
    "error26",  # the next subscription is refused: too many markets
    "handshake401",
    "handshake429",
    "rest429",  # REST answers so for a while, without Retry-After
    "rest500",
    "html",  # REST answers with a page and 200
    "truncated",  # REST breaks its answers off
]

KINDS: Final[tuple[str, ...]] = get_args(FaultKind)
LASTING: Final[frozenset[str]] = frozenset(
    {"drop", "freeze", "handshake401", "handshake429", "rest429", "rest500", "html", "truncated"}
)
LASTS: Final = 2_000_000_000
FAULTS_MAX: Final = 10_000

_FORM = re.compile(r"([a-z0-9]+)@([0-9.a-z]+)(?::([0-9.a-z]+))?\Z", re.ASCII)


class Fault(Struct, frozen=True, order=True):
    """``kind`` happens ``at`` ns after the start; ``lasts`` ns where that means anything."""

    at: int
    kind: FaultKind
    lasts: int = 0


def parse_faults(texts: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults in order of time; raises ConfigError naming the text that is none."""
    faults = sorted(_parse(text) for text in texts)
    if len(faults) > FAULTS_MAX:
        raise ConfigError(f"{len(faults)} faults, at most {FAULTS_MAX} are possible; remove some")
    return tuple(faults)


def _parse(text: str) -> Fault:
    match = _FORM.match(text.strip())
    kind: FaultKind | None = next((each for each in get_args(FaultKind) if match and each == match[1]), None)
    if match is None or kind is None or (match[3] is not None and kind not in LASTING):
        raise _wrong(text)
    try:
        lasts = parse_duration(match[3]) if match[3] is not None else LASTS if kind in LASTING else 0
        return Fault(parse_duration(match[2]), kind, lasts)
    except ValueError:
        raise _wrong(text) from None


def _wrong(text: str) -> ConfigError:
    forms = ", ".join(f"{kind}@5s:2s" if kind in LASTING else f"{kind}@5s" for kind in KINDS)
    return ConfigError(f"{text[:64]!r} is not a fault; write one of {forms} (the part after ':' may be left out)")
