"""What was seen lately of each instrument: decayed sums, from which rotation learns what became busy and what calmed.

A sum forgets by the clock, half of it in HALF_LIFE, since a market that was busy yesterday need not be today, and by
what is seen of it, half in OBSERVED_HALF_LIFE of observed time: of an instrument that is recorded all the time the last
half an hour tells more than the hours before it. Pure; times in ns UTC.
"""

from collections.abc import Mapping
from heapq import nlargest
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName

SECOND: Final = 1_000_000_000

HALF_LIFE: Final = 7_200 * SECOND
"""After how long (ns) what was seen counts half."""

OBSERVED_HALF_LIFE: Final = 900 * SECOND
"""After how much observed time (ns) of an instrument what was seen of it before counts half."""

LEAST_SECONDS: Final = 5.0
"""Sums of fewer decayed seconds are forgotten: those of one period of five minutes after some twelve hours."""

SUMS_MAX: Final = 20_000
"""Instruments whose sums are kept, those with most decayed seconds: 3 MB."""


class Activity(Struct, frozen=True, gc=False):
    """What was seen of an instrument in ``seconds`` of covered time: changed levels, trades and their dollars."""

    seconds: float = 0.0
    updates: float = 0.0
    trades: float = 0.0
    dollars: float = 0.0

    def weighted(self, weight: float) -> "Activity":
        """Return this times ``weight``."""
        return Activity(self.seconds * weight, self.updates * weight, self.trades * weight, self.dollars * weight)

    def plus(self, other: "Activity") -> "Activity":
        """Return the sums of both."""
        return Activity(
            self.seconds + other.seconds,
            self.updates + other.updates,
            self.trades + other.trades,
            self.dollars + other.dollars,
        )


class RecentActivity:
    """The decayed sums of the instruments that were recorded lately, at most SUMS_MAX."""

    def __init__(self) -> None:
        self._sums: dict[InstrumentKey, Activity] = {}
        self._at = 0

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, seen: Mapping[InstrumentKey, Activity], now: int) -> None:
        """Let the time up to ``now`` pass and add what was seen in it; an earlier ``now`` counts as the one before."""
        passed, self._at = max(0, now - self._at) if self._at else 0, max(now, self._at)
        kept = 0.5 ** (passed / HALF_LIFE)
        sums = {key: each.weighted(kept) for key, each in self._sums.items() if each.seconds * kept >= LEAST_SECONDS}
        for key, each in seen.items():
            if each.seconds > 0:
                remembered, counted = _weights(each.seconds)
                before = sums.get(key)
                fresh = each.weighted(counted)
                sums[key] = fresh if before is None else before.weighted(remembered).plus(fresh)
        if len(sums) > SUMS_MAX:
            sums = dict(nlargest(SUMS_MAX, sums.items(), key=lambda item: (item[1].seconds, item[0])))
        self._sums = sums

    def packed(self) -> bytes:
        """Return the sums as ``restore`` takes them."""
        rows = (
            (_text(key.market_id), _text(key.instrument_id), each.seconds, each.updates, each.trades, each.dollars)
            for key, each in self._sums.items()
        )
        return _ENCODER.encode((self._at, list(rows)))

    def restore(self, packed: bytes, venue: VenueName) -> None:
        """Go on with the sums of an earlier run of ``venue``, as old as they are by now.

        Raises msgspec.MsgspecError, and then forgets nothing.
        """
        at, rows = _DECODER.decode(packed)
        sums = {InstrumentKey(venue, MarketId(m), InstrumentId(i)): Activity(*counted) for m, i, *counted in rows}
        self._at, self._sums = at, sums

    def known(self) -> Mapping[InstrumentKey, Activity]:
        """Return the sums as of the last ``add``; later ones do not change what is returned."""
        return self._sums


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[int, list[tuple[str, str, float, float, float, float]]])


def _text(name: str) -> str:
    """Return ``name`` in a form that has UTF-8, which a lone surrogate has not."""
    return name.encode("utf-8", "backslashreplace").decode()


def _weights(seconds: float) -> tuple[float, float]:
    """Return what earlier sums count after ``seconds`` more were seen, and what these count on average themselves."""
    remembered = 0.5 ** (seconds * SECOND / OBSERVED_HALF_LIFE)
    return remembered, (1 - remembered) / (seconds * SECOND / OBSERVED_HALF_LIFE * 0.6931471805599453)
