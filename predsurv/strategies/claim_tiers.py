"""What the books of a claim's markets offer, in one unit: net shares of the claim, yes less no.

A share of no pays what a dollar less a share of yes pays. So buying no is selling yes at 1 − price, selling no that is
held is buying yes back, and every book of every market of a claim becomes part of one ladder on each side.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import is_
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.market import FeeSchedule, Market, buys_enough, size_allowed
from predsurv.core.num import MICROS, Price, Size
from predsurv.state.book import BookView
from predsurv.state.view import View
from predsurv.strategies.claims import Claim, ClaimSource, held, net_held
from predsurv.strategies.tradable import is_tradable

LEVELS: Final = 10
"""Levels of each book that a set may take."""

LOT: Final = 10_000
"""Orders are sized in hundredths of a share, in micros."""

_FEE_SHARES: Final = 1_000
"""Shares over which a fee per share is averaged, so that the rounding of one share's fee is not multiplied."""

_BOOKS_MAX: Final = 4_096
"""Books, and claims, of which is known what they offer; with that many all are worked out again."""
_SHARES_MAX: Final = 65_536
"""Prices of which the fee is known; with that many all are worked out again."""

_SIDES: Final[tuple[OrderSide, OrderSide]] = ("buy", "sell")
_DAY: Final = 86_400 * 1_000_000_000


class Tier(Struct, frozen=True):
    """Up to ``size`` shares of ``key`` that trade at ``price``; micros.

    ``value``: what a net share costs to buy so or brings when sold so, after fees and the cost of capital.
    """

    value: int
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size


class ClaimTiers(Struct, frozen=True):
    """What is held of a claim (``net``, micros of a share), and what there is to buy, cheapest first, and to sell."""

    net: int
    buys: tuple[Tier, ...]
    sells: tuple[Tier, ...]


