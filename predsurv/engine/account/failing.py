"""Failures of fills, told in any order: what was sold can fail after what it was bought with."""

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import FillFailed
from predsurv.engine.account.portfolio import FailedFill, Portfolio


class FailingFills:
    """Takes failed fills back from ``portfolio``, those that shares do not allow yet once the sale has failed too."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._waiting: list[FillFailed] = []

    def on_failure(self, event: FillFailed) -> tuple[FailedFill, ...]:
        """Return the fills that can be taken back now, and were; nothing for a fill that was never told."""
        if self._portfolio.unconfirmed.find(event.key, event.trade_id) is None:
            return ()
        self._waiting.append(event)
        found: list[FailedFill] = []
        while taken := next(filter(None, map(self._taken_back, tuple(self._waiting))), None):
            found.append(taken)
        return tuple(found)

    def _taken_back(self, event: FillFailed) -> FailedFill | None:
        try:
            failed = self._portfolio.fail(event.key, event.trade_id)
        except BrokenInvariant:
            return None
        self._waiting.remove(event)
        return failed
