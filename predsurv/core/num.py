"""Fixed-point numbers: price, size and money as ``int`` millionths ("micros").

The only place where venue text becomes a number: a pattern first, integer arithmetic after, so that ``NaN``,
``1e9999999``, ``1_000`` or Arabic digits never reach a conversion that would accept them or take forever.
"""

import re
from typing import Final, NewType

Price = NewType("Price", int)
"""Millionths of a dollar per share or contract, 0 … 1_000_000."""

Size = NewType("Size", int)
"""Millionths of a share or contract."""

Money = NewType("Money", int)
"""Millionths of a dollar; may be negative."""

Ratio = NewType("Ratio", int)
"""Millionths of one: a share, a weight, an imbalance; may be negative."""

MICROS: Final = 1_000_000
DECIMALS: Final = 6

ZERO_SIZE: Final = Size(0)
ZERO_MONEY: Final = Money(0)
ONE: Final = Price(MICROS)

_SCALE: Final[tuple[int, ...]] = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)
_UNSIGNED = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})\Z", re.ASCII)


def parse_micros(text: str) -> int:
    """Return the non-negative decimal ``text`` in micros, exactly.

    Raises ValueError for anything but plain ASCII decimal notation, and for digits beyond the
    sixth decimal that are not zero: a price or size that cannot be held exactly is refused.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    # The common form without the pattern, equally strict: of ASCII text isdigit() accepts 0 to 9 only.
    if len(whole) <= 12 and len(fraction) <= DECIMALS and digits.isdigit() and digits.isascii():
        return int(digits) * _SCALE[len(fraction)]
    whole, fraction = _split(text)
    if len(fraction) > DECIMALS and fraction[DECIMALS:].strip("0"):
        raise ValueError(f"more than {DECIMALS} decimals: {text[:32]!r}")
    return int(whole or "0") * MICROS + int(fraction[:DECIMALS].ljust(DECIMALS, "0"))


def parse_micros_floor(text: str) -> int:
    """Return ``text`` in micros, cut after the sixth decimal; for volumes and other statistics.

    Raises ValueError for anything but plain ASCII decimal notation.
    """
    whole, fraction = _split(text)
    return int(whole or "0") * MICROS + int(fraction[:DECIMALS].ljust(DECIMALS, "0"))


def parse_signed_micros(text: str) -> int:
    """Return ``text`` with an optional leading ``-`` in micros, exactly (Kalshi's ``delta_fp``).

    Raises ValueError as ``parse_micros`` does.
    """
    if text[:1] == "-":
        return -parse_micros(text[1:])
    return parse_micros(text)


def parse_price(text: str) -> Price:
    """Return a price in 0 … 1 dollar from venue text; raises ValueError outside it."""
    value = parse_micros(text)
    if value > MICROS:
        raise ValueError(f"price above 1: {text[:32]!r}")
    return Price(value)


def parse_size(text: str) -> Size:
    """Return a size from venue text; raises ValueError when it is not a plain decimal."""
    return Size(parse_micros(text))


def format_micros(value: int) -> str:
    """Return micros as the shortest exact decimal text: ``500000`` → ``"0.5"``."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), MICROS)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}." + f"{fraction:06d}".rstrip("0")


def format_dollars(value: int) -> str:
    """Return micros of a dollar as exact text for people, in cents at least: ``-37_520_000`` → ``"-$37.52"``."""
    whole, _, fraction = format_micros(abs(value)).partition(".")
    return f"{'-' if value < 0 else ''}${int(whole):,}.{fraction.ljust(2, '0')}"


def notional(price: Price, size: Size) -> Money:
    """Return price × size rounded down to a micro-dollar (the least that a seller receives)."""
    return Money(price * size // MICROS)


def notional_up(price: Price, size: Size) -> Money:
    """Return price × size rounded up to a micro-dollar (the most that a buyer pays)."""
    return Money(-(-price * size // MICROS))


def complement(price: Price) -> Price:
    """Return 1 − price: the price of the other outcome of a binary market."""
    return Price(MICROS - price)


def round_half_up(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to the nearest int, halves up; both non-negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def _split(text: str) -> tuple[str, str]:
    if len(text) > 32 or not _UNSIGNED.match(text):
        raise ValueError(f"not a plain decimal: {text[:32]!r}")
    whole, _, fraction = text.partition(".")
    return whole, fraction
