"""What a comparison of our account with the venue's brings about, as events: holds, and corrections."""

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.num import Money, Size


class TradingHeld(Struct, frozen=True, array_like=True, gc=False, tag="held"):
    """From ``ts_recv`` on nothing is placed at a venue until its account was compared with ours.

    ``reason``: why; "" lifts it.
    """

    venue: VenueName
    ts_recv: int
    reason: str


class CashCorrected(Struct, frozen=True, array_like=True, gc=False, tag="cash"):
    """A venue has ``cash`` (micros) for us, whatever ours added up to: the venue is right."""

    venue: VenueName
    ts_recv: int
    cash: Money
    reason: str


class PositionCorrected(Struct, frozen=True, array_like=True, gc=False, tag="position"):
    """A strategy holds ``size`` shares that cost ``cost`` (micros), whatever ours added up to: the venue is right."""

    key: InstrumentKey
    ts_recv: int
    strategy: StrategyName
    size: Size
    cost: Money
    reason: str


Correction = CashCorrected | PositionCorrected
"""What a comparison with the venue changed in our account."""
ReconciliationEvent = TradingHeld | Correction
