"""Order groups: what is matched within 15 seconds is limited by the exchange itself."""

from collections import deque
from typing import Final

WINDOW: Final = 15_000_000_000
"""The time over which contracts are counted (ns)."""


class KalshiOrderGroup:
    """A group on a shard, with its limit (hundredths of contracts).

    ``is_triggered``: it takes no order until it is reset.
    """

    __slots__ = ("_matched", "group_id", "is_triggered", "limit", "shard")

    def __init__(self, group_id: str, limit: int, shard: int = 0) -> None:
        self.group_id = group_id
        self.shard = shard
        self.limit = limit
        self.is_triggered = False
        self._matched: deque[tuple[int, int]] = deque()  # time (ns UTC) and contracts

    def match(self, count: int, now: int) -> bool:
        """Count contracts that were matched at ``now`` (ns UTC); return whether that triggers the group."""
        self._matched.append((now, count))
        while self._matched and self._matched[0][0] <= now - WINDOW:
            self._matched.popleft()
        if self.is_triggered or sum(each for _, each in self._matched) < self.limit:
            return False
        self.is_triggered = True
        return True

    def reset(self) -> None:
        """Take orders again, and forget what was matched."""
        self.is_triggered = False
        self._matched.clear()
