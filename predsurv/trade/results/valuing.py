"""What shares are worth by the last known book: at the best bid, at mid, and sold into the bids with fees."""

from collections.abc import Iterable

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import FeeSchedule
from predsurv.core.num import ZERO_MONEY, Money, Price, Size, notional
from predsurv.state.book import BookView
from predsurv.state.features import mid


class Mark(Struct, frozen=True, array_like=True):
    """The last known book of an instrument at ``ts`` (ns UTC), for valuing ``size`` shares; money in micros.

    ``bid`` is None without bids, ``mid`` without one side. ``trusted``: nothing was missed since. ``proceeds`` is what
    selling all shares into the bids would bring after fees, ``unsold`` the shares that they do not take.
    """

    key: InstrumentKey
    size: Size
    ts: int
    trusted: bool
    bid: Price | None
    mid: Price | None
    proceeds: Money
    unsold: Size


class Worth(Struct, frozen=True):
    """Shares at their best bid (0 without bids), at mid (at the best bid without one), and sold into the bids."""

    at_bid: Money
    at_mid: Money
    at_liquidation: Money


class Liquidation(Struct, frozen=True):
    """What selling into bids brings: ``proceeds`` after ``fees``, and the shares left ``unsold``; micros."""

    proceeds: Money
    fees: Money
    unsold: Size


def liquidate(bids: Iterable[Level], size: Size, fee: FeeSchedule) -> Liquidation:
    """Return what selling ``size`` shares into ``bids``, best first, brings; each level is a trade with its own fee."""
    proceeds, fees, left = 0, 0, int(size)
    for price, offered in bids:
        if not left:
            break
        sold = Size(min(left, offered))
        charged = taker_fee(fee, price, sold, "sell")
        proceeds += notional(price, sold) - charged
        fees += charged
        left -= sold
    return Liquidation(Money(proceeds), Money(fees), Size(left))


def mark_of(book: BookView, size: Size, fee: FeeSchedule) -> Mark:
    """Return the mark of ``size`` shares by ``book``, trusted or not."""
    best, middle = book.best_bid(), mid(book)
    sold = liquidate(book.bids.levels(), size, fee)
    return Mark(
        book.key,
        size,
        book.ts_recv,
        book.trusted and not book.crossed(),
        None if best is None else best[0],
        None if middle is None else Price(middle),
        sold.proceeds,
        sold.unsold,
    )


def worth(mark: Mark, size: Size) -> Worth:
    """Return what ``size`` of the shares of ``mark`` are worth; of the proceeds they have their part, rounded down."""
    bid = Price(0) if mark.bid is None else mark.bid
    part = mark.proceeds * size // mark.size if mark.size else ZERO_MONEY
    middle = bid if mark.mid is None else mark.mid
    return Worth(notional(bid, size), notional(middle, size), Money(part))


def at_cost(cost: Money) -> Worth:
    """Return the worth of shares whose book was never known: what they cost."""
    return Worth(cost, cost, cost)
