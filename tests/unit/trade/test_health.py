"""A trader is well while it decides, is not halted, and every venue is connected."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from predsurv.core.events import Connected, Disconnected, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock
from predsurv.telemetry.health import RunHealth
from predsurv.trade.health import STUCK_AFTER, FeedWatch
from predsurv.trade.stats import RunStats

ONE, TWO = VenueName("one"), VenueName("two")
S = 1_000_000_000


def health(watch: FeedWatch, trading: str = "active") -> RunHealth:
    return watch.health(cast(Any, SimpleNamespace(control=SimpleNamespace(trading=trading))), RunStats())


def causes(run: RunHealth) -> dict[str, Sequence[str]]:
    return {each.venue: list(each.causes) for each in run.venues}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ["not connected yet"]),
        ([Connected(ONE, 1, 1, 1)], []),
        ([Connected(ONE, 1, 1, 1), Connected(ONE, 1, 2, 2), Disconnected(ONE, 2, 1, 1, "reset")], []),
        ([Connected(ONE, 1, 1, 1), Disconnected(ONE, 2, 1, 0, "reset")], ["blind: no connection is open"]),
    ],
)
def test_each_venue_has_to_be_connected(events: list[MarketEvent], expected: list[str]) -> None:
    watch = FeedWatch([ONE, TWO], ManualClock())
    watch.on_batch(TWO, [Connected(TWO, 1, 1, 1)])
    if events:
        watch.on_batch(ONE, events)
    assert causes(health(watch)) == {"one": expected, "two": []}


def test_halted_trading_is_not_well() -> None:
    assert "halted" in health(FeedWatch([], ManualClock()), "halted").causes[0]
    assert health(FeedWatch([], ManualClock()), "reducing").causes == ()


async def test_a_controller_without_a_turn_is_stuck_and_ages_go_on() -> None:
    clock = ManualClock()
    watch = FeedWatch([ONE], clock)
    watch.on_batch(ONE, [Connected(ONE, 1, 1, 1)])
    await clock.advance(STUCK_AFTER)
    assert health(watch).stuck is None
    await clock.advance(S)
    run = health(watch)
    assert run.stuck == "nothing has been decided for 6.0 s"
    assert run.venues[0].fields["last_event_age_s"] == 6.0
    watch.on_turn()
    assert health(watch).stuck is None