class TierTerms(Struct, frozen=True, kw_only=True):
    """How offers are valued.

    ``annual_return``: millionths a year that money has to earn until the market closes; where nobody stated when that
    is, it is taken for ``lockup_assumed`` (ns). A book without any event for ``leg_age_max`` (ns) offers nothing.
    ``may_buy``: whether shares may be bought, or only what is held be sold.
    """

    annual_return: int = 0
    lockup_assumed: int = 30 * _DAY
    leg_age_max: int = 60_000_000_000
    may_buy: bool = True

    def capital_cost(self, market: Market, now: int) -> int:
        """Return what a dollar spent in ``market`` has to earn until it closes, in micros."""
        locked = self.lockup_assumed if market.close_time is None else max(market.close_time - now, 0)
        return -(-self.annual_return * locked // (365 * _DAY))


class KnownTiers:
    """What was worked out of books and fees, for as long as these are the same: most books of a group are, at a search.

    One for a strategy; it changes no result.
    """

    def __init__(self) -> None:
        self._shares: dict[tuple[InstrumentKey, Price, OrderSide], tuple[FeeSchedule, int]] = {}
        self._purchases: dict[tuple[InstrumentKey, bool], _Purchases] = {}
        self._claims: dict[Claim, tuple[tuple[tuple[Tier, ...], ...], ClaimTiers]] = {}

    def fee_share(self, market: Market, key: InstrumentKey, price: Price, side: OrderSide) -> int:
        """Return ``fee_share`` of an instrument of ``market``."""
        known = self._shares.get((key, price, side))
        if known is None or known[0] is not market.fee:
            if len(self._shares) >= _SHARES_MAX:
                self._shares.clear()
            known = self._shares[key, price, side] = (market.fee, fee_share(market.fee, price, side))
        return known[1]

    def purchases(self, market: Market, book: BookView, capital: int, *, value_of_no: bool) -> tuple[Tier, ...]:
        """Return what is on sale in ``book``, which costs ``capital`` (micros of a dollar) beside its price and fee."""
        name, levels = (book.key, value_of_no), book.asks.top(LEVELS)
        known = self._purchases.get(name)
        if known is None or known.levels is not levels or known.fee is not market.fee or known.capital != capital:
            if len(self._purchases) >= _BOOKS_MAX:
                self._purchases.clear()
            tiers = tuple(self._on_sale(market, book.key, levels, capital, value_of_no=value_of_no))
            known = self._purchases[name] = _Purchases(levels, market.fee, capital, tiers)
        return known.tiers

    def claim(self, claim: Claim, net: int, parts: Sequence[tuple[Tier, ...]]) -> ClaimTiers:
        """Return what is held and offered of a claim, given the ``parts`` of what its books offer."""
        known = self._claims.get(claim)
        if known is None or known[1].net != net or not _same(known[0], parts):
            if len(self._claims) >= _BOOKS_MAX:
                self._claims.clear()
            known = self._claims[claim] = (tuple(parts), _put_together(claim, net, parts))
        return known[1]

    def _on_sale(
        self, market: Market, key: InstrumentKey, levels: Sequence[Level], capital: int, *, value_of_no: bool
    ) -> Iterator[Tier]:
        for price, size in levels:
            cost = price + self.fee_share(market, key, price, "buy")
            cost -= -cost * capital // MICROS
            whole = Size(size - size % LOT)
            if whole:
                yield Tier(MICROS - cost if value_of_no else cost, key, "buy", price, whole)


class _Purchases(NamedTuple):
    """What levels offer, and all that it follows from."""

    levels: tuple[Level, ...]
    fee: FeeSchedule
    capital: int
    tiers: tuple[Tier, ...]


def claim_tiers(claim: Claim, view: View, terms: TierTerms, known: KnownTiers | None = None) -> ClaimTiers:
    """Return what is held and offered of a claim; ``known`` from searches before.

    On venues with one book for both outcomes selling what is held and buying the other outcome is the same offer
    twice: where enough is held for an order, selling it comes first and nothing is bought beside it.
    """
    known = known or KnownTiers()
    parts = [part for source in claim.sources for part in _source_tiers(source, view, terms, known) if part]
    return known.claim(claim, net_held(claim, view), parts)


def _put_together(claim: Claim, net: int, parts: Iterable[tuple[Tier, ...]]) -> ClaimTiers:
    yes = {source.yes for source in claim.sources}
    buys: list[Tier] = []
    sells: list[Tier] = []
    for part in parts:
        raises = (part[0].side == "buy") == (part[0].key in yes)
        (buys if raises else sells).extend(part)
    buys.sort(key=lambda tier: tier.value)
    sells.sort(key=lambda tier: -tier.value)
    return ClaimTiers(net, tuple(buys), tuple(sells))


def _same(known: Sequence[object], parts: Sequence[object]) -> bool:
    return len(known) == len(parts) and all(map(is_, known, parts))


def allowed(market: Market, side: OrderSide, price: Price, size: Size) -> bool:
    """Return whether the venue takes an order of ``size`` up to ``price`` that only takes."""
    if not size_allowed(market, price, size, side=side, rests=False):
        return False
    return side == "sell" or buys_enough(market, price, size)


def may_be_allowed(market: Market, size: Size) -> bool:
    """Return whether the venue takes an order of ``size`` that only takes, at any price up to a dollar."""
    return any(allowed(market, side, Price(MICROS), size) for side in _SIDES)


def fee_share(fee: FeeSchedule, price: Price, side: OrderSide) -> int:
    """Return what a share pays of the fee of many that trade at ``price``, micros, rounded up."""
    return -(-taker_fee(fee, price, Size(_FEE_SHARES * MICROS), side) // _FEE_SHARES)


def usable_market(key: InstrumentKey, view: View, age_max: int) -> Market | None:
    """Return the market of ``key`` when it trades now and its book can be believed, else None."""
    market, book = view.market(key.venue, key.market_id), view.book(key)
    if market is None or book is None or not is_tradable(market, view) or view.now - book.ts_recv > age_max:
        return None
    return market


def _source_tiers(source: ClaimSource, view: View, terms: TierTerms, known: KnownTiers) -> Iterator[tuple[Tier, ...]]:
    yes = tuple(_sales(source.yes, view, terms, value_of_no=False))
    no = () if source.no is None else tuple(_sales(source.no, view, terms, value_of_no=True))
    yield yes
    yield no
    if terms.may_buy:
        if not no:
            yield _purchases(source.yes, view, terms, known, value_of_no=False)
        if source.no is not None and not yes:
            yield _purchases(source.no, view, terms, known, value_of_no=True)


def _purchases(
    key: InstrumentKey, view: View, terms: TierTerms, known: KnownTiers, *, value_of_no: bool
) -> tuple[Tier, ...]:
    market, book = usable_market(key, view, terms.leg_age_max), view.book(key)
    if market is None or book is None:
        return ()
    return known.purchases(market, book, terms.capital_cost(market, view.now), value_of_no=value_of_no)


def _sales(key: InstrumentKey, view: View, terms: TierTerms, *, value_of_no: bool) -> Iterator[Tier]:
    left = held(key, view) // LOT * LOT
    if not left:
        return
    market, book = usable_market(key, view, terms.leg_age_max), view.book(key)
    if market is None or book is None:
        return
    levels = book.bids.top(LEVELS)
    if not levels or not allowed(market, "sell", levels[0][0], Size(left)):
        return
    for price, size in levels:
        whole = Size(min(size - size % LOT, left))
        if whole:
            proceeds = price - fee_share(market.fee, price, "sell")
            yield Tier(MICROS - proceeds if value_of_no else proceeds, key, "sell", price, whole)
            left -= whole
