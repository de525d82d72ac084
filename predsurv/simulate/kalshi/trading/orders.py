"""Orders as Kalshi knows them: contracts in hundredths, prices of YES in micros, and the requests that make them."""

from typing import Final, NamedTuple

from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import OrderSide, Side
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.book import BookOrder
from predsurv.exchange.directory import InstrumentListing
from predsurv.simulate.kalshi.markets import KalshiListing, series_fee

HUNDREDTH: Final = 10_000
"""Micros in a hundredth of a contract."""
_RATE: Final = 70_000
_MAKER_RATE: Final = 17_500


class OrderRequest(NamedTuple):
    """A request for an order that was read. ``contracts`` in hundredths; ``expiration``: seconds UTC, 0 for none."""

    ticker: str
    side: Side
    contracts: int
    price: Price
    tif: str
    prevention: str
    client_order_id: str = ""
    expiration: int = 0
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    group: str = ""


class OrderError(NamedTuple):
    """Why the venue does not do what it was asked for."""

    status: int
    code: str
    details: str = ""


class KalshiOrder:
    """An order of the account. Counts in hundredths of contracts, money in micros, times in ns UTC.

    ``resting``: its rest in the book, None while it is in none. ``reason``: why it changed last.
    """

    __slots__ = (
        "created",
        "filled",
        "instrument",
        "listing",
        "maker_cost",
        "maker_fees",
        "order_id",
        "reason",
        "remaining",
        "request",
        "resting",
        "status",
        "taker_cost",
        "taker_fees",
        "updated",
    )

    def __init__(
        self, order_id: str, request: OrderRequest, listing: KalshiListing, instrument: InstrumentListing, created: int
    ) -> None:
        self.order_id = order_id
        self.request = request
        self.listing = listing
        self.instrument = instrument
        self.created = self.updated = created
        self.remaining = request.contracts
        self.filled = 0
        self.taker_cost = self.maker_cost = self.taker_fees = self.maker_fees = 0
        self.resting: BookOrder | None = None
        self.status = "resting"
        self.reason = ""

    @property
    def is_live(self) -> bool:
        """Whether it may still trade."""
        return self.status == "resting"


def contract_cost(request: OrderRequest, price: int, count: int) -> int:
    """Return what ``count`` of the outcome that an order buys cost (micros) at a ``price`` of YES."""
    own = price if request.side == "bid" else MICROS - price
    return own * count // 100


def fill_fee(listing: KalshiListing, request: OrderRequest, price: int, count: int, *, maker: bool) -> int:
    """Return the fee (micros) of a fill."""
    schedule = _schedule(listing)
    side: OrderSide = "buy" if request.side == "bid" else "sell"
    return (maker_fee if maker else taker_fee)(schedule, Price(price), Size(count * HUNDREDTH), side)


def _schedule(listing: KalshiListing) -> FeeSchedule:
    fee = series_fee(listing)
    multiplier = int(fee.multiplier)
    maker = _MAKER_RATE if fee.fee_type == "quadratic_with_maker_fees" else 0
    return FeeSchedule("kalshi", _RATE * multiplier, maker_rate=maker * multiplier)
