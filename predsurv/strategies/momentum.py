"""Momentum: follow a fast move of a market's price that its book agrees with; target, stop, time limit."""

from collections import deque
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta, Struct

from predsurv.core.durations import Duration
from predsurv.core.events import BookDelta, BookSnapshot, Event, Tick
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price, Ratio, Size
from predsurv.core.orders import Intent, Position
from predsurv.engine.interest import BookFilter, Interest
from predsurv.state import features
from predsurv.state.book import BookView
from predsurv.state.view import View
from predsurv.strategies.claim_tiers import LOT, allowed
from predsurv.strategies.tradable import has_ended, is_tradable

SAMPLES_MAX: Final = 64
"""Samples kept of a book; ``lookback`` is covered by as many at most."""

IMBALANCE_LEVELS: Final = 3

_SECOND: Final = 1_000_000_000


class MomentumParams(Struct, frozen=True, kw_only=True):
    """Prices and money in micros, times in ns, ratios in millionths."""

    lookback: Annotated[Duration, Meta(ge=1, description="Time over which a move is measured.")] = Duration(
        60 * _SECOND
    )
    move_min: Annotated[Price, Meta(ge=1, description="Least move of the microprice in that time.")] = Price(30_000)
    imbalance_min: Annotated[
        Ratio,
        Meta(ge=-MICROS, le=MICROS, description="Least surplus of size on the side of the move, over three levels."),
    ] = Ratio(300_000)
    spread_max: Annotated[Price, Meta(ge=0, description="Widest spread to cross.")] = Price(20_000)
    price_min: Annotated[Price, Meta(ge=0, description="Lowest price to buy at.")] = Price(150_000)
    price_max: Annotated[Price, Meta(le=MICROS, description="Highest price to buy at.")] = Price(850_000)
    clip: Annotated[Money, Meta(ge=1, description="Money for each entry.")] = Money(20 * MICROS)
    target: Annotated[
        Price, Meta(ge=0, description="Rise of the best bid above cost, after fees, at which to sell.")
    ] = Price(40_000)
    stop: Annotated[Price, Meta(ge=0, description="Fall of the best bid below cost at which to sell.")] = Price(30_000)
    hold_max: Annotated[Duration, Meta(ge=0, description="Longest time to hold.")] = Duration(300 * _SECOND)
    cooldown: Annotated[Duration, Meta(ge=0, description="How long to leave a market alone after an entry.")] = (
        Duration(120 * _SECOND)
    )
    markets_max: Annotated[int, Meta(ge=1, description="Most instruments with an order or a position.")] = 4


