"""Games and dates in identifiers."""

import pytest

from predsurv.mapping.games import TickerDate, game_conflict, kalshi_game, polymarket_game, ticker_date


@pytest.mark.parametrize(
    ("ticker", "date"),
    [
        ("KXPRESNOMD-28-AOC", TickerDate(2028)),
        ("KXRT-WIC", None),
        ("KXBTCD-26MAR1112-T64000", TickerDate(2026, 3, 11)),
        ("KXBTC15M-26MAR120530-BTC", TickerDate(2026, 3, 12)),
        ("KXMADUROOUT-26FEB01", TickerDate(2026, 2, 1)),
        ("KXCRYPTO-0012", None),  # a number of four digits is no year
        ("KXCRYPTO-2612", None),
        ("KXVOTES-60", None),  # markets do not run for decades
    ],
)
def test_a_ticker_has_the_date_that_it_states_and_no_other(ticker: str, date: TickerDate | None) -> None:
    assert ticker_date(ticker) == date


def test_the_second_game_of_a_day_is_told_from_the_first() -> None:
    second = kalshi_game("KXMLBGAME-25JUN011905NYYBOSG2-NYY")
    assert second is not None
    assert (second.teams, second.number) == (("nyybos",), 2)
    first, other = (polymarket_game(f"mlb-nyy-bos-2025-06-01{tail}", "moneyline") for tail in ("", "-game-2"))
    assert first is not None
    assert other is not None
    assert game_conflict(second, first) == "game of the day: 2 against 1"
    assert game_conflict(second, other) is None


def test_a_team_that_is_called_g2_is_a_team() -> None:
    game = kalshi_game("KXLOLGAME-26FEB28T1G2-G2")
    assert game is not None
    assert (game.teams, game.number) == (("t1g2",), None)
