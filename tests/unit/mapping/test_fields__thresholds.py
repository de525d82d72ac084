"""Thresholds, games and payoffs where one side says less than the other, or can never be."""

import pytest

from predsurv.mapping import fields
from predsurv.mapping.findings import Status
from predsurv.mapping.terms import Listing, Terms, read_terms


def kalshi(title: str) -> Terms:
    return read_terms(Listing("kalshi", "KXSAMPLE", title))


def polymarket(title: str) -> Terms:
    return read_terms(Listing("polymarket", "0x1", title))


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("Will attendance be above 90 in 2026?", "Will attendance be 91 or more in 2026?", "likely"),
        ("Will attendance be above 90 in 2026?", "Will attendance be 92 or more in 2026?", "wider"),
        ("Will Bitcoin be above 90 in 2026?", "Will Bitcoin be 91 or more in 2026?", "wider"),
        ("Bitcoin $150,000 in 2026?", "Will Bitcoin be $150k or higher in 2026?", "likely"),
        ("Bitcoin $150,000 in 2026?", "Will Bitcoin be above $150k in 2026?", "likely"),
        ("Bitcoin $150,000 in 2026?", "Will Bitcoin be below $150k in 2026?", "likely"),
        ("Will Bitcoin be $150k or less in 2026?", "Bitcoin $150,000 in 2026?", "likely"),
        ("Bitcoin $150,000 in 2026?", "Will Bitcoin be exactly $150k in 2026?", "agree"),
        ("Attendance of 90 people in 2026?", "Will attendance be above 90 people in 2026?", "unknown"),
        ("Bitcoin $150,000 in 2026?", "Will Bitcoin be above $160k in 2026?", "conflict"),
        ("CPI between 4.31% and 4.34% in 2026?", "CPI above 4.2% in 2026?", "conflict"),
        ("Will it be above 5% in 2026?", "Will it be above $5 in 2026?", "conflict"),
        ("Will it be above 5% in 2026?", "Will it happen in 2026?", "unknown"),
        ("Will it happen in 2026?", "Will it happen in 2026?", "absent"),
    ],
)
def test_thresholds_are_compared_on_what_the_quantity_can_be(one: str, other: str, status: Status) -> None:
    assert fields.threshold(kalshi(one), polymarket(other)).status == status


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("Will the index be above 90?", "Will the index be 90 or higher?", True),
        ("Will the score be above 90?", "Will the score be 90 or higher?", False),
        ("Will the score be above 90?", "Will the score be 91 or higher?", False),
        ("Will the score be above 90?", "Will the score be 95 or higher?", False),
        ("Will the score be above 90?", "Will they win?", False),
        ("Will they win?", "Will the score be above 90?", False),
    ],
)
def test_intervals_that_differ_by_their_ends_alone_are_told(one: str, other: str, said: bool) -> None:
    assert fields.is_boundary(kalshi(one), polymarket(other)) is said


def test_a_game_that_only_one_side_names_is_unknown_on_the_other() -> None:
    game = read_terms(Listing("kalshi", "KXNBAGAME-26FEB25OKCDET-OKC", ""))
    plain = polymarket("Will Oklahoma City win?")
    assert fields.game(game, plain).status == "unknown"
    assert fields.game(plain, game).status == "unknown"
    assert fields.game(plain, plain).status == "absent"