class Momentum:
    """Edge: news reaches a thin market in steps, because quotes follow each other and traders arrive one by one; a
    fast move that the sizes in the book still lean towards goes on more often than it turns.

    Entry: an immediate buy at the best ask, of YES after a rise and of NO after a fall of ``move_min`` within
    ``lookback``. Exit: an immediate sale at the best bid at ``target`` or ``stop``, or after ``hold_max``. Risk: it
    pays spread and taker fee twice, and buys the top of a move that turns; prices jump past the stop; a book that
    empties leaves it to settlement. Clip and number of markets are capped.
    """

    Params = MomentumParams
    name = StrategyName("momentum")
    signals = frozenset({"enter", "target", "stop", "timeout"})

    def __init__(self, params: MomentumParams | None = None) -> None:
        self._params = params or MomentumParams()
        narrow = BookFilter(spread_max=self._params.spread_max)
        self.interest = Interest(books="best", best_sizes=False, where=narrow, trades=False)
        self._samples: dict[InstrumentKey, deque[tuple[int, int]]] = {}  # (ns UTC, microprice)
        self._entered: dict[InstrumentKey, int] = {}  # when; of what is bought, or was lately

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        """Measure and enter on book changes; look at exits on those and on ticks."""
        if isinstance(event, BookDelta | BookSnapshot):
            market = view.market(event.key.venue, event.key.market_id)
            if market is None or event.key != market.key(0) or len(market.outcomes) != 2:
                return ()
            return (*self._exits(market.keys(), view), *self._enter(market, view))
        if isinstance(event, Tick):
            return self._exits(tuple(position.key for position in view.positions()), view)
        return ()

    def _enter(self, market: Market, view: View) -> Iterable[Intent]:
        key = market.key(0)
        book = view.book(key)
        move = None if book is None else self._move(key, book, view.now)
        if book is None or move is None or abs(move) < self._params.move_min or not is_tradable(market, view):
            return ()
        imbalance, spread = features.imbalance(book, IMBALANCE_LEVELS), features.spread(book)
        if imbalance is None or spread is None or spread > self._params.spread_max:
            return ()
        if (imbalance if move > 0 else -imbalance) < self._params.imbalance_min or self._is_busy(market, view):
            return ()
        return self._buy(market, market.key(0 if move > 0 else 1), view)

    def _buy(self, market: Market, key: InstrumentKey, view: View) -> Iterable[Intent]:
        params, book = self._params, view.book(key)
        best = None if book is None else book.best_ask()
        if best is None or not params.price_min <= best[0] <= params.price_max:
            return ()
        clip = min(params.clip, view.buying_room(key))
        size = Size(min(clip * MICROS // best[0], best[1]) // LOT * LOT)
        if not allowed(market, "buy", best[0], size):
            return ()
        self._entered[key] = view.now
        return (Intent(self.name, key, "buy", best[0], size, "ioc", "enter"),)

    def _exits(self, keys: Iterable[InstrumentKey], view: View) -> list[Intent]:
        orders = {order.key for order in view.open_orders(self.name)}
        held = ((key, view.position(key)) for key in keys if key not in orders)
        exits = (self._exit(key, position, view) for key, position in held if position is not None)
        return [each for each in exits if each is not None]

    def _exit(self, key: InstrumentKey, position: Position, view: View) -> Intent | None:
        market, book = view.market(key.venue, key.market_id), view.book(key)
        best = None if book is None else book.best_bid()
        if market is None or best is None or not is_tradable(market, view):
            return None
        size = Size(min(position.size, best[1]) // LOT * LOT)
        if not allowed(market, "sell", best[0], size):
            return None
        cost = position.cost * MICROS // position.size
        fees = sum(taker_fee(market.fee, Price(at), Size(MICROS)) for at in (cost, best[0]))
        since = self._entered.setdefault(key, view.now)  # held since before a restart
        if best[0] - fees >= cost + self._params.target:
            return Intent(self.name, key, "sell", best[0], size, "ioc", "target")
        if best[0] <= cost - self._params.stop:
            return Intent(self.name, key, "sell", best[0], size, "ioc", "stop")
        if view.now - since >= self._params.hold_max:
            return Intent(self.name, key, "sell", best[0], size, "ioc", "timeout")
        return None

    def _move(self, key: InstrumentKey, book: BookView, now: int) -> int | None:
        """Return by how much the microprice moved since ``lookback`` ago, None while less than that was seen."""
        price = features.microprice(book)
        if price is None:
            return None
        samples = self._samples.setdefault(key, deque(maxlen=SAMPLES_MAX))
        if not samples or now - samples[-1][0] >= self._params.lookback // (SAMPLES_MAX // 2):
            samples.append((now, price))
        since = now - self._params.lookback
        while len(samples) > 1 and samples[1][0] <= since:
            samples.popleft()
        return price - samples[0][1] if samples[0][0] <= since else None

    def _is_busy(self, market: Market, view: View) -> bool:
        """Return whether the market is cooling down, or as many as allowed are held or ordered in."""
        for key in [key for key, since in self._entered.items() if _is_over(key, since, self._params, view)]:
            del self._entered[key]
        if any(key in self._entered for key in market.keys()):  # noqa: SIM118 - a market is no mapping
            return True
        busy = {position.key for position in view.positions()} | {each.key for each in view.open_orders(self.name)}
        return len(busy) >= self._params.markets_max


def _is_over(key: InstrumentKey, since: int, params: MomentumParams, view: View) -> bool:
    market = view.market(key.venue, key.market_id)
    if view.position(key) is not None and market is not None and not has_ended(market, view):
        return False
    return view.now - since >= params.cooldown
