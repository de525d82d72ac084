"""Which markets a run knows: those listed now, or those that were listed in the days of a recording.

Kept apart from choosing among them because it is about files and their dates.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from predsurv.core.ids import MarketId, VenueName
from predsurv.core.market import Market
from predsurv.store.universe import date_in_force, read_universe
from predsurv.trade.watching import is_open

_LOG: Final = logging.getLogger(__name__)


def listed_then(venue: VenueName, files: Mapping[str, Path], first: str, last: str) -> Iterable[Market]:
    """Return the markets as the universe in force on day ``first`` has them, and those listed up to ``last``.

    ``files`` are the universe files of ``venue`` by date, at least one. A market counts as listed once it is
    open: one that opens only later is as the first file says in which it is.
    """
    begin = date_in_force(files, first) or first
    if begin > first:
        _LOG.warning(
            "no universe of %s is from %s or before, so that of %s is used: markets that ended before it are missing",
            venue,
            first,
            begin,
        )
    known: dict[MarketId, Market] = {}
    for path in [files[begin], *(files[date] for date in files if begin < date <= last)]:
        for market in read_universe(path):
            before = known.get(market.market_id)
            if before is None or (is_open(market) and not is_open(before)):
                known[market.market_id] = market
    return known.values()
