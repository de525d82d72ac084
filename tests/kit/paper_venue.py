"""A venue on paper: the fill simulator with the market data that it sees, driven as a trading run drives it."""

from collections.abc import Sequence
from typing import Any

from predsurv.core.events import AccountEvent, CancelRejected, Fill, OrderCancelled, OrderRejected
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import MS, START, approved, book, market

LATENCY = 150 * MS


class PaperVenue:
    """The simulator with its market data; ``show`` drives it with events as the pipeline does.

    ``rules`` are fields of the market. Without ``events`` its book has 100 at 51 and 50 at 52.
    """

    def __init__(self, *events: Any, queue: QueueModel = "proportional", **rules: Any) -> None:
        self.market: Market = market(**rules)
        self.cache = MarketCache({self.market.venue})
        self.cache.add(self.market)
        self.rejection: str | None = None
        self.simulator = FillSimulator(self.cache, LATENCY, lambda _: self.rejection, queue)
        self.show(*(events or (book(asks=((51, 100), (52, 50)), key=self.market.key(0)),)))

    @property
    def venue(self) -> VenueName:
        return self.market.venue

    def show(self, *events: Any) -> list[AccountEvent]:
        """Let market events arrive, each after what is due by then."""
        answers: list[AccountEvent] = []
        for event in events:
            answers += self.simulator.due(event.ts_recv)
            self.cache.apply(event)
            answers += self.simulator.observe(event)
        return answers

    def send(self, command: Any, ts: int = START) -> list[AccountEvent]:
        """Send a command at ``ts`` and return what is due by its arrival."""
        self.simulator.submit(approved(command, ts))
        return list(self.simulator.due(ts + LATENCY))


def kinds(answers: Sequence[AccountEvent]) -> list[str]:
    """The names of the events."""
    return [type(answer).__name__ for answer in answers]


def fills(answers: Sequence[AccountEvent]) -> list[tuple[int, int]]:
    """Price and size of each fill."""
    return [(answer.price, answer.size) for answer in answers if isinstance(answer, Fill)]


def refusal(answers: Sequence[AccountEvent]) -> str:
    """The reason of the rejection that is the only answer."""
    (refused,) = answers
    assert isinstance(refused, OrderRejected | CancelRejected)
    return refused.reason


def cancels(answers: Sequence[AccountEvent]) -> list[tuple[str, str, int]]:
    """Order, reason and time of each cancel."""
    return [(each.client_order_id, each.reason, each.ts_recv) for each in answers if isinstance(each, OrderCancelled)]
