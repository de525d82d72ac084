"""The parameters of ``arbitrage``, apart from it because everything that it is made of reads them."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from predsurv.core.durations import Duration
from predsurv.core.num import MICROS, Money, Ratio
from predsurv.strategies.claim_tiers import TierTerms

_SECOND: Final = 1_000_000_000


class ArbitrageParams(Struct, frozen=True, kw_only=True):
    """What ``arbitrage`` demands of a set before it buys it; money in micros, times in ns, ratios in millionths."""

    edge_min: Annotated[
        Money, Meta(ge=0, description="Least sure gain of a set, after fees and all that is charged below.")
    ] = Money(5_000)
    edge_max: Annotated[
        Money, Meta(ge=0, description="Most sure gain of a set; more is likely a market that our universe lacks.")
    ] = Money(150_000)
    cost_max: Annotated[Money, Meta(ge=1, description="Most money to spend at a time.")] = Money(200 * MICROS)
    annual_return_min: Annotated[
        Ratio, Meta(ge=0, description="What money has to earn a year until the markets close; 0 takes any sure gain.")
    ] = Ratio(50_000)
    lockup_assumed: Annotated[
        Duration, Meta(ge=0, description="How long money counts as locked up where nobody stated when a market closes.")
    ] = Duration(30 * 86_400 * _SECOND)
    void_rate: Annotated[
        Ratio, Meta(ge=0, le=MICROS, description="Probability at which the loss in a void market is charged.")
    ] = Ratio(7_000)
    void_cover: Annotated[
        Ratio, Meta(ge=0, description="Part of what a set loses in the worst void that it has to earn otherwise.")
    ] = Ratio(100_000)
    revert_rate: Annotated[
        Ratio,
        Meta(
            ge=0,
            le=MICROS,
            description="Probability, for each leg on Polymarket, that it is reverted and the others are sold again.",
        ),
    ] = Ratio(10_000)
    leg_age_max: Annotated[Duration, Meta(ge=0, description="A book without any change for longer offers nothing.")] = (
        Duration(60 * _SECOND)
    )
    cooldown: Annotated[Duration, Meta(ge=0, description="How long to leave an event alone after an attempt.")] = (
        Duration(2 * _SECOND)
    )
    completions_max: Annotated[
        int, Meta(ge=0, description="Attempts to complete sets before their excess is sold instead.")
    ] = 3

    def terms(self, *, may_buy: bool = True) -> TierTerms:
        """Return how offers are valued."""
        return TierTerms(
            annual_return=self.annual_return_min,
            lockup_assumed=self.lockup_assumed,
            leg_age_max=self.leg_age_max,
            may_buy=may_buy,
        )
