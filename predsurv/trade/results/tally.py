"""The additive figures of trading: of one strategy in one instrument, and summed for strategies and markets."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import fields

from predsurv.core.num import Money


class Tally(Struct):
    """What was ordered, traded, paid and earned; money and sizes in micros.

    ``ordered``, ``filled`` and ``acquired`` (filled by buys) are shares, ``bought`` and ``sold`` what fills cost and
    brought without fees, ``paid`` what settlements paid. ``realised`` is the proceeds of shares sold or paid out less
    their average cost, before fees. ``fees`` were paid and ``rebates`` received, neither is negative; fills that failed
    are in none of these. ``trips`` are the times that everything held was given up again, ``won`` those of them with a
    profit after fees and without rebates of a day. ``fees_assumed``: fills whose fee nobody stated.

    ``at_bid``, ``at_mid`` and ``at_liquidation``: what the shares held at the end are worth above their cost by each
    of the valuations, ``opening`` what those held at the start were worth above theirs.
    """

    orders: int = 0
    ordered: int = 0
    rejected: int = 0
    fills: int = 0
    maker_fills: int = 0
    filled: int = 0
    acquired: int = 0
    bought: int = 0
    sold: int = 0
    paid: int = 0
    realised: int = 0
    fees: int = 0
    rebates: int = 0
    fees_assumed: int = 0
    trips: int = 0
    won: int = 0
    opening: int = 0
    at_bid: int = 0
    at_mid: int = 0
    at_liquidation: int = 0

    @property
    def turnover(self) -> Money:
        """What was bought and sold, without fees and settlements."""
        return Money(self.bought + self.sold)

    @property
    def net(self) -> Money:
        """Realised profit after fees and rebates."""
        return Money(self.realised - self.fees + self.rebates)

    @property
    def profit(self) -> Money:
        """The change in equity at the best bid: realised, less fees, plus what shares held gained above their cost."""
        return Money(self.net + self.at_bid - self.opening)

    @property
    def trading(self) -> Money:
        """The profit without rebates: what trading itself made."""
        return Money(self.profit - self.rebates)

    def add(self, other: "Tally") -> None:
        """Add the figures of ``other``."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_NAMES: Final = tuple(each.name for each in fields(Tally))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of ``tallies``."""
    found = Tally()
    for each in tallies:
        found.add(each)
    return found
