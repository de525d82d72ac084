"""The market channel: what happens on the exchange, told to whoever subscribed to it.

Kept apart from connections and faults because it is synchronous and exact: given the tape it says
which messages each connection should get, in order, with true hashes.

Changes of one market within one millisecond are a burst: each level is told once, every entry
carries the hash of the state after the last of them. A burst with trades is told as whole books,
then the trades.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeTrade
from predsurv.simulate.polymarket import ids, messages
from predsurv.simulate.polymarket.books import Outcome, TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket
from predsurv.simulate.polymarket.published_log import PublishedLog, PublishedTrade
from predsurv.simulate.polymarket.subscribers import Subscriber, Subscribers

NS_PER_MS: Final = 1_000_000

_SIDES: Final[dict[Side, tuple[bytes, bytes]]] = {"bid": (b"BUY", b"SELL"), "ask": (b"SELL", b"BUY")}
_FIRST: Final[Outcome] = 0
_SECOND: Final[Outcome] = 1


Readers = Mapping[int, Subscriber]
"""Who hears of a book, by number of their connection."""

_Step = tuple[Side, Price, Size, tuple[bytes, bytes], tuple[bytes, bytes]]
"""A change and the best prices after it, as each token sees them."""


class _PendingBurst:
    __slots__ = ("deals", "levels", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.levels: dict[tuple[Side, Price], Size] = {}
        self.deals: dict[tuple[Price, OrderSide], int] = {}


class MarketChannel:
    """Tells ``members`` what happens; ``books`` are the live ones by book number."""

    def __init__(
        self,
        exchange: Exchange,
        listing: SimulatedCatalog,
        members: Subscribers,
        books: dict[int, TokenPairBook],
        ledger: PublishedLog | None = None,
    ) -> None:
        self._exchange = exchange
        self._listing = listing
        self._members = members
        self._books = books
        self._ledger = ledger
        self._bursts: dict[int, _PendingBurst] = {}
        self._stamp = exchange.now // NS_PER_MS
        for row in listing.rows:
            state = exchange.book(row.key)
            self._open(row).load(state.bids, state.asks)
            if ledger is not None:
                ledger.open(row.condition, books[row.book])

    def fold(self, events: Iterable[TapeEvent]) -> None:
        """Tell what happened; ``events`` end where a millisecond does."""
        for event in events:
            stamp = event.ts // NS_PER_MS
            if stamp != self._stamp:
                self._end_bursts()
                self._stamp = stamp
            if isinstance(event, LevelChange):
                burst = self._burst(event.book, event.seq)
                burst.levels.pop((event.side, event.price), None)
                burst.levels[event.side, event.price] = event.size
            elif isinstance(event, TapeTrade):
                deals = self._burst(event.book, event.seq).deals
                deal = (event.price, event.taker_side)
                deals[deal] = deals.get(deal, 0) + event.size
            elif isinstance(event, TapeLifecycle):
                self._changed(event)
            else:
                self._end_bursts()
                self._settled(self._listing.settle(event))
        self._end_bursts()

    def _burst(self, book: int, seq: int) -> _PendingBurst:
        burst = self._bursts.get(book)
        if burst is None:
            burst = self._bursts[book] = _PendingBurst(seq)
        return burst

    def _end_bursts(self) -> None:
        bursts, self._bursts = self._bursts, {}
        for number, burst in bursts.items():
            row = self._listing.book(number)
            book = self._books.get(number)
            if row is not None and book is not None:
                self._tell(row, book, burst)

    def _tell(self, row: SimulatedMarket, book: TokenPairBook, burst: _PendingBurst) -> None:
        before = book.best(_FIRST)
        changes = [(side, price, size) for (side, price), size in burst.levels.items()]
        audience = self._members.audience(row.book)
        steps = [(*change, *_bests(book)) for change in changes if book.set(*change)]
        if not steps and not burst.deals:
            return
        for price, _ in burst.deals:
            book.traded(price)
        book.settle(self._stamp)
        if self._ledger is not None:
            _write(self._ledger, row, book, steps, burst)
        if audience:
            if burst.deals:
                self._tell_trades(row, book, burst, audience)
            else:
                self._tell_changes(row, book, steps, audience)
            if book.best(_FIRST) != before:
                _announce(audience, row, lambda outcome: messages.best(book, outcome), custom=True)

    def _tell_changes(
        self, row: SimulatedMarket, book: TokenPairBook, steps: Sequence[_Step], audience: Readers
    ) -> None:
        first, second = book.hash(_FIRST), book.hash(_SECOND)
        for side, price, size, best, mirrored in steps:
            names = _SIDES[side]
            entries = (
                messages.entry(row.tokens[0], (price, size, names[0]), first, best),
                messages.entry(row.tokens[1], (MICROS - price, size, names[1]), second, mirrored),
            )
            frame = messages.change(row.condition, entries, self._stamp)
            for member in audience.values():
                member.wire.put(frame)

    def _tell_trades(self, row: SimulatedMarket, book: TokenPairBook, burst: _PendingBurst, audience: Readers) -> None:
        _announce(audience, row, lambda outcome: messages.later_book(book, outcome))
        transaction = ids.transaction_hash(self._exchange.seed, burst.seq)
        for (price, side), size in burst.deals.items():
            _announce(audience, row, partial(_trade, book, (price, size, side), transaction))

    def _changed(self, event: TapeLifecycle) -> None:
        if event.kind == "created":
            for row in self._listing.add(event.market):
                book = self._open(row)
                if self._ledger is not None:
                    self._ledger.open(row.condition, book)
                frame = messages.new_market(row, self._stamp)
                for member in self._members.all.values():
                    if member.custom:
                        member.wire.put(frame)
            return
        for row in self._listing.of(event.market):
            live = self._books.get(row.book)
            if event.kind == "tick_size" and live is not None:
                self._retick(row, live)

    def _retick(self, row: SimulatedMarket, book: TokenPairBook) -> None:
        old = book.tick
        book.retick(row.market.tick_size)
        audience = self._members.audience(row.book)
        _announce(audience, row, lambda outcome: messages.tick_size(book, outcome, old, self._stamp))

    def _settled(self, rows: Iterable[SimulatedMarket]) -> None:
        for row in rows:
            self._books.pop(row.book, None)
            audience = self._members.disband(row.book)
            if row.void:
                continue  # the message can only name one winner, and here there is none
            frame = messages.resolved(row, self._stamp)
            for member in audience.values():
                if member.custom:
                    member.wire.put(frame)

    def _open(self, row: SimulatedMarket) -> TokenPairBook:
        market = row.market
        facts = (market.min_order_size, market.tick_size, row.neg_risk)
        book = self._books[row.book] = TokenPairBook(row.condition, row.tokens, self._stamp, facts)
        return book


def _bests(book: TokenPairBook) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    return book.best(_FIRST), book.best(_SECOND)


def _write(
    ledger: PublishedLog, row: SimulatedMarket, book: TokenPairBook, steps: Sequence[_Step], burst: _PendingBurst
) -> None:
    if not burst.deals:
        ledger.burst(row.condition, book, [step[:3] for step in steps])
        return
    ledger.book(row.condition, book)
    for (price, side), size in burst.deals.items():
        ledger.deal(row.condition, PublishedTrade(book.stamp, price, Size(size), side))


def _trade(book: TokenPairBook, deal: tuple[int, int, OrderSide], transaction: str, outcome: Outcome) -> bytes:
    return messages.trade(book, outcome, deal, transaction)


def _announce(
    audience: Readers, row: SimulatedMarket, frame: Callable[[Outcome], bytes], *, custom: bool = False
) -> None:
    """Send each token's message to whoever asked for that token; ``custom``: and for extras."""
    for outcome in (_FIRST, _SECOND):
        token = row.tokens[outcome]
        readers = [m for m in audience.values() if token in m.tokens and (m.custom or not custom)]
        if readers:
            made = frame(outcome)
            for member in readers:
                member.wire.put(made)
