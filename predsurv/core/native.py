"""Which compiled twins may stand in for their Python modules.

Kept apart because all of them are accepted by one rule. A twin (``native/`` beside its module) does the same as the
Python that it stands in for, only faster, and is built at installation where there is a C compiler. Without it, or
with one left over from an earlier version, Python does the work.
"""

from typing import Final, TypeVar

Twin = TypeVar("Twin")

EDITION: Final = 2
"""Counts up with every change of what any twin takes or gives."""


def accepted(twin: Twin | None) -> Twin | None:
    """Return ``twin`` when it was built from these sources' edition, else None."""
    return twin if getattr(twin, "EDITION", None) == EDITION else None
