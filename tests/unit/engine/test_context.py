"""A strategy sees all market data, and only its own positions and orders."""

from predsurv.core.events import VenuePhase
from predsurv.core.ids import EventId, StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.engine.context import StrategyContext
from predsurv.state.view import View
from tests.kit.trading_samples import ME, NO, START, YES, V, World, book, gap, market, place


def test_a_strategy_sees_its_own_positions_and_orders_only() -> None:
    world = World().hold(10).show(book())
    mine: View = StrategyContext(ME, world.cache, world.books, world.account, world.risk)
    others: View = StrategyContext(StrategyName("other"), world.cache, world.books, world.account, world.risk)
    position = mine.position(YES)
    assert position is not None
    assert position.cost == 5 * MICROS
    assert others.position(YES) is None
    world.account.place(place("x"), START)
    assert [order.client_order_id for order in mine.open_orders(ME)] == ["x"]
    assert others.open_orders(StrategyName("other")) == ()


def test_a_strategy_sees_markets_trusted_books_and_free_cash() -> None:
    world = World().show(book())
    view = StrategyContext(ME, world.cache, world.books, world.account, world.risk)
    assert view.now == START
    assert view.market(V, YES.market_id) == market()
    assert view.siblings(V, EventId("e-m")) == (market(),)
    assert view.cash(V) == Money(10_000 * MICROS)
    state = view.state(YES)
    assert state is not None
    assert state.tick_size == market().tick_size
    assert view.book(NO) is not None
    world.show(gap())
    assert view.book(YES) is view.book(NO) is None


def test_a_strategy_sees_what_its_venue_accepts() -> None:
    world = World()
    view = StrategyContext(ME, world.cache, world.books, world.account, world.risk)
    assert view.phase(V) == "open"
    world.show(VenuePhase(V, START, None, "post_only", "{}"))
    assert view.phase(V) == "post_only"
