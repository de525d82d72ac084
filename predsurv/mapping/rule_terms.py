"""What the rules of a market state beyond its title: who settles it, what a cancelled event pays, in which form it
pays."""

import re
from bisect import bisect_left
from typing import Final

from predsurv.mapping.guarded import GuardedPattern
from predsurv.mapping.normalise import words

SOURCES: Final = {
    "chainlink": r"\bchainlink\b",
    "cf benchmarks": r"\bcf benchmarks?\b|\bbrti\b|\bcme cf\b|\bbrr\b",
    "pyth": r"\bpyth\b",
    "binance": r"\bbinance\b",
    "coinbase": r"\bcoinbase\b",
    "coingecko": r"\bcoingecko\b",
    "coinmarketcap": r"\bcoinmarketcap\b",
    "dexscreener": r"\bdexscreener\b",
    "national weather service": r"\bnational weather service\b|\bnws\b|\bclimatological report\b|\bweather\.gov\b",
    "weather underground": r"\bwunderground\b|\bweather underground\b",
    "weather model": r"\b(?:gfs|ecmwf|hrrr|forecast model|open-meteo)\b",
    "noaa": r"\bnoaa\b",
    "bls": r"\bbureau of labor statistics\b|\bbls\b",
    "bea": r"\bbureau of economic analysis\b|\bbea\b",
    "fed": r"\bfederal reserve\b|\bfederalreserve\.gov\b|\bfomc\b",
    "nber": r"\bnber\b",
    "ap": r"\bassociated press\b|\b(?:the )?ap\b(?=[, ])",
    "edison": r"\bedison research\b|\bddhq\b|\bdecision desk\b",
    "rotten tomatoes": r"\brotten ?tomatoes\b",
    "metacritic": r"\bmetacritic\b",
    "box office mojo": r"\bbox office mojo\b|\bboxofficemojo\b",
    "the numbers": r"\bthe-numbers\.com\b|\bthe numbers\b",
    "billboard": r"\bbillboard\b",
    "spotify": r"\bspotify\b",
    "lmarena": r"\blm ?arena\b|\bchatbot arena\b|\btext arena\b",
    "epoch": r"\bepoch ai\b",
    "oscars": r"\bacademy of motion picture\b|\boscars\.org\b",
    "recording academy": r"\brecording academy\b|\bgrammy\.com\b",
    "league": r"\b(?:the )?(?:nba|nfl|mlb|nhl|wnba|uefa|fifa|ufc|atp|wta|premier league|espn)\b"
        r"|\bofficial (?:league|website|statistics|results)\b|\bgoverning body\b|\b(?:nba|nfl|mlb"
        r"|nhl|espn)\.com\b",
    "party": r"\bdemocratic party sources\b|\bdemocratic party\b|\bdemocratic national"
        r"|\brepublican party sources\b|\brepublican party\b|\brepublican national",
    "white house": r"\bwhite house\b|\bwhitehouse\.gov\b",
    "congress": r"\bcongress\.gov\b|\bsenate\.gov\b|\bhouse\.gov\b|\bclerk of the house\b",
    "opm": r"\bopm\b|\boffice of personnel management\b",
    "tsa": r"\btsa\b",
    "aaa": r"\baaa\b",
    "yahoo finance": r"\byahoo finance\b",
    "nasdaq": r"\bnasdaq\.com\b",
    "tradingview": r"\btradingview\b",
    "nobel": r"\bnobel (?:committee|foundation)\b|\bnobelprize\.org\b",
    "credible reporting": r"\bcredible (?:reporting|sources?|media)\b|\bnew york times\b|\breuters\b"
        r"|\bassociated press\b|\bmajor news\b",
    "government": r"\bofficial (?:government|information|announcement|statement|sources?|election)\b"
        r"|\bgovernment of\b|\belection (?:commission|authorit)\w*",
}  # fmt: skip
_SOURCES: Final = {name: GuardedPattern(pattern) for name, pattern in SOURCES.items()}
_SOURCE_SENTENCE: Final = re.compile(
    r"(?:resolution source|according to|verif\w+ (?:from|by|with)|as reported (?:by|on)"
    r"|reported by|published by|based on|source agenc\w+|outcome verified|data from"
    r"|settle\w* (?:on|by|to)|determined by|using|per the|official)(?:[^.;]|\.(?=\S)){0,220}"
)
_VOIDS: Final = (
    ("half", r"\b50[-/ ]50\b|\bsplit evenly\b|\b50 ?%? each\b|\b\$?0?\.50\b"),
    ("fair price", r"\bfair (?:market )?(?:price|value)\b|\blast (?:traded|fair) price\b"),
    ("no", r"\b(?:cancel\w*|postpon\w*|not (?:held|played|take place))\b[^.]{0,120}\bresolves? to \"?no\b"),
    ("open", r"\b(?:remain open|rescheduled)\b"),
    ("void", r"\b(?:void|refund)\w*"),
)
_VOID: Final = tuple((name, GuardedPattern(pattern)) for name, pattern in _VOIDS)
_BINARY: Final = re.compile(r"\bresolves? to \"?(?:yes|no)\b|\bresolves? \"?(?:yes|no)\b|\bpays? (?:out )?\$1\b")
_SCALAR: Final = re.compile(
    r"\bscalar\b|\bproportion(?:al|ate)\w*\b|\blinear(?:ly)? between\b|\bsettlement floor\b"
    r"|\bfloor of \$?0?\.[0-9]+|\bbounded payout\b"
)
_COMBO: Final = re.compile(r"\ball of the following\b|\bboth of the following\b|\bparlay\b|\bcombo\b|\ball legs\b")


