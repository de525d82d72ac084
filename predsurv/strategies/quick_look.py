"""Whether a group is worth a search, by its best prices alone: cheap, and never wrong about what is not."""

from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.state.view import View
from predsurv.strategies.claims import Claim, ClaimGroup


def may_pay(group: ClaimGroup, view: View, edge: int) -> bool:
    """Return whether best prices without fees leave ``edge`` (micros) a set; books of any age count, held or not."""
    total_ask, total_bid, complete = 0, 0, group.exhaustive
    for claim in group.claims:
        ask, bid = claim_best(claim, view)
        if ask is not None and bid - ask >= edge:
            return True
        complete = complete and ask is not None
        total_ask += ask or 0
        total_bid += bid
    return (complete and MICROS - total_ask >= edge) or total_bid - MICROS >= edge


def claim_best(claim: Claim, view: View) -> tuple[int | None, int]:
    """Return the least that a net share of ``claim`` costs in any book, and the most that it brings; micros, no fees.

    None where none is sold, 0 where nobody buys.
    """
    ask: int | None = None
    bid = 0
    for source in claim.sources:
        lowest, highest = _best(source.yes, view)
        if source.no is not None:
            no_lowest, no_highest = _best(source.no, view)
            lowest = _least(lowest, _complement(no_highest))
            highest = max(highest or 0, _complement(no_lowest) or 0)
        ask, bid = _least(ask, lowest), max(bid, highest or 0)
    return ask, bid


def _best(key: InstrumentKey, view: View) -> tuple[int | None, int | None]:
    book = view.book(key)
    if book is None:
        return None, None
    ask, bid = book.best_ask(), book.best_bid()
    return None if ask is None else ask[0], None if bid is None else bid[0]


def _complement(price: int | None) -> int | None:
    return None if price is None else MICROS - price


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
