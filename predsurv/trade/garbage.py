"""The collector of garbage while a run trades in real time: it works in idle moments, not between event and order.

By itself Python collects whenever some hundred objects more were made than let go, which is most often while an event
is worked on; a collection took up to several times as long as everything else from an event to its order
(``python -m benchmarks.live``).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_MAX: Final = 50_000
"""Objects made and not let go from which on Python collects by itself, busy or not."""
YOUNG_MIN: Final = 200
"""So many are worth a collection in an idle moment."""
MIDDLE_EVERY: Final = 20
"""Every so manieth collection of an idle moment takes in what survived the last ones, too."""
FULL_EVERY: Final = 2_000
"""Every so manieth takes in everything made since the run began: about one in some minutes."""


class IdleCollection:
    """Collects in the moments that its owner calls idle."""

    def __init__(self) -> None:
        self._done = 0

    def on_idle(self) -> None:
        """Collect what is worth it: well below a millisecond, but for one call in thousands."""
        if gc.get_count()[0] < YOUNG_MIN:
            return
        self._done += 1
        gc.collect(2 if not self._done % FULL_EVERY else 1 if not self._done % MIDDLE_EVERY else 0)


@contextmanager
def collecting_when_idle() -> Iterator[IdleCollection]:
    """Let Python collect rarely by itself; yield what does it instead.

    What exists by now is not looked at again until the end: it is there for as long as the run is.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, before[1], before[2])
    try:
        yield IdleCollection()
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
