"""What the simulated exchange as a whole accepts: pauses of trading, and of the exchange with everything on it."""

from datetime import UTC, datetime
from typing import Any, Final

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHARDS: Final = ("Default", "Combos", "Crypto and commodities", "Tennis, baseball, basketball")
_ALL_DAY: Final = [{"open_time": "00:00", "close_time": "00:00"}]
_S: Final = 1_000_000_000
_MIDNIGHT_1970: Final = "1970-01-01T00:00:00Z"
_MIDNIGHT_2100: Final = "2100-01-01T00:00:00Z"

PAUSES: Final = ("pause", "halt")
"""Faults that stop trading: cancels are still accepted in a ``pause``, nothing is in a ``halt``."""


class TradingState:
    """Whether the exchange trades. Books stay as they are while it does not, and nothing trades."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[int, int]] = {}  # start and end, ns UTC

    @property
    def is_open(self) -> bool:
        """Whether orders are accepted and traded."""
        return not self._pauses

    @property
    def is_halted(self) -> bool:
        """Whether the exchange as a whole stands still, so that not even cancels are accepted."""
        return "halt" in self._pauses

    def begin(self, kind: str, now: int, lasts: int) -> None:
        """Begin a pause of a kind of ``PAUSES`` at ``now`` (ns UTC) for ``lasts`` ns."""
        self._pauses[kind] = (now, now + lasts)

    def end(self, now: int) -> bool:
        """End the pauses that are over at ``now`` (ns UTC); return whether trading resumes."""
        was_open = self.is_open
        self._pauses = {kind: each for kind, each in self._pauses.items() if now < each[1]}
        return self.is_open and not was_open

    def status(self) -> dict[str, Any]:
        """Return the body of ``/exchange/status``."""
        active, trading = "halt" not in self._pauses, self.is_open
        state = {"exchange_active": active, "trading_active": trading, "intra_exchange_transfers_active": active}
        shards = [{"exchange_index": index, "description": name, **state} for index, name in enumerate(SHARDS)]
        status: dict[str, Any] = {**state, "exchange_index_statuses": shards}
        resumes = max((end for _, end in self._pauses.values()), default=None)
        return status if resumes is None else {**status, "exchange_estimated_resume_time": _iso(resumes)}

    def schedule(self) -> dict[str, Any]:
        """Return the body of ``/exchange/schedule``: open all week, but for the pauses in progress."""
        week = {"start_time": _MIDNIGHT_1970, "end_time": _MIDNIGHT_2100, **dict.fromkeys(_DAYS, _ALL_DAY)}
        windows = [
            {"start_datetime": _iso(start // _S * _S), "end_datetime": _iso(end)}
            for start, end in self._pauses.values()
        ]
        return {"schedule": {"standard_hours": [week], "maintenance_windows": windows}}


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(-(-ns // 10**9), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
