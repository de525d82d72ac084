"""The day's loss and its limit: whether it stands there, and what is held would have to be worth for that.

Separate from what is done about it, because a compiled replay looks at the same limit without a tick.
"""

from typing import Final

from predsurv.core.num import Money
from predsurv.engine.risk.state import RiskState

LOSS_STANDS: Final = 10_000_000_000
"""How long (ns) the day's loss has to stand at its limit before only sales are sent for the rest of the day."""


class DailyLossLimit:
    """The most that a UTC day may lose, micros. ``since``: when it had lost that (ns UTC), None while it has not."""

    def __init__(self, risk: RiskState, most: Money) -> None:
        self._risk, self._most = risk, most
        self.since: int | None = None

    @property
    def watched(self) -> bool:
        """Return whether ``stands`` has to be asked at each tick: what is held could lose as much as is allowed."""
        if self._risk.lost_too_much:
            return False
        return self.since is not None or self._risk.valuation.day_loss_max() >= self._most

    @property
    def worth(self) -> int:
        """Return what everything held is worth at most, micros, when the day's loss is at its limit."""
        return self._risk.valuation.worth_at_loss(self._most)

    def stands(self) -> bool:
        """Return whether the loss has been at its limit for LOSS_STANDS: a book may be without bids for once."""
        valuation = self._risk.valuation
        if valuation.day_loss_max() < self._most or valuation.day_loss() < self._most:
            self.since = None
            return False
        if self.since is None:
            self.since = self._risk.now
        return self._risk.now - self.since >= LOSS_STANDS
