"""Trading fees, exactly as each venue computes them."""

from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, ZERO_MONEY, Money, Price, Size, round_half_up

_POLYMARKET_UNIT = 10  # micros: fees are charged in steps of 0.00001 dollars


def taker_fee(schedule: FeeSchedule, price: Price, size: Size) -> Money:
    """Return the fee in micros for taking ``size`` at ``price``.

    Polymarket: size · rate · (p(1−p))^exponent rounded to 5 decimals, at least 0.00001.
    Kalshi: size · rate · p(1−p) rounded up to a micro-dollar per fill.
    """
    return _fee(schedule, schedule.rate, price, size)


def maker_fee(schedule: FeeSchedule, price: Price, size: Size) -> Money:
    """Return the fee in micros for resting ``size`` that traded at ``price``."""
    if schedule.model == "polymarket":
        return ZERO_MONEY
    return _fee(schedule, schedule.maker_rate, price, size)


def _fee(schedule: FeeSchedule, rate: int, price: Price, size: Size) -> Money:
    if schedule.model == "none" or rate == 0 or size == 0:
        return ZERO_MONEY
    spread = price * (MICROS - price)
    if schedule.model == "kalshi":
        # size, rate and p(1-p) carry 6 + 6 + 12 decimals; money keeps 6.
        return Money(-(-size * rate * spread // MICROS**3))
    numerator = size * rate * spread**schedule.exponent
    denominator = MICROS ** (1 + 2 * schedule.exponent) * _POLYMARKET_UNIT
    units = round_half_up(numerator, denominator)
    return Money(max(units, 1) * _POLYMARKET_UNIT) if numerator else ZERO_MONEY
