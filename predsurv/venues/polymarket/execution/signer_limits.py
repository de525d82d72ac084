"""What a signer may send: one bucket of tokens for orders and one for cancels, as large as its tier.

Source: docs.polymarket.com/api-reference/trading-rate-limits of autumn 2026. The venue assigns tiers by volume and
refreshes them every three hours, so each answer that names one is believed.
"""

import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

from predsurv.core.text import sanitise
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock, RequestLevel
from predsurv.venues.requests import VenueRequest

TIER_HEADER: Final = "Poly-RateLimit-Tier"
REMAINING_HEADER: Final = "Poly-RateLimit-Remaining"
_S: Final = 1_000_000_000
_LOG = logging.getLogger(__name__)


class SignerTier(NamedTuple):
    """Orders a second, and at once; cancels likewise."""

    orders: int
    orders_burst: int
    cancels: int
    cancels_burst: int


STANDARD: Final = SignerTier(40, 60, 80, 120)
TIERS: Final[Mapping[str, SignerTier]] = {
    "standard": STANDARD,
    "copper": SignerTier(60, 90, 120, 180),
    "bronze": SignerTier(80, 120, 160, 240),
    "silver": SignerTier(200, 300, 400, 600),
    "gold": SignerTier(400, 600, 800, 1_200),
    "platinum": SignerTier(450, 675, 900, 1_350),
    "diamond": SignerTier(525, 787, 1_050, 1_575),
    "elite": SignerTier(600, 900, 1_200, 1_800),
}


class SignerLimits:
    """The two buckets of one signer. ``tier``: its name as the venue said it, "" before that."""

    def __init__(self, clock: Clock) -> None:
        self.tier = ""
        self.orders = TokenBucket(clock, tokens=STANDARD.orders, period=_S, burst=STANDARD.orders_burst)
        self.cancels = TokenBucket(clock, tokens=STANDARD.cancels, period=_S, burst=STANDARD.cancels_burst)

    @property
    def rates(self) -> SignerTier:
        """Return the rates that are kept to: those of the lowest tier where the venue names none that is known."""
        return TIERS.get(self.tier, STANDARD)

    def bucket_of(self, request: VenueRequest) -> TokenBucket:
        """Return the bucket that pays for a request."""
        return self.cancels if request.method == "DELETE" else self.orders

    def adopt(self, tier: str) -> None:
        """Keep to the limits of a tier from now on."""
        name = sanitise(tier.strip().lower(), 40)
        if not name or name == self.tier:
            return
        self.tier, rates = name, TIERS.get(name, STANDARD)
        if name not in TIERS:
            _LOG.warning("polymarket: nothing is known of rate limit tier %s; the limits of standard are kept to", name)
        self.orders.resize(rates.orders, rates.orders_burst)
        self.cancels.resize(rates.cancels, rates.cancels_burst)

    def heed(self, bucket: TokenBucket, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says of the tier, and of what is left: others may send with the same key."""
        self.adopt(headers.get(TIER_HEADER, ""))
        left = headers.get(REMAINING_HEADER, "").strip()
        if left.removeprefix("-").isdecimal() and left.isascii() and len(left) <= 9:
            bucket.lower_to(int(left))

    def levels(self) -> Mapping[str, RequestLevel]:
        """Return the room of both."""
        return {"orders": self.orders.level(), "cancels": self.cancels.level()}
