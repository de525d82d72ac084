"""The latest of everything, keyed by (venue, instrument): markets, books, quotes, last trades.

Kept apart as the one place that events are merged into; everyone else only reads it.
"""

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Quote,
    Trade,
    Unwanted,
)
from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, MarketStatus
from predsurv.core.num import Price, Size
from predsurv.state.book import Book


class InstrumentState(Struct):
    """What is known of an instrument beside its book; None where nothing was said yet or is there.

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


class InstrumentPatch(Struct, frozen=True):
    """A partial update: only fields that are set overwrite; None is a value (an empty side)."""

    tick_size: Price | UnsetType | None = UNSET
    bid: Price | UnsetType | None = UNSET
    ask: Price | UnsetType | None = UNSET
    last_price: Price | UnsetType | None = UNSET
    last_size: Size | UnsetType | None = UNSET
    last_trade_ts: int | UnsetType | None = UNSET
    status: MarketStatus | UnsetType | None = UNSET
    payout: Price | UnsetType | None = UNSET


_STATUS_OF: dict[str, MarketStatus] = {
    "created": "created",
    "activated": "active",
    "paused": "paused",
    "closed": "closed",
    "disputed": "disputed",
}


class MarketCache:
    """Markets by (venue, market id), books and instrument states by key."""

    def __init__(self) -> None:
        self._markets: dict[tuple[VenueName, MarketId], Market] = {}
        self._listed_fees: dict[tuple[VenueName, MarketId], FeeSchedule] = {}  # of markets that had another since
        self._groups: dict[tuple[VenueName, EventId], dict[MarketId, None]] = {}
        self._books: dict[InstrumentKey, Book] = {}
        self._states: dict[InstrumentKey, InstrumentState] = {}

    def add(self, market: Market) -> None:
        """Know this market from now on; a newer record of the same market replaces it."""
        self._listed_fees.pop((market.venue, market.market_id), None)
        self._put(market)

    def apply(self, event: MarketEvent) -> None:
        """Merge one event; kinds that carry no state are ignored."""
        if isinstance(event, BookDelta):
            book = self._books.get(event.key)
            if book is not None:
                book.change(event)
        elif isinstance(event, BookSnapshot | Gap):
            _fold(self._books, event)
        elif isinstance(event, Trade | Quote):
            self.merge(event.key, _patch(event))
        elif isinstance(event, MarketChange):
            self._change(event)
        elif isinstance(event, MarketResolved):
            self._resolve(event)
        elif isinstance(event, Unwanted):
            # A book that is no longer fed would go stale in place, and memory would only grow.
            self._books.pop(event.key, None)

    def merge(self, key: InstrumentKey, patch: InstrumentPatch) -> None:
        """Overwrite just the fields that ``patch`` sets."""
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = InstrumentState()
        for name in patch.__struct_fields__:
            value = getattr(patch, name)
            if value is not UNSET:
                setattr(state, name, value)

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return the market, or None when it is not known."""
        return self._markets.get((venue, market_id))

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return every known market of an event, in the order they became known."""
        group = self._groups.get((venue, event_id), {})
        return tuple(self._markets[venue, market_id] for market_id in group)

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the book, trusted or not, or None when none was ever received."""
        return self._books.get(key)

    def trusted_book(self, key: InstrumentKey) -> Book | None:
        """Return the book when it can be believed: snapshot seen, no gap since, not crossed."""
        book = self._books.get(key)
        if book is None or not book.trusted or book.crossed():
            return None
        return book

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of the instrument, or None when unknown."""
        return self._states.get(key)

    def _put(self, market: Market) -> None:
        self._markets[market.venue, market.market_id] = market
        self._groups.setdefault((market.venue, market.event_id), {})[market.market_id] = None
        for key in market.keys():  # noqa: SIM118 - a market is no mapping
            self.merge(key, InstrumentPatch(tick_size=market.tick_size, status=market.status))

    def _change(self, event: MarketChange) -> None:
        if event.market is not None:
            self.add(event.market)
            return
        market = self.market(event.venue, event.market_id)
        if market is None:
            return
        if event.tick_size is not None:
            self._put(replace(market, tick_size=event.tick_size, bands=event.bands))
        elif event.kind == "fee":
            listed = self._listed_fees.setdefault((event.venue, event.market_id), market.fee)
            self._put(replace(market, fee=listed if event.fee is None else event.fee))
        elif event.kind in _STATUS_OF:
            self._put(replace(market, status=_STATUS_OF[event.kind]))

    def _resolve(self, event: MarketResolved) -> None:
        market = self.market(event.venue, event.market_id)
        if market is not None:
            status: MarketStatus = "void" if event.void else "resolved"
            self._put(replace(market, status=status, tradable=False))
        for instrument_id, payout in event.payouts:
            key = InstrumentKey(event.venue, event.market_id, instrument_id)
            self.merge(key, InstrumentPatch(payout=payout))


def _fold(books: dict[InstrumentKey, Book], event: BookSnapshot | Gap) -> None:
    book = books.get(event.key)
    if book is None:
        book = books[event.key] = Book(event.key)
    book.apply(event)


def _patch(event: Trade | Quote) -> InstrumentPatch:
    if isinstance(event, Quote):
        return InstrumentPatch(bid=event.bid, ask=event.ask)
    return InstrumentPatch(last_price=event.price, last_size=event.size, last_trade_ts=event.ts_recv)
