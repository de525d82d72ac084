from predsurv.simulate.polymarket.history import POINTS_MAX, PriceHistory

S = 1_000_000_000


def test_the_last_trade_of_a_minute_stands_for_it() -> None:
    history = PriceHistory()
    for second, price in ((60, 1), (119, 2), (120, 3)):
        history.add("11", second * S, price, "buy")
    assert history.points("11") == ((119, 2), (120, 3))
    assert history.points("22") == ()
    assert (history.last_side("11"), history.last_side("22")) == ("BUY", "")


def test_price_history_is_bounded() -> None:
    history = PriceHistory()
    for minute in range(POINTS_MAX + 5):
        history.add("11", minute * 60 * S, minute, "sell")
    assert len(history.points("11")) == POINTS_MAX
