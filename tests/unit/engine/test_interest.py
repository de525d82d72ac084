"""The default interest is everything that a strategy was always told."""

from predsurv.engine.interest import EVERY_MARKET, EVERYTHING, Interest


def test_the_default_is_everything_but_coverage() -> None:
    assert Interest() == EVERYTHING
    assert (EVERYTHING.books, EVERYTHING.interval, EVERYTHING.where, EVERYTHING.where_event) == (
        "change",
        0,
        None,
        None,
    )
    assert (EVERYTHING.trades, EVERYTHING.ticks, EVERYTHING.coverage) == (True, True, False)
    assert EVERYTHING.markets is EVERY_MARKET
