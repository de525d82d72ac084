"""Holds and corrections survive the journal's encoding, each under a tag of its own."""

import msgspec
import pytest

from predsurv.core.ids import StrategyName
from predsurv.core.num import Money, Size
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, ReconciliationEvent, TradingHeld
from tests.kit.trading_samples import YES, V


@pytest.mark.parametrize(
    "event",
    [
        TradingHeld(V, 1, "down"),
        CashCorrected(V, 1, Money(-5), "the venue says so"),
        PositionCorrected(YES, 1, StrategyName("me"), Size(3), Money(2), "the venue says so"),
    ],
)
def test_events_are_read_as_they_were_written(event: ReconciliationEvent) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=ReconciliationEvent) == event
