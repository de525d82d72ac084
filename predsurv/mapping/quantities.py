"""Thresholds and buckets in a text: "above 90", "90+", "$1.5k to $2k", "-25 bps", as intervals with a unit."""

import re
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.num import MICROS
from predsurv.mapping import intervals
from predsurv.mapping.intervals import Interval

Unit = Literal["usd", "pct", "degree", "time", "count"]
Form = Literal["bound", "range", "exact"]

_NUMBER: Final = (
    r"(?P<{0}sign>[-+](?=[$.0-9]))?(?P<{0}usd>\$)?(?P<{0}num>[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:\s?(?P<{0}mult>k|m|mm|b|bn|t|thousand|million|billion|trillion)\b)?"
    r"\s?(?P<{0}unit>%|percent(?:age points?)?\b|pct\b|pp\b|bps?\b|basis points?\b|°\s?[fc]?\b|°|degrees?\b"
    r"|dollars?\b|cents?\b|hours?\b|days?\b|minutes?\b|weeks?\b|months?\b)?"
)
_ABOVE: Final = r"above|over|more than|greater than|higher than|exceeds?|exceeding|surpass(?:es)?|>"
_AT_LEAST: Final = r"at least|>=|no less than|no fewer than|minimum of|reach(?:es)?|hits?|touch(?:es)?|cross(?:es)?"
_BELOW: Final = r"below|under|less than|fewer than|lower than|<"
_AT_MOST: Final = r"at most|<=|no more than|up to|not more than|(?:dips?|falls?|drops?) (?:down )?(?:to|below)"
_OR_MORE: Final = r"or (?:more|above|higher|greater|over|better|longer|later)\b|and (?:above|over|up)\b|\+"
_OR_LESS: Final = r"or (?:less|below|lower|fewer|under|worse|shorter)\b|and (?:below|under)\b"

_ONE: Final = re.compile(
    rf"(?:(?<![a-z])(?P<above>{_ABOVE})|(?<![a-z])(?P<least>{_AT_LEAST})|(?<![a-z])(?P<below>{_BELOW})"
    rf"|(?<![a-z])(?P<most>{_AT_MOST})"
    rf"|(?P<exact>exactly))?\s?(?<![\w.])(?:a |an )?{_NUMBER.format('')}"
    rf"\s?(?:(?P<more>{_OR_MORE})|(?P<less>{_OR_LESS}))?(?![\w]|\.[0-9])"
)
_RANGE: Final = re.compile(
    rf"(?<![\w.])(?:(?P<between>between|from) )?{_NUMBER.format('l')}\s?(?:-|to|and|through)"
    rf"\s?{_NUMBER.format('h')}(?![\w]|\.[0-9])"
)
_MULTIPLIERS: Final = {
    "k": 3, "thousand": 3, "m": 6, "mm": 6, "million": 6, "b": 9, "bn": 9, "billion": 9, "t": 12, "trillion": 12,
}  # fmt: skip
_DIGITS_MAX: Final = 15


class Quantity(Struct, frozen=True):
    """What a text asks of a number: ``interval`` in micros of ``unit``, and where it says so (``start``, ``stop``).

    ``form``: ``bound`` has one end, ``range`` two, ``exact`` is one number. Times are in seconds, rates in per cent.
    """

    interval: Interval
    unit: Unit
    form: Form
    start: int
    stop: int


def quantities(text: str, *, bare: bool = False) -> tuple[Quantity, ...]:
    """Return the quantities of a normalised text in order; ``bare``: a number alone is an exact quantity.

    Without ``bare`` a number counts with a comparator or a unit only: a name may end in one.
    """
    found: list[Quantity] = []
    for match in _RANGE.finditer(text):
        quantity = _range(match)
        if quantity is not None:
            found.append(quantity)
    for match in _ONE.finditer(text):
        quantity = _single(match, bare=bare)
        if quantity is not None and all(quantity.stop <= each.start or quantity.start >= each.stop for each in found):
            found.append(quantity)
    return tuple(sorted(found, key=lambda each: each.start))


