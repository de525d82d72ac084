"""Titles, categories, tags and fee rates of the generated markets.

Some titles are hostile (escape sequences, markup, bidirectional marks), as venues allow them.
"""

import random
from typing import Final

from msgspec import Struct

CATEGORIES: Final = ("politics", "sports", "crypto", "economics", "culture", "weather", "tech", "geopolitics")

FEE_RATES: Final = {
    "politics": 40_000,
    "sports": 50_000,
    "crypto": 70_000,
    "economics": 50_000,
    "culture": 50_000,
    "weather": 50_000,
    "tech": 40_000,
    "geopolitics": 0,
}
"""Taker fee rate by category, micros, as Polymarket charges it (venues/polymarket.md 6)."""

TAGS: Final = {
    "politics": ("elections", "mayors", "parliament", "cabinet"),
    "sports": ("football", "tennis", "cycling", "playoffs"),
    "crypto": ("bitcoin", "ether", "stablecoins", "airdrops"),
    "economics": ("rates", "inflation", "jobs", "earnings"),
    "culture": ("film", "music", "awards", "books"),
    "weather": ("temperature", "storms", "rainfall", "snow"),
    "tech": ("launches", "models", "chips", "mergers"),
    "geopolitics": ("treaties", "summits", "sanctions", "borders"),
}

_PLACES: Final = ("Kelport", "Aldermoor", "Vastra", "Innsworth", "Rovany", "Tessel Bay", "Oskerland", "Dunmarrow")
_NAMES: Final = (
    "A. Okonjo", "B. Lindqvist", "C. Marchetti", "D. Rahimi", "E. Novak", "F. Tanaka", "G. Oyelaran", "H. Sørensen",
    "I. Petrova", "J. Calloway", "K. Mbeki-Rowe", "L. Duarte",
)  # fmt: skip
_TEAMS: Final = (
    "Kelport Rovers", "Vastra United", "Aldermoor Town", "Rovany Stars", "Dunmarrow Athletic", "Tessel Bay FC",
    "Oskerland Wolves", "Innsworth City",
)  # fmt: skip

_BINARY: Final = {
    "politics": "Will the {place} parliament pass the {name} bill by {month}?",
    "sports": "Will {team} win their match on matchday {number}?",
    "crypto": "Will Bitcoin close above ${number},000 at the end of {month}?",
    "economics": "Will {place} inflation come in above {number}.{digit}% for {month}?",
    "culture": "Will {name} release a new album before {month}?",
    "weather": "Will {place} record more than {number} mm of rain in {month}?",
    "tech": "Will the {place} chip plant ship by {month}?",
    "geopolitics": "Will {place} and {other} sign the border treaty by {month}?",
}
_EXCLUSIVE: Final = {
    "politics": ("Who will be elected mayor of {place}?", "Will {label} be elected mayor of {place}?"),
    "sports": ("Who will win the {place} Cup?", "Will {label} win the {place} Cup?"),
    "crypto": ("Where will Ether close in {month}?", "Will Ether close {month} in {label}?"),
    "economics": ("What will the {place} central bank decide in {month}?", "{place} rate in {month}: {label}?"),
    "culture": ("Who wins best picture at {place}?", "Will {label} win best picture at {place}?"),
    "weather": ("Highest temperature in {place} this {month}?", "Highest temperature in {place}: {label}?"),
    "tech": ("Which model tops the {place} leaderboard in {month}?", "Will {label} top the {place} leaderboard?"),
    "geopolitics": ("Who hosts the {month} summit?", "Will {label} host the {month} summit?"),
}
_MONTHS: Final = ("January", "February", "March", "April", "May", "June")
_RANGES: Final = {
    "crypto": ("below $2k", "$2k–2.5k", "$2.5k–3k", "$3k–3.5k", "$3.5k–4k", "$4k–4.5k", "$4.5k–5k", "above $5k"),
    "economics": ("-75 bp", "-50 bp", "-25 bp", "no change", "+25 bp", "+50 bp", "+75 bp", "other"),
    "weather": ("under 20°", "20–22°", "22–24°", "24–26°", "26–28°", "28–30°", "30–32°", "above 32°"),
}
_PEOPLE: Final = {"sports": _TEAMS, "geopolitics": _PLACES}

HOSTILE: Final = (
    "\x1b[31mWill this title turn your terminal red?\x1b[0m\x1b]0;owned\x07",
    "Will [bold]markup[/bold] and [/oops] survive?",
    "Will \u202eeman siht\u202c read right to left?",
    "Will a title\nwith new\r\nlines\tand tabs fit a table?",
    '=HYPERLINK("http://127.0.0.1/","Will <script>alert(\'x\')</script> run?")',
    "Will " + "a very long " * 40 + "title be cut?",
    "Will 🦜 zero\u200bwidth \ufeffmarks and e\u0301\u0301\u0301 stay in place?",
)


class MarketTitle(Struct, frozen=True):
    """The texts of one market group: its headline, one question for each market, one label for each outcome."""

    headline: str
    questions: tuple[str, ...]
    labels: tuple[str, ...]


def binary_title(rng: random.Random, category: str) -> MarketTitle:
    """Return the texts of a binary market."""
    words = _words(rng)
    text = _BINARY[category].format(**words)
    return MarketTitle(text, (text,), ("Yes", "No"))


def exclusive_title(rng: random.Random, category: str, count: int) -> MarketTitle:
    """Return the texts of ``count`` (at most 8) outcomes of which exactly one wins."""
    words = _words(rng)
    headline, question = _EXCLUSIVE[category]
    labels = _labels(rng, category, count)
    questions = tuple(question.format(label=label, **words) for label in labels)
    return MarketTitle(headline.format(**words), questions, labels)


def _labels(rng: random.Random, category: str, count: int) -> tuple[str, ...]:
    ranges = _RANGES.get(category)
    if ranges is not None:
        first = rng.randrange(len(ranges) - count + 1)
        return ranges[first : first + count]
    return tuple(rng.sample(_PEOPLE.get(category, _NAMES), count))


def _words(rng: random.Random) -> dict[str, str]:
    place, other = rng.sample(_PLACES, 2)
    return {
        "place": place,
        "other": other,
        "name": rng.choice(_NAMES),
        "team": rng.choice(_TEAMS),
        "month": rng.choice(_MONTHS),
        "number": str(rng.randrange(2, 140)),
        "digit": str(rng.randrange(10)),
    }
