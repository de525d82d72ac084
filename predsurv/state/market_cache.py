"""The latest state of markets and instruments: records, books, quotes, last trades, payouts."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Quote,
    Trade,
    TradingPhase,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market, MarketStatus
from predsurv.core.num import Price, Size, complement
from predsurv.state.book import Book
from predsurv.state.known_markets import KnownMarkets
from predsurv.state.market_facts import KnownMarket


class InstrumentState(Struct):
    """The latest facts of an instrument beside its book; None when not known, or for an empty side of the quote.

    Prices and sizes in micros, times in ns UTC.
    """

    tick_size: Price | None = None
    bid: Price | None = None
    ask: Price | None = None
    last_price: Price | None = None
    last_size: Size | None = None
    last_trade_ts: int | None = None
    status: MarketStatus | None = None
    payout: Price | None = None


class CacheTables(NamedTuple):
    """What a cache holds by instrument."""

    books: dict[InstrumentKey, Book]
    states: dict[InstrumentKey, InstrumentState]


class MarketCache:
    """Markets by (venue, market id), books and instrument states by key.

    On ``mirrored_venues`` both outcomes of a binary market trade in the book of the first. A change that was
    announced ahead takes effect with the first event, or the first call of ``advance``, at its time or later.
    """

    def __init__(self, mirrored_venues: AbstractSet[VenueName] = frozenset()) -> None:
        self._mirrored_venues = mirrored_venues
        self._primary: dict[InstrumentKey, InstrumentKey] = {}  # of instruments without a book of their own
        self._mirrors: dict[InstrumentKey, InstrumentKey] = {}  # of instruments that share a book, the other one
        self._markets = KnownMarkets()
        self._phases: dict[VenueName, VenuePhase] = {}
        self._books: dict[InstrumentKey, Book] = {}
        self._states: dict[InstrumentKey, InstrumentState] = {}

    @property
    def next_due(self) -> int:
        """The time (ns UTC) from which the next change that was announced ahead holds."""
        return self._markets.next_due

    @property
    def markets_version(self) -> int:
        """A number that grows whenever the record of any market changes."""
        return self._markets.version

    @property
    def tables(self) -> "CacheTables":
        """The books and states themselves, for the compiled replay: it changes both as ``apply`` does."""
        return CacheTables(self._books, self._states)

    def add(self, market: Market) -> None:
        """Add a market as known so far, replacing what was known of it."""
        self._markets.add(KnownMarket(market, market))
        self._show(market)

    def advance(self, ts: int) -> None:
        """Let the changes take effect that were announced for ``ts`` (ns UTC) or before."""
        while (change := self._markets.due(ts)) is not None:
            self._apply_statement(change)

    def apply(self, event: MarketEvent) -> None:
        """Fold one event in; kinds that carry no state are ignored."""
        if event.ts_recv >= self._markets.next_due:
            self.advance(event.ts_recv)
        if isinstance(event, BookDelta):
            book = self._books.get(event.key)
            if book is not None:
                book.change(event)
        elif isinstance(event, BookSnapshot | Gap):
            _apply_to_book(self._books, event)
        elif isinstance(event, Quote):
            state = _state(self._states, event.key)
            state.bid, state.ask = event.bid, event.ask
        elif isinstance(event, Trade):
            self._trade(event)
        elif isinstance(event, Unwanted):
            # A book that gets no more updates would look current, and memory would only grow.
            self._books.pop(event.key, None)
        else:
            self._apply_statement(event)

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return the market, or None when it is not known."""
        return self._markets.market(venue, market_id)

    def phase(self, venue: VenueName) -> TradingPhase:
        """Return the phase of trading of a whole venue, ``open`` while it has said nothing else."""
        told = self._phases.get(venue)
        return "open" if told is None else told.phase

    def is_trading(self, key: InstrumentKey, ts: int) -> bool:
        """Return whether anything can trade in an instrument's market at ``ts`` (ns UTC): market and venue are open."""
        market = self._markets.market(key.venue, key.market_id)
        return market is not None and market.open_at(ts) and self.phase(key.venue) == "open"

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return every known market of an event, in the order they became known."""
        return self._markets.siblings(venue, event_id)

    def primary_of(self, key: InstrumentKey) -> InstrumentKey:
        """Return the instrument in whose book ``key`` trades: itself, or its market's first outcome.

        An instrument whose market is not known is taken for its own.
        """
        return self._primary.get(key, key)

    def mirror_of(self, key: InstrumentKey) -> InstrumentKey | None:
        """Return the other outcome where a market's two outcomes share one book, else None.

        A trade told on one of them is a trade of the other at 1 − price.
        """
        return self._mirrors.get(key)

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the book, trusted or not, or None when none was ever received."""
        return self._books.get(key)

    def trusted_book(self, key: InstrumentKey) -> Book | None:
        """Return the book when it can be trusted: snapshot received, no gap since, not crossed; else None."""
        book = self._books.get(key)
        return book if book is not None and book.known() else None

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of the instrument, or None when unknown."""
        return self._states.get(key)

    def _trade(self, event: Trade) -> None:
        """Take a trade for the last one of its instrument, and of the mirror of that, on which it need not be told."""
        _apply_trade(_state(self._states, event.key), event, event.price)
        mirror = self._mirrors.get(event.key)
        if mirror is not None:
            _apply_trade(_state(self._states, mirror), event, complement(event.price))

    def _apply_statement(self, event: MarketEvent) -> None:
        if isinstance(event, VenuePhase):
            self._phases[event.venue] = event
        elif isinstance(event, MarketChange | MarketResolved):
            market = self._markets.fold(event)
            if market is not None:
                self._show(market)
            for instrument_id, payout in event.payouts if isinstance(event, MarketResolved) else ():
                key = InstrumentKey(event.venue, event.market_id, instrument_id)
                _state(self._states, key).payout = payout

    def _show(self, market: Market) -> None:
        """Put a market's record into the states of its instruments."""
        mirrored = market.venue in self._mirrored_venues
        for key in market.keys():  # noqa: SIM118 - a market is no mapping
            state = _state(self._states, key)
            state.tick_size, state.status = market.tick_size, market.status
            primary = market.primary_of(key, mirrored=mirrored)
            if primary != key:
                self._primary[key] = primary
                self._mirrors[key], self._mirrors[primary] = primary, key


def _state(states: dict[InstrumentKey, InstrumentState], key: InstrumentKey) -> InstrumentState:
    state = states.get(key)
    if state is None:
        state = states[key] = InstrumentState()
    return state


def _apply_trade(state: InstrumentState, event: Trade, price: Price) -> None:
    state.last_price, state.last_size, state.last_trade_ts = price, event.size, event.ts_recv


def _apply_to_book(books: dict[InstrumentKey, Book], event: BookSnapshot | Gap) -> None:
    book = books.get(event.key)
    if book is None:
        book = books[event.key] = Book(event.key)
    book.apply(event)
