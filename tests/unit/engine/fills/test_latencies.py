"""Latencies are constant, or drawn from the lags that were received, the same in every run."""

from msgspec.structs import replace

from predsurv.core.events import ChannelChange
from predsurv.engine.fills.latencies import LAGS_KEPT_MAX, InTransit, Latencies, LatencyDraws
from tests.kit.trading_samples import MS, START, V, gap, trade


def test_constants_hold_without_recorded_lags() -> None:
    draws = LatencyDraws(Latencies(ack=5))
    draws.observe(replace(trade(50, 1), ts_venue=START - MS))
    assert draws.draw(draws.constant.ack) == 5


def test_recorded_lags_are_drawn_all_of_them_in_a_fixed_order() -> None:
    first, second = (LatencyDraws(Latencies(recorded=True)) for _ in range(2))
    for draws in (first, second):
        draws.observe(trade(50, 1))  # says no time
        draws.observe(gap())
        draws.observe(ChannelChange(V, START, "trades", "live"))
        assert draws.draw(7) == 7
        for lag in range(-1, LAGS_KEPT_MAX):
            draws.observe(replace(trade(50, 1), ts_venue=START - lag))
    drawn = [first.draw(7) for _ in range(LAGS_KEPT_MAX)]
    assert sorted(drawn) == list(range(LAGS_KEPT_MAX)), "of the last ones, the one from the future left out by age"
    assert drawn == [second.draw(7) for _ in range(LAGS_KEPT_MAX)]


def test_messages_arrive_in_order_of_time_and_then_as_sent() -> None:
    messages: InTransit[str] = InTransit()
    for text, at in (("late", 9), ("a", 5), ("b", 5)):
        messages.send(text, at)
    assert (len(messages), messages.next_at) == (3, 5)
    assert [messages.receive() for _ in range(3)] == [(5, "a"), (5, "b"), (9, "late")]
    assert messages.next_at > 1 << 62
