"""A broker that trades on paper against the market events it is shown.

Kept apart from the fill model, which knows no account: here is the money that a venue would hold
for us, and the answers it would give.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Final

from msgspec import Struct

from predsurv.core.events import AccountEvent, Fill, MarketEvent, MarketResolved
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, StrategyName, VenueName
from predsurv.core.market import NO_FEE
from predsurv.core.num import notional_up
from predsurv.core.orders import AccountSnapshot, Approved, Order, PlaceOrder
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.books.primary import PrimaryBooks
from predsurv.engine.fills.fill_reports import KNOWN_IDS_MAX
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.simulator import FillSimulator
from predsurv.state.market_cache import MarketCache

ANSWERS_MAX: Final = 10_000
"""Answers kept for a listener of ``events``."""


class PaperSettings(Struct, frozen=True):
    """Which venue is imitated and how long a command takes to reach it (ns)."""

    venue: VenueName
    latency: int


class PaperBroker:
    """``ports.Broker`` in the time of the events: nothing happens between two of them.

    Whoever drives it calls ``due`` before and ``observe`` after each market event, with the event
    merged into ``cache`` in between, and passes on what they yield; ``events`` says the same to a
    listener that does not drive.
    """

    def __init__(self, terms: PaperSettings, cache: MarketCache, mirror: PrimaryBooks, account: Portfolio) -> None:
        self._terms, self._cache, self._account = terms, cache, account
        self._matching = FillSimulator(cache, mirror, terms.latency, self._admit)
        self._owners: dict[ClientOrderId, StrategyName] = {}
        self._said: deque[AccountEvent] = deque(maxlen=ANSWERS_MAX)
        self._more = asyncio.Event()
        self._closed = False
        self._now = 0

    async def submit(self, command: Approved) -> None:
        """Take a command; it arrives ``latency`` after it was approved."""
        if isinstance(command.command, PlaceOrder):
            self._owners[command.command.client_order_id] = command.command.strategy
            if len(self._owners) > KNOWN_IDS_MAX:
                del self._owners[next(iter(self._owners))]
        self._matching.submit(command)

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield the answers to commands that have arrived by ``ts`` (ns UTC)."""
        self._now = max(self._now, ts)
        for answer in self._matching.due(ts):
            yield self._book(answer)

    def observe(self, event: MarketEvent) -> Iterator[AccountEvent]:
        """Yield what a market event, already in the cache, did to our orders."""
        for answer in self._matching.observe(event):
            yield self._book(answer)
        if isinstance(event, MarketResolved):
            self._account.settle(event)

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield every answer until closed; of those nobody asked for, the last ``ANSWERS_MAX``."""
        while self._said or not self._closed:
            while self._said:
                yield self._said.popleft()
            self._more.clear()
            if not self._closed:
                await self._more.wait()

    async def snapshot(self) -> AccountSnapshot:
        """Return the paper account."""
        return AccountSnapshot(
            self._now,
            self._account.cash(self._terms.venue),
            tuple(each for each in self._account.lots.positions() if each.key.venue == self._terms.venue),
            tuple(map(_as_order, self._matching.resting())),
        )

    async def aclose(self) -> None:
        """End ``events``; safe to call twice."""
        self._closed = True
        self._more.set()

    def _book(self, answer: AccountEvent) -> AccountEvent:
        if isinstance(answer, Fill):
            self._account.fill(self._owners[answer.client_order_id], answer)
        self._said.append(answer)
        self._more.set()
        return answer

    def _admit(self, command: PlaceOrder) -> str | None:
        resting = [each for each in self._matching.resting() if each.command.side == command.side]
        if command.side == "sell":
            held = self._account.lots.held(command.strategy, command.key)
            selling = sum(each.remaining for each in resting if _same_shares(each.command, command))
            return None if held is not None and held.size - selling >= command.size else "insufficient_position"
        claimed = sum(notional_up(each.command.price, each.remaining) for each in resting)
        market = self._cache.market(command.key.venue, command.key.market_id)
        fee = taker_fee(NO_FEE if market is None else market.fee, command.price, command.size)
        cost = notional_up(command.price, command.size) + fee
        return None if cost <= self._account.cash(self._terms.venue) - claimed else "insufficient_cash"


def _same_shares(one: PlaceOrder, other: PlaceOrder) -> bool:
    return one.key == other.key and one.strategy == other.strategy


def _as_order(resting: QueuePosition) -> Order:
    command = resting.command
    return Order(
        command.client_order_id,
        command.strategy,
        command.key,
        command.side,
        command.price,
        command.size,
        command.tif,
        "open",
        type(command.size)(command.size - resting.remaining),
        0,
        None,
        command.group,
        command.post_only,
    )
