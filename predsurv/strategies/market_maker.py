"""Market making: quote both sides around a fair value that inventory shifts, within what the rewards ask for."""

from collections.abc import Iterable, Iterator

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    FillFailed,
    Gap,
    MarketChange,
    Tick,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price, Size, notional
from predsurv.core.orders import CancelIntent, Intent, Quotes
from predsurv.engine.interest import BookFilter, Interest
from predsurv.state import features
from predsurv.state.book import BookView
from predsurv.state.view import View
from predsurv.strategies.claim_tiers import LOT, allowed
from predsurv.strategies.claims import held
from predsurv.strategies.quote_prices import FairValues, MarketMakerParams, QuotePrices, quote_prices, two_sided
from predsurv.strategies.tradable import is_tradable


class MarketMaking:
    """Edge: buyers and sellers who want to trade now pay the spread; venues pay rewards for quotes near the mid.

    Quotes of one size rest on both sides of the microprice, half a spread away that covers fees, a tick and what
    prices moved lately. Inventory shifts both, so that what is held is more likely sold than added to. To be short
    is to hold NO. Where the market's rewards are known, quotes are as large as they ask and within their distance of
    the fair value, if the floor allows it.
    Exit: inventory leaves through the quotes; ``stop_before`` the market's close or its game's start quotes are pulled
    and what is held is sold at the best bid. Risk: adverse selection (quotes trade when they are wrong), inventory
    through news up to ``inventory_max`` a market, a game that starts unannounced. Quotes are pulled on a gap, an
    untrusted book, a pause.
    """

    Params = MarketMakerParams
    name = StrategyName("market_maker")
    signals = frozenset({"quote", "pull", "flatten"})

    def __init__(self, params: MarketMakerParams | None = None) -> None:
        self._params = params or MarketMakerParams()
        wide = BookFilter(spread_min=self._params.spread_min)
        self.interest = Interest(books="best", where=wide, trades=False, coverage=True)
        self._fair = FairValues()
        self._active: dict[tuple[VenueName, MarketId], int] = {}  # markets quoted, and when they were last (ns UTC)

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent | Quotes]:
        """Quote anew when a best price changes; pull at gaps and pauses at once, and on ticks what is due."""
        if isinstance(event, Fill | FillFailed):
            self._active[(event.key.venue, event.key.market_id)] = 0  # another inventory is quoted at once
        if isinstance(event, BookDelta | BookSnapshot | Gap | Unwanted | Fill | FillFailed):
            return self._look(view.market(event.key.venue, event.key.market_id), view)
        if isinstance(event, MarketChange):
            return self._look(view.market(event.venue, event.market_id), view)
        if isinstance(event, Tick | VenuePhase):
            self._adopt(view)
            return [each for name in tuple(self._active) for each in self._look(view.market(*name), view)]
        return ()

    def _look(self, market: Market | None, view: View) -> tuple[Intent | CancelIntent | Quotes, ...]:
        if market is None or not two_sided(market) or view.phase(market.venue) == "closed":
            return ()
        name = (market.venue, market.market_id)
        book = view.book(market.key(0))
        if not self._may_quote(market, book, view):
            quoted = self._active.pop(name, None) is not None or _is_engaged(market, view, self.name)
            return (*self._pull(market), *self._flatten(market, view)) if quoted else ()
        if name not in self._active and (len(self._active) >= self._params.markets_max or not self._is_wide(book)):
            return ()
        fair = None if book is None else self._fair.update(market.key(0), book)
        if fair is None or view.now - self._active.get(name, 0) < self._params.requote_interval:
            return ()
        prices = quote_prices(market, fair, _net(market, view), self._params)
        self._active[name] = view.now
        return tuple(self._quotes(market, prices, view))

    def _may_quote(self, market: Market, book: BookView | None, view: View) -> bool:
        if book is None or not is_tradable(market, view):
            return False
        middle = features.mid(book)
        if middle is None or not self._params.price_min <= middle <= self._params.price_max:
            return False
        return not self._ends(market, view)

    def _ends(self, market: Market, view: View) -> bool:
        ends = (at for at in (market.close_time, market.game_start) if at is not None)
        return any(view.now >= at - self._params.stop_before for at in ends)

    def _is_wide(self, book: BookView | None) -> bool:
        spread = None if book is None else features.spread(book)
        return spread is not None and spread >= self._params.spread_min

    def _quotes(self, market: Market, prices: QuotePrices, view: View) -> Iterator[Quotes]:
        """Yield the quotes of both outcomes: a side sells what is held of one, else it buys the other."""
        size, limit, net = prices.size, self._params.inventory_max, _net(market, view)
        yes, no = market.key(0), market.key(1)
        sell_yes, sell_no = (_sellable(market, key, size, view) for key in (yes, no))
        buy_yes = size if not sell_no and net + size <= limit else Size(0)
        buy_no = size if not sell_yes and size - net <= limit else Size(0)
        bid, ask = prices.bid, prices.ask
        for key, buys, sells, below, above in (
            (yes, buy_yes, sell_yes, bid, ask),
            (no, buy_no, sell_no, prices.no_bid, prices.no_ask),
        ):
            affordable = Size(0) if below is None else _buyable(market, key, below, buys, view)
            yield Quotes(
                self.name,
                key,
                (below, affordable) if below is not None and affordable else None,
                (above, sells) if above is not None and sells else None,
                "quote",
            )

    def _pull(self, market: Market) -> Iterator[Quotes]:
        return (Quotes(self.name, key, None, None, "pull") for key in market.keys())  # noqa: SIM118 - no mapping

    def _flatten(self, market: Market, view: View) -> Iterator[Intent]:
        """Yield sales of what is held where quoting ends for good; after a gap or a pause it is kept."""
        if not self._ends(market, view) or not is_tradable(market, view):
            return
        orders = {order.key for order in view.open_orders(self.name)}
        for key in market.keys():  # noqa: SIM118 - a market is no mapping
            book, size = view.book(key), Size(held(key, view) // LOT * LOT)
            best = None if book is None else book.best_bid()
            if best is not None and size and key not in orders and allowed(market, "sell", best[0], size):
                yield Intent(self.name, key, "sell", best[0], size, "ioc", "flatten")

    def _adopt(self, view: View) -> None:
        """Take up the markets that are held, also from before a restart."""
        for position in view.positions():
            self._active.setdefault((position.key.venue, position.key.market_id), 0)


def _net(market: Market, view: View) -> int:
    return held(market.key(0), view) - held(market.key(1), view)


def _sellable(market: Market, key: InstrumentKey, size: Size, view: View) -> Size:
    """Return how much of what is held to offer: as much as the quote's size, nothing below the minimum."""
    offered = Size(min(held(key, view) // LOT * LOT, size))
    return offered if offered >= max(market.min_order_size, 1) else Size(0)


def _buyable(market: Market, key: InstrumentKey, price: Price, size: Size, view: View) -> Size:
    """Return how much of ``size`` the limits leave to bid for beside what rests, nothing below the minimum."""
    own = (order for order in view.open_orders(MarketMaking.name) if order.key == key and order.side == "buy")
    room = view.buying_room(key) + sum(notional(order.price, order.remaining) for order in own)
    bid = Size(min(size, room * MICROS // price // LOT * LOT))
    return bid if bid >= max(market.min_order_size, 1) else Size(0)


def _is_engaged(market: Market, view: View, strategy: StrategyName) -> bool:
    keys = market.keys()
    return any(held(key, view) for key in keys) or any(order.key in keys for order in view.open_orders(strategy))