def _range(match: re.Match[str]) -> Quantity | None:
    unit = _unit(match, "h") or _unit(match, "l")
    explicit = match["between"] or unit or match["lmult"] or match["hmult"]
    mult = match["lmult"] or match["hmult"]
    low, high = _micros(match, "l", mult), _micros(match, "h", match["hmult"])
    if low is None or high is None or low >= high or not (explicit or _looks_like_bucket(match)):
        return None
    scale = _scale(match["hunit"] or match["lunit"])
    return Quantity(_scaled(low, high, scale), unit or "count", "range", match.start(), match.end())


def _scaled(low: int, high: int, scale: "_Scale") -> Interval:
    low, high, cent = low * scale.times // scale.per, high * scale.times // scale.per, MICROS // 100
    if high % MICROS == 99 * cent:  # "6,400 to 6,599.99" is what another writes as "6,400 to below 6,600"
        return Interval(2 * low, 2 * (high + cent))
    return intervals.between(low, high)


def _looks_like_bucket(match: re.Match[str]) -> bool:
    """Tell a bucket of a ladder from a pair of years, a score or a date."""
    low, high = match["lnum"].replace(",", ""), match["hnum"].replace(",", "")
    years = len(low) == 4 and low.startswith(("19", "20")) and "," not in match["lnum"]
    return not years and len(low) <= len(high)


def _single(match: re.Match[str], *, bare: bool) -> Quantity | None:
    unit = _unit(match, "")
    bound = next((name for name in ("more", "less", "above", "least", "below", "most") if match[name]), None)
    if not (bound or match["exact"] or unit or match["mult"] or bare):
        return None
    if _is_year(match) and not (match["more"] or match["less"]) and not bare:
        return None
    value = _micros(match, "", match["mult"])
    if value is None:
        return None
    scale = _scale(match["unit"])
    value = value * scale.times // scale.per
    make = {"more": intervals.at_least, "less": intervals.at_most, "above": _above, "least": intervals.at_least}
    make |= {"below": intervals.below, "most": intervals.at_most}
    interval = make[bound](value) if bound else intervals.between(value, value)
    return Quantity(interval, unit or "count", "bound" if bound else "exact", match.start(), match.end())


def _above(value: int) -> Interval:
    """Return the numbers above ``value``; "above 99,999.99" of a quantity in cents is "100,000 or more"."""
    cent = MICROS // 100
    return intervals.at_least(value + cent) if value % MICROS == 99 * cent else intervals.above(value)


def _is_year(match: re.Match[str]) -> bool:
    number = match["num"]
    return len(number) == 4 and number.startswith(("19", "20")) and not (match["usd"] or match["unit"] or match["mult"])


class _Scale(Struct, frozen=True):
    times: int = 1
    per: int = 1


_PLAIN: Final = _Scale()
_SCALES: Final = {
    "bp": _Scale(1, 100), "basis": _Scale(1, 100), "cent": _Scale(1, 100), "minute": _Scale(60), "hour": _Scale(3_600),
    "day": _Scale(86_400), "week": _Scale(7 * 86_400), "month": _Scale(30 * 86_400),
}  # fmt: skip


def _scale(unit: str | None) -> _Scale:
    return next((scale for name, scale in _SCALES.items() if unit and unit.startswith(name)), _PLAIN)


def _unit(match: re.Match[str], prefix: str) -> Unit | None:
    unit = match[prefix + "unit"]
    if match[prefix + "usd"] or (unit and unit.startswith(("dollar", "cent"))):
        return "usd"
    if unit is None:
        return None
    if unit.startswith(("%", "p", "b")):
        return "pct"
    return "degree" if unit.startswith(("°", "degree")) else "time"


def _micros(match: re.Match[str], prefix: str, mult: str | None) -> int | None:
    whole, _, fraction = match[prefix + "num"].replace(",", "").partition(".")
    power = 6 + _MULTIPLIERS.get(mult or "", 0)
    if len(whole) > _DIGITS_MAX or len(fraction) > power:
        return None
    value = int((whole or "0") + fraction.ljust(power, "0"))
    return -value if match[prefix + "sign"] == "-" else value
