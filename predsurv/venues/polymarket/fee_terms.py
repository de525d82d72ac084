"""The fee of a market: as its row states it, and where that does not say, as markets of its category pay.

The rates of categories are those of the venue's fee page of September 2026, verified then over all of its 210,836 open
markets. They are only assumed: a rate that a market states takes precedence, whenever it comes.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.market import FeeSchedule
from predsurv.venues.polymarket.gamma_numbers import decimal_of
from predsurv.venues.polymarket.gamma_row import GammaFee, GammaMarket

EXPONENT_MAX: Final = 16
SCHEDULES_MAX: Final = 1 << 8
"""Most schedules that are remembered: the markets of a page, read at one time, have few."""

_STEP: Final = Decimal("0.000001")

_RATES: Final = {
    "crypto": 70_000,
    "sports": 50_000,
    "politics": 40_000,
    "elections": 40_000,
    "finance": 40_000,
    "tech": 40_000,
    "science": 40_000,
    "mentions": 40_000,
    "economy": 50_000,
    "economics": 50_000,
    "culture": 50_000,
    "weather": 50_000,
    "general": 50_000,
    "world": 50_000,
    "geopolitics": 50_000,
}
"""Rates (millionths) by the first word of ``feeType`` and by category; geopolitics, free so far, as ``general``."""

HIGHEST_RATE: Final = max(_RATES.values())


def assumed_fee(fee_type: str | None, categories: Iterable[str | None], since: int) -> FeeSchedule:
    """Return the fee of a market that does not state it: its fee type's or first known category's, or the highest."""
    names = [(fee_type or "").split("_")[0], *(name or "" for name in categories)]
    rate = next((_RATES[name.lower()] for name in names if name.lower() in _RATES), HIGHEST_RATE)
    return FeeSchedule(model="polymarket", rate=rate, since=since)


def stated_fee(row: GammaMarket, since: int) -> FeeSchedule | None:
    """Return the fee that ``row`` states from ``since`` (ns UTC) on, None when it does not say.

    Raises WireError when the schedule is there and makes no sense.
    """
    if row.fees_enabled is False:
        return FeeSchedule(since=since)
    if row.fee_schedule is None:
        return None
    return read_schedule(row.fee_schedule, since)


def read_schedule(schedule: GammaFee, since: int) -> FeeSchedule | None:
    """Return a schedule with any positive exponent, None when it has no rate; raises WireError when out of range."""
    rate, exponent = decimal_of(schedule.rate, "fee rate"), decimal_of(schedule.exponent, "fee exponent")
    if rate is None:
        return None
    return _schedule(rate, exponent, decimal_of(schedule.rebate_rate, "rebate rate") or Decimal(0), since)


@lru_cache(SCHEDULES_MAX)
def _schedule(rate: Decimal, exponent: Decimal | None, rebate: Decimal, since: int) -> FeeSchedule:
    exponent = Decimal(1) if exponent is None else exponent.quantize(_STEP, ROUND_FLOOR)
    if rate > 1 or not 0 < exponent <= EXPONENT_MAX:
        raise WireError("feeSchedule is out of range")
    whole = int(exponent)
    # What has more than six decimals is rounded so that no fill looks cheaper than it was. A rebate above the whole fee
    # makes no sense, and is no reason not to know the fee.
    return FeeSchedule(
        model="polymarket",
        rate=int(rate.quantize(_STEP, ROUND_CEILING).scaleb(6)),
        exponent=whole if whole == exponent else exponent.normalize(),
        since=since,
        rebate_rate=int(rebate.quantize(_STEP, ROUND_FLOOR).scaleb(6)) if rebate <= 1 else 0,
    )
