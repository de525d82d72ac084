"""What is claimed of time whose records turned out to be lost, and how it is taken back.

Kept apart because a claim may stand in another segment than its records: that of an instrument
which left is written later, and must not outlive what it speaks of.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName
from predsurv.core.records import Coverage

FOREVER: Final = 2**63 - 1

LOSSES_MAX: Final = 64
"""Losses that are remembered: claims about older ones were sealed long ago."""


class LostIntervals:
    """Lost times; ``amend`` is what sealing asks about every coverage record."""

    def __init__(self) -> None:
        self._spans: deque[tuple[Mapping[VenueName, int], int]] = deque(maxlen=LOSSES_MAX)

    def add(self, since: Mapping[VenueName, int], until: int = FOREVER) -> None:
        """Let nothing be known of the time from ``since`` (ns UTC by venue, else from ever) to before ``until``."""
        self._spans.append((since, until))

    def end(self, until: int) -> None:
        """Let what was lost, of those whose end is not known, be the time to before ``until`` (ns UTC)."""
        for number, (since, end) in enumerate(self._spans):
            if end == FOREVER:
                self._spans[number] = since, until

    def amend(self, claim: Coverage) -> list[Coverage]:
        """Return ``claim`` in as many pieces as it takes, those of lost time as ``crash`` gaps."""
        claims = [claim]
        for since, until in self._spans:
            claims = retract(claims, since.get(claim.key.venue, 0), until=until)
        return claims


def retract(
    claims: Iterable[Coverage], since: int, reason: GapReason = "crash", until: int = FOREVER
) -> list[Coverage]:
    """Return ``claims`` without any of what was between ``since`` and before ``until``: its records are lost."""
    kept: list[Coverage] = []
    for claim in claims:
        begin, end = max(claim.start, since), min(claim.end, until)
        if claim.state == "gap" or begin >= end:
            kept.append(claim)
            continue
        if claim.start < begin:
            kept.append(replace(claim, end=begin))
        kept.append(Coverage(claim.key, begin, end, "gap", reason, claim.epoch, claim.inclusion))
        if end < claim.end:
            kept.append(replace(claim, start=end))
    return kept
