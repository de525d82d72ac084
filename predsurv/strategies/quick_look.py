"""Whether a group is worth a search, by its best prices alone: cheap, and never wrong about what is not."""

from typing import Final

from predsurv.core.ids import InstrumentKey
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS
from predsurv.state.view import View
from predsurv.strategies.claim_tiers import KnownTiers
from predsurv.strategies.claims import Claim, ClaimGroup

_RATE_MAX: Final = MICROS // 2
"""Up to this rate (millionths) of a fee on size · p(1−p) a better price stays better with its fee."""


def may_pay(group: ClaimGroup, view: View, edge: int, known: KnownTiers) -> bool:
    """Return whether best prices with fees leave ``edge`` (micros) a set; books of any age count, held or not."""
    return _leaves(group, view, edge, None) and _leaves(group, view, edge, known)


def _leaves(group: ClaimGroup, view: View, edge: int, fees: KnownTiers | None) -> bool:
    total_ask, total_bid, complete = 0, 0, group.exhaustive
    for claim in group.claims:
        ask, bid = claim_best(claim, view, fees)
        if ask is not None and bid - ask >= edge:
            return True
        complete = complete and ask is not None
        total_ask += ask or 0
        total_bid += bid
    return (complete and MICROS - total_ask >= edge) or total_bid - MICROS >= edge


def claim_best(claim: Claim, view: View, fees: KnownTiers | None = None) -> tuple[int | None, int]:
    """Return the least that a net share of ``claim`` costs in any book, and the most that it brings; micros.

    None where none is sold, 0 where nobody buys. ``fees``: with those that ``ClaimTiers`` counts, None for without.
    """
    ask: int | None = None
    bid = 0
    for source in claim.sources:
        lowest, highest = _best(source.yes, view, fees)
        if source.no is not None:
            no_lowest, no_highest = _best(source.no, view, fees)
            lowest = _least(lowest, _complement(no_highest))
            highest = max(highest or 0, _complement(no_lowest) or 0)
        ask, bid = _least(ask, lowest), max(bid, highest or 0)
    return ask, bid


def _best(key: InstrumentKey, view: View, fees: KnownTiers | None) -> tuple[int | None, int | None]:
    """Return the least that a share costs and the most that it brings, with ``fees`` as ``ClaimTiers`` counts them."""
    book = view.book(key)
    if book is None:
        return None, None
    ask, bid = book.best_ask(), book.best_bid()
    market = None if fees is None else view.market(key.venue, key.market_id)
    if fees is None or market is None or not _keeps_order(market.fee):
        return None if ask is None else ask[0], None if bid is None else bid[0]
    return (
        None if ask is None else ask[0] + fees.fee_share(market, key, ask[0], "buy"),
        None if bid is None else bid[0] - fees.fee_share(market, key, bid[0], "sell"),
    )


def _keeps_order(fee: FeeSchedule) -> bool:
    """Return whether no level of a book is better than its best one once fees are counted."""
    return fee.rate <= _RATE_MAX and isinstance(fee.exponent, int)


def _complement(price: int | None) -> int | None:
    return None if price is None else MICROS - price


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
