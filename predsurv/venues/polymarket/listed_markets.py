"""The markets of a page of Gamma's list in which nothing is unusual, all at once: nearly every one.

Separate from ``market_parser``, which knows what to make of any row: what this leaves out is read there, and what it
takes is the same. The compiled parser does it; without that each row is read there.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import partial
from typing import Final

from msgspec.structs import replace

from predsurv.core.market import Market
from predsurv.core.native import speedups
from predsurv.venues.parsing import parse_date
from predsurv.venues.polymarket.fee_terms import stated_fee
from predsurv.venues.polymarket.gamma_page import UnreadableRow
from predsurv.venues.polymarket.gamma_row import ReadRow, texts
from predsurv.venues.polymarket.market_parser import (
    CATEGORIES,
    TAKER_BUY_MIN,
    VENUE,
    VERSION_DEFAULT,
    rules_hash,
    stated_delay,
)

_parser: Final = (
    None
    if speedups is None
    else speedups.NativeGammaParser(
        texts, partial(parse_date, zone=UTC), stated_fee, rules_hash, CATEGORIES, VENUE, TAKER_BUY_MIN, VERSION_DEFAULT
    )
)


def usual_markets(rows: Sequence[ReadRow | UnreadableRow], fetched_at: int) -> list[Market | None]:
    """Return the market of each of ``rows``, read at ``fetched_at`` (ns UTC), None where ``parse_market`` has to.

    Raises nothing.
    """
    if _parser is None:
        return [None] * len(rows)
    markets: list[Market | None] = _parser.read(
        [each.row if type(each) is ReadRow and not each[2] else None for each in rows], fetched_at
    )
    for number, each in enumerate(rows):
        if type(each) is ReadRow and each[1] and (market := markets[number]) is not None:
            delay = stated_delay(each[1])
            markets[number] = None if delay is None else replace(market, taker_delay=delay)
    return markets
