"""How much CPU time hash verification may take, and what it found.

Time is accounted by estimated costs instead of a clock, so that the same messages at the same times
are always verified the same way.
"""

from typing import Final

from msgspec import Struct

_MS: Final = 1_000_000

# Estimated costs in ns on a slow machine.
MESSAGE_COST: Final = 5_000
"""Applying a message to the venue's books."""
PARSE_COST: Final = 7_000
"""Parsing a message that was kept as a frame, for each KiB begun."""
CHECK_COST: Final = 8_000
"""Hashing a book, without its levels."""
LEVEL_COST: Final = 250
"""Hashing a level."""
TRY_COST: Final = 500
"""Hashing one more text of the last trade price."""

BUDGET_SHARE: Final = 8
"""One part in this many of all time may be spent, over all connections of a feed."""
BUDGET_MAX: Final = 100 * _MS
"""Most time (ns) that can be saved up."""
RESERVE: Final = BUDGET_MAX // 4
"""Time (ns) that searches leave: without it messages could not be applied, and all books would be dropped."""
SEARCH_MAX: Final = 6 * _MS
"""Most time (ns) for searches in one turn: one search with the finest tick size."""


class HashCheckCounts(Struct):
    """Counters of one feed's verification.

    ``matched``: hashes reproduced; ``searched``: those of them with a last trade price that was not
    announced yet. ``mismatched``: books that did not match at the first attempt. ``unverifiable``:
    books whose hash the recipe does not give. ``postponed``: calls that left books for the next one.
    ``alarms``: books reported as wrong. ``overloads``: times that verification was suspended for lack
    of time. ``probed``: books equal to REST's; ``stale``: books newer than REST's; ``differed``: books
    unlike REST's; ``unanswered``: failed REST requests.
    """

    matched: int = 0
    searched: int = 0
    mismatched: int = 0
    unverifiable: int = 0
    postponed: int = 0
    alarms: int = 0
    overloads: int = 0
    probed: int = 0
    stale: int = 0
    differed: int = 0
    unanswered: int = 0


class HashBudget:
    """CPU time for verification, earned as time passes and shared by all connections of a feed."""

    def __init__(self) -> None:
        self._left = BUDGET_MAX
        self._at = 0
        self._searchable = SEARCH_MAX

    def earn(self, now: int) -> None:
        """Begin a turn: add the share of the time that passed until ``now`` (ns, monotonic)."""
        self._left = min(self._left + (now - self._at) // BUDGET_SHARE, BUDGET_MAX)
        self._at = now
        self._searchable = SEARCH_MAX

    @property
    def ample(self) -> bool:
        """Whether at least half of the maximum is left: enough to resume after a suspension."""
        return self._left >= BUDGET_MAX // 2

    @property
    def tries(self) -> int:
        """How many texts may be tried now."""
        return max(min(self._left - RESERVE, self._searchable), 0) // TRY_COST

    def spend(self, cost: int) -> bool:
        """Take ``cost`` ns if they are left; return whether they were."""
        if cost > self._left:
            return False
        self._left -= cost
        return True

    def spend_tries(self, count: int) -> None:
        """Take the time of ``count`` tries, at most ``tries``."""
        self._left -= count * TRY_COST
        self._searchable -= count * TRY_COST
