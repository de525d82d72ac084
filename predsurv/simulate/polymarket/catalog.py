"""The exchange's markets under Polymarket's names: numbers, condition ids, tokens, events.

Each outcome of a market with many outcomes is, as on the venue, a binary market of one neg-risk event.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.ids import EventId, InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import TapeSettlement
from predsurv.simulate.polymarket import ids
from predsurv.simulate.polymarket.books import Outcome

_FIRST_MARKET: Final = 500_001
_FIRST_EVENT: Final = 30_001


class SimulatedEvent(Struct):
    """An event as Gamma lists it."""

    number: int
    slug: str
    title: str
    markets: list["SimulatedMarket"]


class SimulatedMarket(Struct, kw_only=True):
    """A binary market as Gamma lists it; ``market`` is the exchange's latest record, ``book`` the number of its book.

    ``version``: ``v2`` for one that trades position ids on the exchange V3, else ``v1``.
    ``label``: its outcome of an exchange market with many outcomes, else "". ``listed_at`` and ``closed_at`` (None
    while it is open) in ns UTC. ``payout``: value of a share of the first token (micros), None before settlement.
    """

    number: int
    condition: str
    tokens: tuple[str, str]
    book: int
    key: InstrumentKey
    event: SimulatedEvent
    market: Market
    question: str
    outcomes: tuple[str, str]
    label: str
    slug: str
    neg_risk: bool
    listed_at: int
    version: str = "v1"
    payout: int | None = None
    void: bool = False
    closed_at: int | None = None

    @property
    def is_closed(self) -> bool:
        """Whether trading ended for good."""
        return self.market.status in ("closed", "resolved", "void")

    @property
    def is_settled(self) -> bool:
        """Whether the market is settled and has no order book any more."""
        return self.payout is not None


class ListedToken(NamedTuple):
    """A token: its market, and whether it is the first or second token of that."""

    row: SimulatedMarket
    outcome: Outcome


class SimulatedCatalog:
    """Every market and event ever listed, in order of listing (``rows``, ``events``).

    ``v2_every``: one in so many is of version ``v2``, 0 for none.
    """

    def __init__(self, exchange: Exchange, v2_every: int = 0) -> None:
        self.rows: list[SimulatedMarket] = []
        self.events: list[SimulatedEvent] = []
        self._exchange, self._v2_every = exchange, v2_every
        self._by_market: dict[MarketId, list[SimulatedMarket]] = {}
        self._by_condition: dict[str, SimulatedMarket] = {}
        self._by_token: dict[str, ListedToken] = {}
        self._by_event: dict[EventId, SimulatedEvent] = {}
        self._by_book: dict[int, SimulatedMarket] = {}
        for market in exchange.markets():
            self.add(market)

    def add(self, market: Market) -> list[SimulatedMarket]:
        """List a market of the exchange; return its rows, none when it is listed already."""
        if market.market_id in self._by_market:
            return []
        event = self._by_event.get(market.event_id)
        if event is None:
            number = _FIRST_EVENT + len(self.events)
            title = market.description or market.question
            event = self._by_event[market.event_id] = SimulatedEvent(number, ids.slug(title, number), title, [])
            self.events.append(event)
        primary_keys = market.primary_keys(mirrored=True)
        rows = [self._new_row(market, index, event) for index in range(len(primary_keys))]
        self._by_market[market.market_id] = rows
        for row in rows:
            self._index(row)
        return rows

    def update(self, market: Market) -> list[SimulatedMarket]:
        """Give the rows of a market of the exchange its latest record and return them."""
        rows = self._by_market.get(market.market_id, [])
        for row in rows:
            row.market = market
            if row.is_closed and row.closed_at is None:
                row.closed_at = self._exchange.now
        return rows

    def settle(self, event: TapeSettlement) -> list[SimulatedMarket]:
        """Set the payouts of a settled market and return its rows."""
        rows = self.update(event.market)
        for row, (_, payout) in zip(rows, event.payouts, strict=False):
            row.payout = payout
            row.void = event.void
        return rows

    def by_condition(self, name: str) -> SimulatedMarket | None:
        """Return the market with a condition id, None for an unknown one."""
        return self._by_condition.get(name)

    def by_token(self, name: str) -> ListedToken | None:
        """Return the market of a token and the token's outcome, None for an unknown one."""
        return self._by_token.get(name)

    def by_book(self, number: int) -> SimulatedMarket | None:
        """Return the market that trades in a book of the exchange, None for an unknown one."""
        return self._by_book.get(number)

    def by_number(self, name: str) -> SimulatedMarket | None:
        """Return the market with a Gamma number, None for an unknown one."""
        index = int(name) - _FIRST_MARKET if name.isascii() and name.isdigit() and len(name) < 12 else -1
        return self.rows[index] if 0 <= index < len(self.rows) else None

    def event_by_number(self, name: str) -> SimulatedEvent | None:
        """Return the event with a Gamma number, None for an unknown one."""
        index = int(name) - _FIRST_EVENT if name.isascii() and name.isdigit() and len(name) < 12 else -1
        return self.events[index] if 0 <= index < len(self.events) else None

    def current(self, row: SimulatedMarket) -> Market:
        """Return the exchange's record of a market with its current volume."""
        return self._exchange.directory.market(row.market.market_id)

    def _new_row(self, market: Market, index: int, event: SimulatedEvent) -> SimulatedMarket:
        seed, number = self._exchange.seed, _FIRST_MARKET + len(self.rows)
        has_many_outcomes = len(market.outcomes) > 2
        name = market.outcomes[index].instrument_id
        label = market.outcomes[index].label
        question = f"{market.question.rstrip('?')}: {label}?" if has_many_outcomes else market.question
        location = self._exchange.directory.locate(market.key(index))
        is_v2 = bool(self._v2_every) and number % self._v2_every == 0
        token = ids.position_id if is_v2 else ids.token_id
        row = SimulatedMarket(
            number=number,
            condition=ids.condition_id(seed, name),
            tokens=(token(seed, name), token(seed, f"not {name}")),
            book=-1 if location is None else location.book,
            key=market.key(index),
            event=event,
            market=market,
            question=question,
            outcomes=("Yes", "No") if has_many_outcomes else (label, market.outcomes[1].label),
            label=label if has_many_outcomes else "",
            slug=ids.slug(question, number),
            neg_risk=market.neg_risk or has_many_outcomes,
            listed_at=self._exchange.now,
            version="v2" if is_v2 else "v1",
        )
        self.rows.append(row)
        event.markets.append(row)
        return row

    def _index(self, row: SimulatedMarket) -> None:
        self._by_condition[row.condition] = row
        self._by_book[row.book] = row
        self._by_token[row.tokens[0]] = ListedToken(row, 0)
        self._by_token[row.tokens[1]] = ListedToken(row, 1)


def payouts(row: SimulatedMarket) -> Iterator[Price]:
    """Yield the value of a share of each token of a settled market."""
    payout = row.payout or 0
    yield Price(payout)
    yield Price(MICROS - payout)
