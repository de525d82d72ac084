"""What is told of orders that risk refused: the first at once, the same again as a number.

A strategy may ask for the same a hundred times a second; fills must not be lost among the refusals.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from predsurv.core.orders import Refused

PATIENCE: Final = 5_000_000_000
"""Time (ns) for which refusals of one strategy for one reason are only counted after one was told."""


class RefusalLines:
    """The refusals that are told, by strategy and reason."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], int] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def of(self, refusals: Iterable[Refused]) -> Iterator[tuple[Refused, int]]:
        """Yield each refusal that is to be told, and how many of its kind were not told since the one before."""
        for refused in refusals:
            kind = refused.intent.strategy, refused.reason
            if refused.ts - self._told.get(kind, -PATIENCE) < PATIENCE:
                self._untold[kind] = self._untold.get(kind, 0) + 1
            else:
                self._told[kind] = refused.ts
                yield refused, self._untold.pop(kind, 0)
