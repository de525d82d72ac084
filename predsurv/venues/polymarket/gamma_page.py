"""A page of Gamma's list of markets, and its rows.

A page whose rows can all be read as they are, nearly every one, is decoded at once; any other row by row, so that one
unreadable row costs no other.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from predsurv.core.ids import EventId
from predsurv.venues.parsing import mended_json
from predsurv.venues.polymarket.gamma_row import NO_FIELDS, GammaMarket, ReadRow, event_ids, may_have_delays, read_row

PAGE_ROWS: Final = 100  # asking for more is answered with 100, without an error


class GammaPage(Struct):
    """``{"markets":[{…},…],"next_cursor":"…"}``; the last page has no cursor."""

    markets: list[Raw]
    next_cursor: str | None = None


class UnreadableRow(NamedTuple):
    """A row that is no market in JSON: what is wrong with it, and the events that it belongs to all the same."""

    detail: str
    events: set[EventId]


class ListingPage(NamedTuple):
    """The rows of a page in their order; ``mended``: what was wrong with its text where that had to be mended."""

    rows: Sequence[ReadRow | UnreadableRow]
    next_cursor: str | None
    mended: str = ""


class _PlainPage(Struct):
    markets: list[GammaMarket]
    next_cursor: str | None = None


read_page: Final = msgspec.json.Decoder(GammaPage).decode
_read_plain: Final = msgspec.json.Decoder(_PlainPage).decode


def read_listing(body: bytes) -> ListingPage:
    """Read a page with its rows; raises ValueError or RecursionError when it is none, even with its text mended."""
    if not may_have_delays(body):
        try:
            plain = _read_plain(body)
            return ListingPage([ReadRow(row, NO_FIELDS, NO_FIELDS) for row in plain.markets], plain.next_cursor)
        except (ValueError, RecursionError):
            pass  # row by row, then
    try:
        page, mended = read_page(body), ""
    except ValueError as error:
        page, mended = read_page(mended_json(body)), str(error)
    return ListingPage(list(_rows(page.markets)), page.next_cursor, mended)


def _rows(raws: Sequence[Raw]) -> Iterator[ReadRow | UnreadableRow]:
    for raw in raws:
        try:
            yield read_row(raw)
        except (ValueError, RecursionError) as error:
            yield UnreadableRow(str(error), event_ids(raw))
