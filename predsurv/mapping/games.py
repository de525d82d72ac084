"""Games in identifiers: Kalshi's ``KXNBAGAME-26FEB25OKCDET-OKC`` and Polymarket's ``nba-okc-det-2026-02-25``."""

import re
from datetime import date
from typing import Final

from msgspec import Struct

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TICKER: Final = re.compile(
    r"(?:KX)?(?P<series>[A-Z0-9]+)-(?P<year>[2-4][0-9])"  # of 2020 to 2049: other digits are a number, no year
    r"(?:(?P<month>[A-Z]{3})(?P<day>[0-9]{2})?(?P<time>[0-9]{4})?|(?![0-9]))(?P<teams>[A-Z0-9]*)(?:-(?P<rest>.*))?\Z"
)
_DOUBLEHEADERS: Final = ("MLB", "KBO", "NPB")
"""Beginnings of series whose teams may meet twice a day; elsewhere "G2" is a team."""
_GAME_OF_DAY: Final = re.compile(r"(?P<teams>.+)G(?P<number>[12])\Z")
_SLUG: Final = re.compile(
    r"(?P<league>[a-z0-9]+)-(?P<one>[a-z0-9]+)-(?P<two>[a-z0-9]+)-(?P<date>20[0-9]{2}-[01][0-9]-[0-3][0-9])(?:-(?P<rest>.*))?\Z"
)
_WINNER: Final = ("GAME", "MATCH", "FIGHT")
_BETS: Final = {"SPREAD": "spread", "TOTAL": "total", "MAP": "part", "1H": "part", "BTTS": "both score", "SET": "part"}
_COMBOS: Final = ("MVE", "COMBO", "PARLAY", "MULTIGAME")
_LEAGUES: Final = {
    "es2": "laliga2",
    "bun": "bundesliga",
    "lal": "laliga",
    "sea": "seriea",
    "fl1": "ligue1",
    "efa": "facup",
    "cbb": "ncaamb",
    "cwbb": "ncaawb",
    "cfb": "ncaaf",
    "csgo": "cs2",
    "wta": "wta",
    "atp": "atp",
    "bl2": "bundesliga2",
    "ere": "eredivisie",
    "por": "ligaportugal",
    "mex": "ligamx",
    "arg": "argpremdiv",
    "itc": "coppaitalia",
    "cdr": "copadelrey",
    "uel": "uel",
}


class Game(Struct, frozen=True):
    """A game by its identifier: ``teams`` as codes, ``day`` as ordinal; ``bet`` is "winner" or what else is bet on.

    ``number``: which of two games of a day, None where that is not said.
    """

    league: str
    teams: tuple[str, ...]
    day: int | None
    bet: str
    number: int | None = None


class TickerDate(Struct, frozen=True):
    """The date in a ticker, as far as it has one."""

    year: int
    month: int | None = None
    day: int | None = None


def is_combination(ticker: str) -> bool:
    """Return whether a Kalshi ticker is of a combination of markets."""
    series = ticker.upper().partition("-")[0]
    return any(mark in series for mark in _COMBOS)


def ticker_date(ticker: str) -> TickerDate | None:
    """Return the date of the event in a Kalshi ticker, None where it has none."""
    match = _TICKER.match(ticker.upper())
    if match is None:
        return None
    month = _MONTHS.index(match["month"]) + 1 if match["month"] in _MONTHS else None
    return TickerDate(2000 + int(match["year"]), month, int(match["day"]) if month and match["day"] else None)


def kalshi_game(ticker: str) -> Game | None:
    """Return the game of a Kalshi ticker, None where it is not one of a game."""
    match = _TICKER.match(ticker.upper())
    if match is None or match["month"] not in _MONTHS or not match["day"]:
        return None
    series, bet = match["series"], None
    for mark in _WINNER:
        if series.endswith(mark):
            series, bet = series.removesuffix(mark), "winner"
    for mark, name in _BETS.items():
        if bet is None and series.endswith(mark):
            series, bet = series.removesuffix(mark), name
    if is_combination(ticker):
        bet = "combination"
    if bet is None or not match["teams"]:
        return None
    numbered = _GAME_OF_DAY.match(match["teams"]) if series.startswith(_DOUBLEHEADERS) else None
    teams, number = (match["teams"], None) if numbered is None else (numbered["teams"], int(numbered["number"]))
    day = _ordinal(2000 + int(match["year"]), _MONTHS.index(match["month"]) + 1, int(match["day"]))
    return Game(series.lower(), (teams.lower(),), day, bet, number)


def polymarket_game(slug: str, market_type: str) -> Game | None:
    """Return the game of a Polymarket slug, None where it is not one; ``market_type`` as in ``sportsMarketType``."""
    match = _SLUG.match(slug.lower())
    if match is None:
        return None
    year, month, day = map(int, match["date"].split("-"))
    league = _LEAGUES.get(match["league"], match["league"])
    bet = "winner" if market_type in ("moneyline", "", "child_moneyline") else market_type.removesuffix("s")
    number = re.search(r"\bgame-?([12])\b", match["rest"] or "")
    return Game(league, (match["one"], match["two"]), _ordinal(year, month, day), bet, number and int(number[1]))


def game_conflict(kalshi: Game, polymarket: Game) -> str | None:
    """Return what tells the two games apart, None where nothing does."""
    if kalshi.bet != polymarket.bet:
        return f"bet: {kalshi.bet} against {polymarket.bet}"
    if kalshi.league != polymarket.league:
        return f"league: {kalshi.league} against {polymarket.league}"
    if kalshi.day != polymarket.day:
        return f"day: {_iso(kalshi.day)} against {_iso(polymarket.day)}"
    if not _teams_agree(kalshi.teams[0], polymarket.teams):
        return f"teams: {kalshi.teams[0]} against {' and '.join(polymarket.teams)}"
    if (kalshi.number or 1) != (polymarket.number or 1):
        return f"game of the day: {kalshi.number or 1} against {polymarket.number or 1}"
    return None


def _teams_agree(both: str, teams: tuple[str, ...]) -> bool:
    """Return whether ``both``, two codes in a row, can be cut into codes of ``teams`` in either order."""
    return any(
        _same_team(both[:cut], one) and _same_team(both[cut:], two)
        for cut in range(2, len(both) - 1)
        for one, two in (teams, teams[::-1])
    )


def _same_team(one: str, other: str) -> bool:
    """Return whether two codes begin alike; a digit that a venue adds to tell namesakes apart does not count."""
    one, other = (each.rstrip("0123456789") or each for each in (one, other))
    return one.startswith(other) or other.startswith(one)


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def _iso(day: int | None) -> str:
    return "no date" if day is None else date.fromordinal(day).isoformat()
