"""Polymarket's ids and slugs, derived from the exchange's names and the seed."""

import re
from hashlib import sha256
from typing import Final

from predsurv.core.ids import OrderSide
from predsurv.simulate.polymarket.books import Outcome
from predsurv.venues.polymarket.orders.exchanges import POSITION_ID_ZEROS

_TOKEN_DIGITS: Final = 77
_SLUG_CHARS_MAX: Final = 80
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def condition_id(seed: int, name: str) -> str:
    """Return a condition id: ``0x`` and 64 hexadecimal digits."""
    return "0x" + _digest(seed, "condition", name)


def token_id(seed: int, name: str) -> str:
    """Return a token id: a number of 77 decimal digits."""
    number = int(_digest(seed, "token", name), 16)
    low = int("1" + "0" * (_TOKEN_DIGITS - 1))
    return str(low + number % (9 * low))


def position_id(seed: int, name: str) -> str:
    """Return the id of a token of a market of version ``v2``: a number of which 64 bits are zero."""
    number = int(token_id(seed, f"position {name}"))
    return str(number & ~POSITION_ID_ZEROS)


def transaction_hash(seed: int, seq: int, taker_side: OrderSide) -> str:
    """Return the hash of a transaction: of the burst whose first tape event is number ``seq``, and its takers' side."""
    return "0x" + _digest(seed, "transaction", f"{seq} {taker_side}")


def taker_outcome(transaction: str, taker_side: OrderSide) -> Outcome:
    """Return the token of a transaction's taker, who buys (sells) the first one or sells (buys) the second one.

    Three in four buy a token, as most takers do on the venue.
    """
    buys = int(transaction[-1], 16) % 4 != 0
    return 0 if (taker_side == "buy") == buys else 1


def slug(text: str, number: int) -> str:
    """Return ``text`` as a URL slug; ``number`` distinguishes markets of the same title."""
    words = _NOT_SLUG.sub("-", text.lower()).strip("-")[:_SLUG_CHARS_MAX].strip("-")
    return f"{words}-{number}" if words else f"market-{number}"


def _digest(seed: int, kind: str, name: str) -> str:
    return sha256(f"predsurv {seed} {kind} {name}".encode()).hexdigest()
