"""Books that the simulator does not ask for may be passed over: its answers are the same."""

import pytest

from predsurv.core.events import BookDelta, MarketEvent, Trade
from predsurv.core.orders import Approved
from predsurv.engine.books.consumed import HeededBook, HeededPlace
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.state.market_cache import MarketCache
from tests.kit.fill_worlds import FillWorld
from tests.kit.trading_samples import YES


class Follower(FillSimulator):
    """A simulator that does what another one does, but sees only what it asked for."""

    def __init__(self, leader: FillSimulator, cache: MarketCache, model: QueueModel) -> None:
        super().__init__(cache, 0, lambda _: None, model)
        self.passed, self.followed = 0, cache
        self.known: list[HeededBook] = []
        self.answers: list[tuple[object, object]] = []
        observe, due, submit = leader.observe, leader.due, leader.submit

        def both_observe(event: MarketEvent) -> object:
            told = list(observe(event))
            self.answers.append((told, list(self._see(event))))
            return iter(told)

        def both_due(ts: int) -> object:
            told = list(due(ts))
            self.answers.append((told, list(self.due(ts))))
            return iter(told)

        def both_submit(approved: Approved, latency: int | None = None) -> None:
            submit(approved, latency)
            self.submit(approved, latency)

        leader.observe, leader.due, leader.submit = both_observe, both_due, both_submit  # type: ignore[method-assign, assignment]

    def _see(self, event: MarketEvent) -> list[object]:
        heeded = list(self.heeded(YES))
        if any(YES in each for each in self.touched):
            self.known = heeded
            for each in self.touched:
                each.clear()
        assert heeded == self.known, "it is the same until it is touched"
        if isinstance(event, Trade) and not any(book.trades for book in heeded):
            self.primary_trades.once(event)
        elif isinstance(event, BookDelta) and not any(
            self._is_in(event, place) for book in heeded for place in book.places
        ):
            self.passed += 1
        else:
            return list(self.observe(event))
        return []

    def _is_in(self, event: BookDelta, place: HeededPlace) -> bool:
        if event.side != place.side:
            return False
        if not place.through:
            return event.price == place.price
        book = self.followed.book(YES)
        best = None if book is None else book.best_bid() if event.side == "bid" else book.best_ask()
        reached = [event.price] if best is None else [event.price, best[0]]
        return any(each >= place.price if event.side == "bid" else each <= place.price for each in reached)


@pytest.mark.parametrize("model", ["pessimistic", "proportional", "optimistic"])
def test_what_is_not_asked_for_changes_nothing(model: QueueModel) -> None:
    passed = 0
    for seed in range(120):
        world = FillWorld(seed, model)
        cache = world.twins.cache
        follower = Follower(world.twins.simulator, cache, model)
        world.play()
        assert [(told, same) for told, same in follower.answers if told != same] == [], seed
        passed += follower.passed
    assert passed > 100
