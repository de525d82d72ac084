"""Which of a book's events matter to somebody: what a replay must not pass over."""

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price


class HeededPlace(Struct, frozen=True):
    """Changes of the level at ``price``; with ``through`` of every level of its side, while one is at or beyond it."""

    side: Side
    price: Price
    through: bool = False


class HeededBook(Struct, frozen=True):
    """Of the book of ``key`` (a primary instrument) these places matter and every snapshot; ``trades``: these too."""

    key: InstrumentKey
    places: tuple[HeededPlace, ...]
    trades: bool = False
