"""The market channel: turns tape events into the messages of each subscriber.

Synchronous and exact: a tape determines the messages of each connection, their order and their book hashes.

The changes of one market within one millisecond are a burst: each changed level is sent once, and every entry carries
the hash of the book after the burst. A burst with trades is sent as whole books of both tokens, followed by the
trades, each on its taker's token only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import Price, Size
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeTrade
from predsurv.simulate.polymarket import ids, messages
from predsurv.simulate.polymarket.books import LastTradeForm, Outcome, TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket
from predsurv.simulate.polymarket.messages import AggregatedTrade, LevelUpdate
from predsurv.simulate.polymarket.published_log import PublishedLog, PublishedTrade
from predsurv.simulate.polymarket.subscribers import Subscriber, Subscribers
from predsurv.simulate.polymarket.trade_prints import TradePrints

NS_PER_MS: Final = 1_000_000
_MS_PER_S: Final = 1_000

_FIRST: Final[Outcome] = 0
_SECOND: Final[Outcome] = 1

BookSubscribers = Mapping[int, Subscriber]
"""The subscribers of a book by connection number."""


class _PendingBurst:
    """The levels and trades of the present millisecond; ``seq``: of the first event."""

    __slots__ = ("levels", "seq", "trades")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.levels: dict[tuple[Side, Price], Size] = {}
        self.trades: dict[tuple[Price, OrderSide], int] = {}

    def aggregated_trades(self, seed: int) -> list[AggregatedTrade]:
        """Return the trades, one for each price and taker side; those of one side are one transaction."""
        trades = []
        for (price, side), size in self.trades.items():
            transaction = ids.transaction_hash(seed, self.seq, side)
            trades.append(AggregatedTrade(price, size, side, ids.taker_outcome(transaction, side), transaction))
        return trades


class MarketChannel:
    """Sends ``subscribers`` what happens. ``books`` has the books of unsettled markets by number; it is filled here.

    ``last_trade_form`` is that of all books.
    """

    def __init__(
        self,
        exchange: Exchange,
        catalog: SimulatedCatalog,
        subscribers: Subscribers,
        books: dict[int, TokenPairBook],
        published_log: PublishedLog | None = None,
        *,
        last_trade_form: LastTradeForm = "cut",
    ) -> None:
        self._exchange = exchange
        self._catalog = catalog
        self._subscribers = subscribers
        self._books = books
        self.prints = TradePrints()
        """The trades that were told."""
        self._published_log = published_log
        self._last_trade_form = last_trade_form
        self._bursts: dict[int, _PendingBurst] = {}
        self._stamp = exchange.now // NS_PER_MS - 1  # the millisecond in which the exchange starts is not over
        for row in catalog.rows:
            state = exchange.book(row.key)
            self._add_book(row).load(state.bids, state.asks)
            if published_log is not None:
                published_log.add_market(row.condition, books[row.book])

    def publish(self, events: Iterable[TapeEvent]) -> None:
        """Queue the messages of ``events``, which end where a millisecond does."""
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
                trades = self._burst(event.book, event.seq).trades
                trade = (event.price, event.taker_side)
                trades[trade] = trades.get(trade, 0) + event.size
            elif isinstance(event, TapeLifecycle):
                self._publish_lifecycle(event)
            else:
                self._end_bursts()
                self._publish_settlement(self._catalog.settle(event))
        self._end_bursts()

    def _burst(self, book: int, seq: int) -> _PendingBurst:
        burst = self._bursts.get(book)
        if burst is None:
            burst = self._bursts[book] = _PendingBurst(seq)
        return burst

    def _end_bursts(self) -> None:
        bursts, self._bursts = self._bursts, {}
        for number, burst in bursts.items():
            row = self._catalog.by_book(number)
            book = self._books.get(number)
            if row is not None and book is not None:
                self._publish_burst(row, book, burst)

    def _publish_burst(self, row: SimulatedMarket, book: TokenPairBook, burst: _PendingBurst) -> None:
        best_before = book.best(_FIRST)
        subscribers = self._subscribers.of_book(row.book)
        updates = [
            LevelUpdate(side, price, size, book.best(_FIRST), book.best(_SECOND))
            for (side, price), size in burst.levels.items()
            if book.set(side, price, size)
        ]
        if not updates and not burst.trades:
            return
        for price, _ in burst.trades:
            book.set_last_price(price)
        book.end_burst(self._stamp)
        trades = burst.aggregated_trades(self._exchange.seed)
        for trade in trades:
            self.prints.add(row, self._stamp // _MS_PER_S, trade)
        if self._published_log is not None:
            _log_burst(self._published_log, row, book, updates, trades)
        if subscribers:
            if trades:
                _send_trades(row, book, trades, subscribers)
            else:
                _send_changes(row, book, updates, subscribers)
            if book.best(_FIRST) != best_before:
                _send(subscribers, row, lambda outcome: messages.best_bid_ask(book, outcome), custom_features=True)

    def _publish_lifecycle(self, event: TapeLifecycle) -> None:
        if event.kind == "created":
            for row in self._catalog.add(event.market):
                book = self._add_book(row)
                if self._published_log is not None:
                    self._published_log.add_market(row.condition, book)
                frame = messages.new_market(row, self._stamp)
                for subscriber in self._subscribers.by_number.values():
                    if subscriber.custom_features:
                        subscriber.connection.put(frame)
            return
        for row in self._catalog.update(event.market):
            known = self._books.get(row.book)
            if event.kind == "tick_size" and known is not None:
                self._change_tick_size(row, known)

    def _change_tick_size(self, row: SimulatedMarket, book: TokenPairBook) -> None:
        old = book.tick_size
        book.set_tick_size(row.market.tick_size)
        subscribers = self._subscribers.of_book(row.book)
        _send(subscribers, row, lambda outcome: messages.tick_size_change(book, outcome, old, self._stamp))

    def _publish_settlement(self, rows: Iterable[SimulatedMarket]) -> None:
        for row in rows:
            self._books.pop(row.book, None)
            subscribers = self._subscribers.pop_book(row.book)
            if row.void and row.number % 2:
                continue  # the venue does not announce every settlement
            frame = messages.resolved(row, self._stamp)
            for subscriber in subscribers.values():
                if subscriber.custom_features:
                    subscriber.connection.put(frame)

    def _add_book(self, row: SimulatedMarket) -> TokenPairBook:
        market = row.market
        book = self._books[row.book] = TokenPairBook(
            row.condition,
            row.tokens,
            self._stamp,
            min_order_size=market.min_order_size,
            tick_size=market.tick_size,
            neg_risk=row.neg_risk,
            last_trade_form=self._last_trade_form,
        )
        return book


def _send_changes(
    row: SimulatedMarket, book: TokenPairBook, updates: Sequence[LevelUpdate], subscribers: BookSubscribers
) -> None:
    for update in updates:
        frame = messages.price_change(row.condition, book, update)
        for subscriber in subscribers.values():
            subscriber.connection.put(frame)


def _send_trades(
    row: SimulatedMarket, book: TokenPairBook, trades: Sequence[AggregatedTrade], subscribers: BookSubscribers
) -> None:
    """Send both tokens' books, and each trade on the takers' token only."""
    _send(subscribers, row, lambda outcome: messages.book_after_trade(book, outcome))
    for trade in trades:
        frame = messages.last_trade_price(book, trade)
        for subscriber in subscribers.values():
            if row.tokens[trade.outcome] in subscriber.tokens:
                subscriber.connection.put(frame)


def _log_burst(
    published_log: PublishedLog,
    row: SimulatedMarket,
    book: TokenPairBook,
    updates: Sequence[LevelUpdate],
    trades: Sequence[AggregatedTrade],
) -> None:
    if not trades:
        published_log.add_burst(row.condition, book, [(update.side, update.price, update.size) for update in updates])
        return
    published_log.add_book(row.condition, book)
    for trade in trades:
        published = PublishedTrade(book.stamp, Price(trade.price), Size(trade.size), trade.taker_side, trade.outcome)
        published_log.add_trade(row.condition, published)


def _send(
    subscribers: BookSubscribers,
    row: SimulatedMarket,
    message: Callable[[Outcome], bytes],
    *,
    custom_features: bool = False,
) -> None:
    """Queue each token's message for its subscribers; ``custom_features``: only for those that asked for these."""
    for outcome in (_FIRST, _SECOND):
        token = row.tokens[outcome]
        recipients = [
            each
            for each in subscribers.values()
            if token in each.tokens and (each.custom_features or not custom_features)
        ]
        if recipients:
            frame = message(outcome)
            for subscriber in recipients:
                subscriber.connection.put(frame)
