"""The prices of pairs, side by side, from days on which both venues were recorded."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.mapping.comovement import Comovement, Mids, comovement
from predsurv.mine.recorded_days import MiningDay, recorded_days
from predsurv.store.layout import is_date
from predsurv.store.read.verify_digests import retry_if_replaced

DAYS_MAX: Final = 3
"""Most days, the latest on which both venues were recorded, of which prices are compared."""

_MINUTES: Final = 1_440


class ComparedMarkets(NamedTuple):
    """Two markets whose first outcomes correspond, or are opposite (``inverse``)."""

    first: Market
    second: Market
    inverse: bool


def price_words(data_dir: Path, pairs: Sequence[ComparedMarkets]) -> list[str]:
    """Return for each pair how its prices moved, in words; "" where both were never known at once.

    Raises IntegrityError for a damaged file.
    """
    moved = together(data_dir, pairs)
    return ["" if each is None else str(each) for each in moved]


def together(data_dir: Path, pairs: Sequence[ComparedMarkets]) -> list[Comovement | None]:
    """Return how the prices of each pair moved over the latest ``DAYS_MAX`` days that both venues have."""
    dates = _common_dates(data_dir, {each.venue for pair in pairs for each in (pair.first, pair.second)})
    mids = {venue: _mids(data_dir, venue, dates, names) for venue, names in _instruments(pairs).items()}
    nothing: Mids = [None] * (_MINUTES * len(dates))
    return [
        comovement(
            mids[pair.first.venue].get(_primary(pair.first), nothing),
            mids[pair.second.venue].get(_primary(pair.second), nothing),
            inverse=pair.inverse,
        )
        for pair in pairs
    ]


def _common_dates(data_dir: Path, venues: Iterable[VenueName]) -> list[str]:
    by_venue = [{date for date, venue in recorded_days(data_dir) if venue == each} for each in venues]
    common = set.intersection(*by_venue) if by_venue else set[str]()
    return sorted(date for date in common if is_date(date))[-DAYS_MAX:]


def _instruments(pairs: Iterable[ComparedMarkets]) -> Mapping[VenueName, list[str]]:
    found: dict[VenueName, list[str]] = {}
    for pair in pairs:
        for market in (pair.first, pair.second):
            found.setdefault(market.venue, []).append(_primary(market))
    return found


def _mids(data_dir: Path, venue: VenueName, dates: Sequence[str], names: Sequence[str]) -> dict[str, Mids]:
    """Return the mids of instruments minute by minute over the days of ``dates``, one after another."""
    from predsurv.mine.mid_lines import minute_mids  # polars, which takes as long to import as a queue to show

    found: dict[str, list[float | None]] = {}
    for number, date in enumerate(dates):
        day = MiningDay(data_dir, venue, date)
        for name, mids in retry_if_replaced(partial(minute_mids, day, names)).items():
            before = found.setdefault(name, [])
            before += [None] * (_MINUTES * number - len(before)) + mids
    return {name: mids + [None] * (_MINUTES * len(dates) - len(mids)) for name, mids in found.items()}


def _primary(market: Market) -> str:
    return market.outcomes[0].instrument_id
