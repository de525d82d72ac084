"""Venue text in one spelling: what the date grammar, the quantities and the word comparison read.

Case, accents, quotes, dashes and spaces go; signs, digits, ``<``, ``>``, ``+``, ``$``, ``%`` and the small words that
decide a contract ("by", "before", "above", "not") stay.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from predsurv.core.text import REPLACEMENT, sanitise
from predsurv.mapping.vocabulary import PHRASES, STOP_WORDS, WORDS

TITLE_CHARS_MAX: Final = 600
RULES_CHARS_MAX: Final = 16_384

_SPELLINGS: Final = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "ʼ": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": "-",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "ø": "o",
        "ł": "l",
    }
    | {
        "≥": ">=",
        "≤": "<=",
        "º": "°",
        "\u00a0": " ",
        "\n": " ",
        "\t": " ",
        "\r": " ",
        "đ": "d",
        "æ": "ae",
        "…": " ... ",
    }
)
_SPACES: Final = re.compile(r"\s+")
_TOKEN: Final = re.compile(
    r"[0-9]+(?:st|nd|rd|th)\b|[a-z]{1,2}[0-9]{1,2}\b|#?[0-9][0-9,]*(?:\.[0-9]+)?|[a-z](?:\.[a-z])+\.?|[^\W\d_]+(?:'[a-z]{1,2}\b)?"
)

_EDITION: Final = re.compile(
    r"\b([0-9]{2})(?:st|nd|rd|th) (?:annual )?(?=(academy|grammy|golden globe|(?:primetime )?emmy))"
)
_YEAR_BEFORE_FIRST: Final = {
    "academy": 1928,
    "grammy": 1958,
    "golden globe": 1943,
    "emmy": 1948,
    "primetime emmy": 1948,
}
"""What an edition of an award is counted from: the 98th Academy Awards are those of 2026."""


def normalise(text: str, limit: int = TITLE_CHARS_MAX) -> str:
    """Return ``text`` folded, at most ``limit`` characters of it; never fails, whatever the venue sent."""
    clean = sanitise(text[:limit].translate(_SPELLINGS), limit).replace(REPLACEMENT, " ")
    if not clean.isascii():
        kept = clean.replace("°", "\0")
        decomposed = unicodedata.normalize("NFKD", kept)
        clean = "".join(each for each in decomposed if not unicodedata.combining(each)).replace("\0", "°")
    folded = _SPACES.sub(" ", clean.casefold().translate(_SPELLINGS)).strip()
    return _EDITION.sub(lambda found: f"{int(found[1]) + _YEAR_BEFORE_FIRST[found[2]]} ", folded)


def raw_words(text: str) -> list[str]:
    """Return the words and numbers of a normalised text in order, possessives and dots of abbreviations dropped."""
    return [_plain(each) for each in _TOKEN.findall(text)]


def words(text: str) -> tuple[str, ...]:
    """Return the canonical words of a normalised text: phrases and synonyms replaced, small words dropped."""
    return tuple(each for each in _merged(raw_words(text)) if each not in STOP_WORDS)


def _merged(raw: list[str]) -> list[str]:
    """Replace every phrase of the vocabulary, longest first, and every word by its canonical form."""
    found: list[str] = []
    index = 0
    while index < len(raw):
        word = raw[index]
        for phrase, canonical in PHRASES.get(word, ()):
            if tuple(raw[index : index + len(phrase)]) == phrase:
                found.extend(map(canonical_word, canonical))
                index += len(phrase)
                break
        else:
            found.append(canonical_word(word))
            index += 1
    return found


@lru_cache(maxsize=200_000)
def canonical_word(word: str) -> str:
    """Return the canonical form of one word: its synonym, or itself without the ending of a plural."""
    if word in WORDS:
        return WORDS[word]
    stem = _singular(word)
    return WORDS.get(stem, stem)


def _singular(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]


@lru_cache(maxsize=200_000)
def _plain(token: str) -> str:
    token = token.removesuffix("'s").replace("'", "")
    return token.replace(".", "") if not token[0].isdigit() and token[0] != "#" else token.replace(",", "")
