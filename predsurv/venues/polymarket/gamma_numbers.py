"""Numbers as Gamma writes them: JSON numbers, or texts that hold one.

Separate from the parsers of rows and fees, which both read them. The plain notation, which nearly all have, is read by
integer arithmetic; whatever else it may be goes through ``Decimal``, with the same result.
"""

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from msgspec import Raw

from predsurv.core.errors import WireError
from predsurv.core.num import DECIMALS

NUMBERS_MAX: Final = 1 << 12
"""Most numbers that are remembered: ticks, sizes and rates are few, and the same in most rows."""

_NAN: Final = Decimal("NaN")
_DIGITS_MAX: Final = 64
_DIGITS_WHOLE_MAX: Final = 18
_BYTES_MAX: Final = _DIGITS_MAX + 2  # with its quotes
_PLAIN_MAX: Final = 28
"""Longest plain number: with more digits than this a ``Decimal`` would round."""


def decimal_of(raw: Raw, what: str) -> Decimal | None:
    """Return a JSON number, or a text that holds one, that is not negative; None when absent or "".

    Raises WireError for anything else.
    """
    data = bytes(raw)
    value = _decimal(data) if len(data) <= _BYTES_MAX else _NAN
    if value is not None and value.is_nan():
        raise WireError(f"{what} is not a number in range")
    return value


def floor_micros(raw: Raw, what: str) -> int | None:
    """Return ``decimal_of`` in micros, cut after the sixth decimal: for amounts, of which hardly two are the same."""
    digits = bytes(raw).strip(b'"')
    whole, point, fraction = digits.partition(b".")
    if len(digits) <= _PLAIN_MAX and len(whole) <= _DIGITS_WHOLE_MAX and whole.isdigit():
        if fraction.isdigit():
            return int(whole + fraction[:DECIMALS].ljust(DECIMALS, b"0"))
        if not point:
            return int(whole + b"0" * DECIMALS)
    value = decimal_of(raw, what)
    return None if value is None else int(value.scaleb(DECIMALS))


@lru_cache(NUMBERS_MAX)
def _decimal(data: bytes) -> Decimal | None:
    """Return the number in ``data``, None when there is none, NaN for what is no number in range."""
    digits = data.strip(b'"').decode("ascii", "replace")
    if digits in ("", "null"):
        return None
    try:
        value = Decimal(digits) if len(digits) <= _DIGITS_MAX and "_" not in digits else _NAN
    except InvalidOperation:
        return _NAN
    in_range = value.is_finite() and value >= 0 and value.adjusted() < _DIGITS_WHOLE_MAX
    return value if in_range else _NAN
