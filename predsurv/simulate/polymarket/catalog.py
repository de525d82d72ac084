"""The exchange's markets under Polymarket's names: numbers, condition ids, tokens, events.

Kept apart because REST and the stream must agree about every name. The exchange also has markets
of many outcomes; here, as on the venue, each outcome is a yes-or-no market of one neg-risk event.
"""

from collections.abc import Iterable, Iterator
from typing import Final

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
    """An event: its number, its address and the markets in it."""

    number: int
    slug: str
    title: str
    members: list["SimulatedMarket"]


class SimulatedMarket(Struct, kw_only=True):
    """One yes-or-no market as the venue lists it; ``market`` is the exchange's record as of now.

    ``payout`` is what a share of the first token paid (micros), None before settlement.
    """

    number: int
    condition: str
    tokens: tuple[str, str]
    book: int
    key: InstrumentKey
    group: SimulatedEvent
    market: Market
    question: str
    outcomes: tuple[str, str]
    label: str
    slug: str
    neg_risk: bool
    listed_at: int
    payout: int | None = None
    void: bool = False

    @property
    def over(self) -> bool:
        """Whether it is settled: no order book any more."""
        return self.payout is not None


class SimulatedCatalog:
    """Every market there is or was, in order of listing."""

    def __init__(self, exchange: Exchange) -> None:
        self.rows: list[SimulatedMarket] = []
        self.groups: list[SimulatedEvent] = []
        self._exchange = exchange
        self._by_market: dict[MarketId, list[SimulatedMarket]] = {}
        self._by_condition: dict[str, SimulatedMarket] = {}
        self._by_token: dict[str, tuple[SimulatedMarket, Outcome]] = {}
        self._by_event: dict[EventId, SimulatedEvent] = {}
        self._by_book: dict[int, SimulatedMarket] = {}
        for market in exchange.markets():
            self.add(market)

    def add(self, market: Market) -> list[SimulatedMarket]:
        """List a market of the exchange; returns what it became, nothing when it is listed already."""
        if market.market_id in self._by_market:
            return []
        group = self._by_event.get(market.event_id)
        if group is None:
            number = _FIRST_EVENT + len(self.groups)
            title = market.description or market.question
            group = self._by_event[market.event_id] = SimulatedEvent(number, ids.slug(title, number), title, [])
            self.groups.append(group)
        rows = [self._row(market, index, group) for index in _outcomes(market)]
        self._by_market[market.market_id] = rows
        for row in rows:
            self._enter(row)
        return rows

    def of(self, market: Market) -> list[SimulatedMarket]:
        """Return the rows of a market of the exchange, with its record brought up to date."""
        rows = self._by_market.get(market.market_id, [])
        for row in rows:
            row.market = market
        return rows

    def settle(self, event: TapeSettlement) -> list[SimulatedMarket]:
        """Note what a market paid; returns its rows."""
        rows = self.of(event.market)
        for row, (_, payout) in zip(rows, event.payouts, strict=False):
            row.payout = payout
            row.void = event.void
        return rows

    def condition(self, name: str) -> SimulatedMarket | None:
        """Return the market with a condition id."""
        return self._by_condition.get(name)

    def token(self, name: str) -> tuple[SimulatedMarket, Outcome] | None:
        """Return the market of a token and which of the two it is."""
        return self._by_token.get(name)

    def book(self, number: int) -> SimulatedMarket | None:
        """Return the market that trades in a book of the exchange."""
        return self._by_book.get(number)

    def number(self, name: str) -> SimulatedMarket | None:
        """Return the market with a Gamma number."""
        index = int(name) - _FIRST_MARKET if name.isascii() and name.isdigit() and len(name) < 12 else -1
        return self.rows[index] if 0 <= index < len(self.rows) else None

    def group(self, name: str) -> SimulatedEvent | None:
        """Return the event with a Gamma number."""
        index = int(name) - _FIRST_EVENT if name.isascii() and name.isdigit() and len(name) < 12 else -1
        return self.groups[index] if 0 <= index < len(self.groups) else None

    def current(self, row: SimulatedMarket) -> Market:
        """Return the exchange's record with volumes as of now."""
        return self._exchange.directory.market(row.market.market_id)

    def _row(self, market: Market, index: int, group: SimulatedEvent) -> SimulatedMarket:
        seed, number = self._exchange.seed, _FIRST_MARKET + len(self.rows)
        many = len(market.outcomes) > 2
        name = market.outcomes[index].instrument_id
        label = market.outcomes[index].label
        question = f"{market.question.rstrip('?')}: {label}?" if many else market.question
        place = self._exchange.directory.locate(market.key(index))
        row = SimulatedMarket(
            number=number,
            condition=ids.condition_id(seed, name),
            tokens=(ids.token_id(seed, name), ids.token_id(seed, f"not {name}")),
            book=-1 if place is None else place[0],
            key=market.key(index),
            group=group,
            market=market,
            question=question,
            outcomes=("Yes", "No") if many else (label, market.outcomes[1].label),
            label=label if many else "",
            slug=ids.slug(question, number),
            neg_risk=market.neg_risk or many,
            listed_at=self._exchange.now,
        )
        self.rows.append(row)
        group.members.append(row)
        return row

    def _enter(self, row: SimulatedMarket) -> None:
        self._by_condition[row.condition] = row
        self._by_book[row.book] = row
        self._by_token[row.tokens[0]] = (row, 0)
        self._by_token[row.tokens[1]] = (row, 1)


def _outcomes(market: Market) -> Iterable[int]:
    """Return which outcomes are markets of their own here: the first of two, each of many."""
    return range(len(market.outcomes)) if len(market.outcomes) > 2 else (0,)


def paid(row: SimulatedMarket) -> Iterator[Price]:
    """Yield what a share of each token paid."""
    payout = row.payout or 0
    yield Price(payout)
    yield Price(MICROS - payout)
