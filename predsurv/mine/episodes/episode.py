"""One episode and what is known of it; integers: money in micros, times in ns UTC."""

from typing import Final, Literal

from msgspec import Struct, field

from predsurv.core.ids import InstrumentKey
from predsurv.strategies.set_signals import SetSignal

DELAYS: Final = (50_000_000, 250_000_000, 1_000_000_000, 5_000_000_000)
"""How long (ns) after an episode began it is looked at what is left of it."""

EpisodeEnd = Literal["closed", "gap", "market", "end"]
"""Books moved on; a leg's book was not known any more; a market ended or paused; the recording ended. Of the last three
the true end is not known."""


class SetOffer(Struct, frozen=True):
    """The set of a group that pays most at a moment, at the depth that is there and after fees.

    ``profit``: what the least payout of any state is above the ``cost``. ``sets``: shares of its largest leg. ``legs``:
    the instruments to buy. ``signal``: what kind of set it is.
    """

    signal: SetSignal
    profit: int
    cost: int
    sets: int
    legs: tuple[InstrumentKey, ...]


class Episode(Struct, kw_only=True, eq=False):
    """From ``start`` to ``end`` the group ``name`` of ``venue`` had a set that paid.

    ``seen_from_start``: False when a leg's book became known at ``start`` only, so that it may have begun before.
    ``opened`` and ``peak``: the set at the beginning, and that of the most profit. ``integral``: profit summed over
    time, micros times ns. ``left``: the profit to be had after each of ``DELAYS``, None where it was not known.
    """

    venue: str
    name: str
    start: int
    end: int
    opened: SetOffer
    peak: SetOffer
    seen_from_start: bool
    ended: EpisodeEnd = "closed"
    integral: int = 0
    left: list[int | None] = field(default_factory=lambda: [None] * len(DELAYS))

    def add(self, offer: SetOffer, until: int) -> None:
        """Count ``offer`` from the present end on ``until`` then."""
        self.integral += offer.profit * (until - self.end)
        self.end = until
        if offer.profit > self.peak.profit:
            self.peak = offer

    @property
    def whole(self) -> bool:
        """Whether both its beginning and its end were observed, so that its duration is known."""
        return self.seen_from_start and self.ended == "closed"
