"""Trading fees, exactly as each venue computes them.

Kalshi rounds what is paid, cost and fee together, up to $0.0001 (32 of 33 fills reported by users in August 2026;
another user's 2,857 fills: 91 to 97 % exact). It does so where the rate is 0 as well, for makers as for takers
(docs.kalshi.com/getting_started/fee_rounding: a rounding fee keeps every balance a multiple of the unit), and gives
back what several fills of one order rounded too much, always less than a unit for each: that is not modelled.
Polymarket rounds the fee to $0.00001 and charges nothing below half of that; how it rounds an exact half is not
documented, and up is assumed. It shares a part of each market's takers' fees of a day among the makers of that day, in
proportion to the fee that a taker of their trades pays: as each trade has one of both, a maker's part is that same
share of the fee of its own trades' takers, and needs nobody else's. Kalshi pays makers nothing back.
"""

from decimal import Context, Decimal
from typing import Final

from predsurv.core.ids import OrderSide
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, ZERO_MONEY, Money, Price, Size, complement, round_half_up

_POLYMARKET_UNIT: Final = 10  # micros: fees are charged in steps of 0.00001 dollars
_KALSHI_UNIT: Final = 100  # micros: balances are multiples of 0.0001 dollars
_EXACT: Final = Context(prec=60)
_HALF: Final = Decimal("0.5")


def taker_fee(schedule: FeeSchedule, price: Price, size: Size, side: OrderSide = "buy") -> Money:
    """Return the fee in micros for taking ``size`` at ``price``.

    Polymarket: size · rate · (p(1−p))^exponent rounded to 5 decimals, the same for both sides. Kalshi: size · rate ·
    p(1−p) rounded up to a micro-dollar, and what is paid with it up to $0.0001; selling there is buying the other
    outcome at 1 − p.
    """
    return _fee(schedule, schedule.rate, price if side == "buy" else complement(price), size)


def maker_fee(schedule: FeeSchedule, price: Price, size: Size, side: OrderSide = "buy") -> Money:
    """Return the fee in micros for resting ``size`` that traded at ``price``, computed as ``taker_fee`` is."""
    if schedule.model == "polymarket":
        return ZERO_MONEY
    return _fee(schedule, schedule.maker_rate, price if side == "buy" else complement(price), size)


def maker_rebate(schedule: FeeSchedule, price: Price, size: Size) -> Money:
    """Return what resting ``size`` that traded at ``price`` is paid back at the end of its day, micros, rounded down.

    Polymarket: ``rebate_rate`` of the fee of its taker, the same for both sides and outcomes. 0 on other venues.
    """
    if schedule.model != "polymarket":
        return ZERO_MONEY
    return Money(_fee(schedule, schedule.rate, price, size) * schedule.rebate_rate // MICROS)


def _fee(schedule: FeeSchedule, rate: int, price: Price, size: Size) -> Money:
    if schedule.model == "none" or size == 0:
        return ZERO_MONEY
    if schedule.model == "kalshi":
        return _kalshi(rate, price, size)
    if isinstance(schedule.exponent, Decimal):
        return _polymarket_by_decimal(rate, schedule.exponent, price, size)
    numerator = size * rate * (price * (MICROS - price)) ** schedule.exponent
    denominator = MICROS ** (1 + 2 * schedule.exponent) * _POLYMARKET_UNIT
    return Money(round_half_up(numerator, denominator) * _POLYMARKET_UNIT)


def _kalshi(rate: int, price: Price, size: Size) -> Money:
    # size, rate and p(1-p) carry 6 + 6 + 12 decimals; money keeps 6. The cost has 12 and is kept whole.
    fee = -(-size * rate * price * (MICROS - price) // MICROS**3)
    cost = size * price
    paid = -(-(cost + fee * MICROS) // (_KALSHI_UNIT * MICROS)) * _KALSHI_UNIT
    return Money(-((cost - paid * MICROS) // MICROS))


def _polymarket_by_decimal(rate: int, exponent: Decimal, price: Price, size: Size) -> Money:
    """Return the fee with an exponent that is not whole, by decimals of far more digits than are charged."""
    spread = Decimal(price * (MICROS - price)).scaleb(-12, _EXACT)
    power = spread.sqrt(_EXACT) if exponent == _HALF else _EXACT.power(spread, exponent)
    micros = _EXACT.multiply(power, Decimal(size * rate).scaleb(-6, _EXACT))
    return Money(int(_EXACT.add(_EXACT.divide(micros, _POLYMARKET_UNIT), _HALF)) * _POLYMARKET_UNIT)