def sources(rules: str) -> frozenset[str]:
    """Return who settles the market by its normalised rules, () where they do not say.

    A source counts in a sentence that speaks of settling; if no sentence does, nobody is taken to settle it.
    """
    told = " ".join(_SOURCE_SENTENCE.findall(rules))
    return frozenset(name for name, pattern in _SOURCES.items() if pattern.found_in(told)) if told else frozenset()


def indices(rules: str) -> frozenset[str]:
    """Return the price indices, stations and charts that normalised rules name anywhere: two of them are two
    contracts."""
    return frozenset(name for name in _INDEX if _SOURCES[name].found_in(rules))


_INDEX: Final = (
    "chainlink", "cf benchmarks", "pyth", "binance", "coinbase", "coingecko", "coinmarketcap", "dexscreener",
    "national weather service", "weather underground", "weather model", "rotten tomatoes", "metacritic",
    "box office mojo", "the numbers", "billboard", "spotify", "lmarena", "epoch",
)  # fmt: skip


def void_rule(rules: str) -> str | None:
    """Return what a cancelled event pays by normalised rules, None where they are silent."""
    return next((name for name, pattern in _VOID if pattern.found_in(rules)), None)


def payoff(rules: str, market_type: str) -> str | None:
    """Return ``binary``, ``scalar`` or ``combination``; None where neither rules nor venue say so."""
    if market_type not in ("", "binary"):
        return "combination" if "combo" in market_type else "scalar"
    if _COMBO.search(rules):
        return "combination"
    if _SCALAR.search(rules):
        return "scalar"
    return "binary" if market_type == "binary" or _BINARY.search(rules) else None


_STATION: Final = re.compile(
    r"\b(k[a-z]{3})\b|\b(central park|laguardia|jfk|o'?hare|midway|los angeles international"
    r"|lax|miami international|austin[- ]bergstrom|denver international|heathrow"
    r"|london city)\b"
)
_STATIONS: Final = {
    "klga": "laguardia",
    "knyc": "central park",
    "kjfk": "jfk",
    "kord": "ohare",
    "kmdw": "midway",
    "klax": "lax",
}


def stations(rules: str) -> frozenset[str]:
    """Return the weather stations that normalised rules name."""
    found = {(code or name).replace("'", "") for code, name in _STATION.findall(rules)}
    known = (
        set(_STATIONS.values())
        | set(_STATIONS)
        | {"miami international", "denver international", "heathrow", "london city"}
    )
    return frozenset(_STATIONS.get(each, each) for each in found if each in known)


def rule_words(rules: str) -> tuple[str, ...]:
    """Return the canonical words of normalised rules, each once, sorted: less memory than a set."""
    return tuple(sorted(set(words(rules))))


def has_word(sorted_words: tuple[str, ...], word: str) -> bool:
    """Return whether a word is among sorted ones."""
    index = bisect_left(sorted_words, word)
    return index < len(sorted_words) and sorted_words[index] == word
