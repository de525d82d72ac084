"""A group counts what was matched within its window, and says once that it has had enough."""

from predsurv.simulate.kalshi.trading.groups import WINDOW, KalshiOrderGroup


def test_what_was_matched_longer_ago_than_the_window_is_forgotten() -> None:
    group = KalshiOrderGroup("a group", 1_000)
    assert not group.match(600, 1)
    assert not group.match(600, 1 + WINDOW)
    assert not group.is_triggered
    assert group.match(400, WINDOW + WINDOW)
    assert group.is_triggered


def test_a_group_is_triggered_once_until_it_is_reset() -> None:
    group = KalshiOrderGroup("a group", 1_000)
    assert group.match(1_000, 1)
    assert not group.match(1_000, 2)
    group.reset()
    assert not group.match(999, 3), "what was matched before is forgotten"
    assert group.match(1, 4)
