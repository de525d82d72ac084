"""What happens in the markets of a made-up venue, period by period, and what of it is seen by who is there for a part.

Of each market and period the changes, trades, shares and dollars are drawn once, so that a total is what happened and
not what was expected. Trades are a part of the changes that differs from market to market, as do their size and price;
sizes are Gamma numbers of shape 1/4, twice as spread as their mean. Who is there for a share of a period sees each
change and trade with that probability, of the shares what those trades were: a Beta part, which for Gamma sizes is
exact.
"""

from math import exp
from random import Random
from typing import Final, NamedTuple

from tests.kit.random_counts import binomial, poisson

MEDIAN_TRADES: Final = 0.05
"""Trades to a change of a book, of the median market."""

TRADES_SPREAD: Final = 0.7
MEDIAN_SHARES: Final = 50.0
SHARES_SPREAD: Final = 1.0
SIZE_SHAPE: Final = 0.25


class Happened(NamedTuple):
    """Of a market in a time: ``updates`` of its book, ``trades``, their shares and dollars; named as totals are."""

    updates: float
    trades: float
    volume_shares: float
    notional_usd: float


class _Trading(NamedTuple):
    trades_share: float
    mean_shares: float
    price: float


class MarketFlow:
    """What happens in ``markets`` markets of a venue that is made of ``seed``; periods come in order."""

    def __init__(self, seed: int, markets: int) -> None:
        rng = Random(f"trading {seed}")
        self._rng = Random(f"flow {seed}")
        self._trading = [
            _Trading(
                MEDIAN_TRADES * exp(rng.gauss(0, TRADES_SPREAD)),
                MEDIAN_SHARES * exp(rng.gauss(0, SHARES_SPREAD)),
                rng.uniform(0.02, 0.98),
            )
            for _ in range(markets)
        ]
        self.periods: list[list[Happened]] = []

    def happen(self, expected: list[float]) -> None:
        """Let another period pass, in which ``expected`` changes are to be expected of each market."""
        self.periods.append([self._happened(number, mean) for number, mean in enumerate(expected)])

    def _happened(self, number: int, mean: float) -> Happened:
        rng, how = self._rng, self._trading[number]
        trades = poisson(rng, mean * how.trades_share)
        volume = how.mean_shares / SIZE_SHAPE * rng.gammavariate(SIZE_SHAPE * trades, 1) if trades else 0.0
        return Happened(poisson(rng, mean), trades, volume, volume * how.price)

    def truth(self) -> Happened:
        """Return what happened at the whole venue."""
        return Happened(*(sum(values) for values in zip(*(each for one in self.periods for each in one), strict=True)))

    def seen(self, rng: Random, number: int, period: int, share: float) -> Happened:
        """Return what of a market is seen by who is there for ``share`` of a period."""
        whole = self.periods[period][number]
        updates, trades = (binomial(rng, int(count), share) for count in whole[:2])
        part = 1.0 if trades == whole.trades else 0.0
        if 0 < trades < whole.trades:
            part = rng.betavariate(SIZE_SHAPE * trades, SIZE_SHAPE * (whole.trades - trades))
        return Happened(updates, trades, whole.volume_shares * part, whole.notional_usd * part)
