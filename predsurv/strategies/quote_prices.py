"""Where to quote: fair value, how fast it moves, half a spread that covers costs, and the shift for inventory."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from predsurv.core.durations import Duration
from predsurv.core.fees import maker_fee
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import BINARY, Market, next_on_grid, previous_on_grid
from predsurv.core.num import MICROS, Price, Ratio, Size, complement
from predsurv.state import features
from predsurv.state.book import BookView

MEMORY: Final = 16
"""Changes of the fair value over which their size is averaged."""

_SECOND: Final = 1_000_000_000

BOOKS_MAX: Final = 10_000
"""Books remembered; beyond it the oldest is dropped."""


class MarketMakerParams(Struct, frozen=True, kw_only=True):
    """Prices in micros, sizes in micros of a share, times in ns, ratios in millionths."""

    size: Annotated[
        Size, Meta(ge=1, description="Shares on each side; more where the rewards of a market ask for it.")
    ] = Size(20 * MICROS)
    inventory_max: Annotated[Size, Meta(ge=1, description="Most shares of one outcome to hold in a market.")] = Size(
        60 * MICROS
    )
    half_spread_min: Annotated[
        Price, Meta(ge=0, description="Distance from the fair value, unless the floor is higher or rewards want less.")
    ] = Price(10_000)
    move_cover: Annotated[
        Ratio,
        Meta(
            ge=0, description="How many average changes of the fair value the floor covers, beside a tick and the fee."
        ),
    ] = Ratio(2 * MICROS)
    skew_max: Annotated[Price, Meta(ge=0, description="Shift of both quotes with a full inventory.")] = Price(20_000)
    spread_min: Annotated[Price, Meta(ge=0, description="Least spread of a market in which to begin.")] = Price(20_000)
    price_min: Annotated[Price, Meta(ge=0, description="Lowest mid to quote at.")] = Price(100_000)
    price_max: Annotated[Price, Meta(le=MICROS, description="Highest mid to quote at.")] = Price(900_000)
    reward_size_max: Annotated[Size, Meta(ge=0, description="Most shares to quote for the sake of rewards.")] = Size(
        100 * MICROS
    )
    requote_interval: Annotated[
        Duration, Meta(ge=0, description="How long quotes stay at least; pulling them never waits.")
    ] = Duration(2 * _SECOND)
    stop_before: Annotated[
        Duration, Meta(ge=0, description="How long before the close of a market or the start of its game quoting ends.")
    ] = Duration(300 * _SECOND)
    markets_max: Annotated[int, Meta(ge=1, description="Most markets quoted at the same time.")] = 4


class FairValue(Struct, frozen=True):
    """A fair value, the average of its last changes, and the best prices around it; micros."""

    price: int
    moves: int
    bid: Price
    ask: Price


class QuotePrices(Struct, frozen=True):
    """What to quote of the first outcome, micros; None where no price of the grid is left. ``no_`` is the other's."""

    bid: Price | None
    ask: Price | None
    size: Size

    @property
    def no_bid(self) -> Price | None:
        """The bid for the second outcome: what offering the first at ``ask`` is."""
        return None if self.ask is None else complement(self.ask)

    @property
    def no_ask(self) -> Price | None:
        """The offer of the second outcome: what bidding ``bid`` for the first is."""
        return None if self.bid is None else complement(self.bid)


class FairValues:
    """The fair value of each book: its microprice."""

    def __init__(self) -> None:
        self._values: dict[InstrumentKey, FairValue] = {}

    def update(self, key: InstrumentKey, book: BookView) -> FairValue | None:
        """Return the fair value of a book now, None while a side is empty."""
        price, bid, ask = features.microprice(book), book.best_bid(), book.best_ask()
        if price is None or bid is None or ask is None:
            return None
        before = self._values.pop(key, None)
        moves = 0
        if before is not None:
            moves = before.moves + (abs(price - before.price) - before.moves) // MEMORY
        value = self._values[key] = FairValue(price, moves, bid[0], ask[0])
        if len(self._values) > BOOKS_MAX:
            del self._values[next(iter(self._values))]
        return value


def two_sided(market: Market) -> bool:
    """Return whether the market can be quoted on both sides: two outcomes that pay a dollar or nothing."""
    return market.market_type == BINARY and len(market.outcomes) == 2


def quote_prices(market: Market, fair: FairValue, net: int, params: MarketMakerParams) -> QuotePrices:
    """Return the quotes around ``fair`` for an inventory of ``net`` shares (micros; below 0 of the second outcome).

    Neither crosses the market. The distance is ``half_spread_min`` or that of the rewards if it is less, and never less
    than the floor: a tick, a maker's fee, and what the fair value moved lately.
    """
    fee = -(-maker_fee(market.fee, Price(min(max(fair.price, 1), MICROS - 1)), Size(1_000 * MICROS)) // 1_000)
    floor = market.tick_size + fee + fair.moves * params.move_cover // MICROS
    within = params.half_spread_min if market.reward_max_spread is None else market.reward_max_spread
    half = max(floor, min(params.half_spread_min, within))
    shift = params.skew_max * max(min(net, params.inventory_max), -params.inventory_max) // max(params.inventory_max, 1)
    below, above = fair.price - shift - half, fair.price - shift + half
    bid = previous_on_grid(market, Price(min(below + 1, fair.ask)))
    ask = next_on_grid(market, Price(max(above - 1, fair.bid)))
    return QuotePrices(bid, ask, _size(market, params, half))


def _size(market: Market, params: MarketMakerParams, half: int) -> Size:
    size = max(params.size, market.min_order_size)
    asked, within = market.reward_min_size, market.reward_max_spread
    if asked is not None and within is not None and half <= within and asked <= params.reward_size_max:
        size = max(size, asked)
    return size
