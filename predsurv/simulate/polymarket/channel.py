"""The market channel: what happens on the exchange, told to whoever subscribed to it.

Kept apart from connections and faults because it is synchronous and exact: given the tape it says
which messages each connection should get, in order, with true hashes.

Changes of one market within one millisecond are a burst: each level is told once, every entry
carries the hash of the state after the last of them. A burst with trades is told as whole books,
then the trades.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.simulate.polymarket import ids, messages
from predsurv.simulate.polymarket.books import Outcome, TwinBook
from predsurv.simulate.polymarket.ledger import Deal, Ledger
from predsurv.simulate.polymarket.listing import Listed, Listing
from predsurv.simulate.polymarket.wire import Wire
from predsurv.venues.mock.exchange import Exchange
from predsurv.venues.mock.tape import Execution, LevelChange, Lifecycle, TapeEvent

OPENING_TOKENS_MAX: Final = 500
"""A connection that carries more gets no opening books any more, and is not told."""
NS_PER_MS: Final = 1_000_000

_SIDES: Final[dict[Side, tuple[bytes, bytes]]] = {"bid": (b"BUY", b"SELL"), "ask": (b"SELL", b"BUY")}
_FIRST: Final[Outcome] = 0
_SECOND: Final[Outcome] = 1


class Member:
    """One connection: the tokens it asked for, and whether it wants the extra messages."""

    __slots__ = ("custom", "greeted", "tokens", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.tokens: dict[str, None] = {}
        self.custom = False
        self.greeted = False


class Wish(Struct):
    """``{"type":"market","assets_ids":[…],"custom_feature_enabled":true}``, or with ``operation``."""

    assets_ids: list[str] = []
    operation: str = "subscribe"
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True


class _Burst:
    __slots__ = ("deals", "levels", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.levels: dict[tuple[Side, Price], Size] = {}
        self.deals: dict[tuple[Price, OrderSide], int] = {}


_read_wish = msgspec.json.Decoder(Wish).decode
Omits = Callable[[str], bool]


class Channel:
    """Every connection's share of the tape. ``omits``: whether a token's opening book gets lost."""

    def __init__(self, exchange: Exchange, listing: Listing, omits: Omits, ledger: Ledger | None = None) -> None:
        self.books: dict[int, TwinBook] = {}
        self.members: dict[int, Member] = {}
        self._exchange = exchange
        self._listing = listing
        self._omits = omits
        self._ledger = ledger
        self._audience: dict[int, dict[int, Member]] = {}
        self._bursts: dict[int, _Burst] = {}
        self._stamp = exchange.now // NS_PER_MS
        for row in listing.rows:
            self._open(row, self._stamp)

    def join(self, wire: Wire) -> None:
        """Take in a connection."""
        self.members[wire.link.number] = Member(wire)

    def leave(self, number: int) -> int:
        """Forget a connection; returns how many messages it got."""
        member = self.members.pop(number)
        tokens, member.tokens = member.tokens, {}
        for token in tokens:
            self._unhear(member, token)
        return member.wire.sent

    def hear(self, number: int, message: bytes) -> None:
        """Do what a connection asks for; nonsense is ignored, as the venue does."""
        member = self.members[number]
        if message == b"PING":
            member.wire.pong()
            return
        try:
            wish = _read_wish(message)
        except ValueError:
            return
        if wish.operation == "unsubscribe":
            for token in wish.assets_ids:
                if member.tokens.pop(token, "") is None:
                    self._unhear(member, token)
            return
        if wish.custom_feature_enabled is not None:
            member.custom = wish.custom_feature_enabled
        self._subscribe(member, wish)

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
            elif isinstance(event, Execution):
                deals = self._burst(event.book, event.seq).deals
                deal = (event.price, event.taker_side)
                deals[deal] = deals.get(deal, 0) + event.size
            elif isinstance(event, Lifecycle):
                self._changed(event)
            else:
                self._end_bursts()
                self._settled(self._listing.settle(event))
        self._end_bursts()

    def flush(self, now: int) -> None:
        """Hand over everything to the connections."""
        for member in tuple(self.members.values()):
            member.wire.flush(now)

    def _burst(self, book: int, seq: int) -> _Burst:
        burst = self._bursts.get(book)
        if burst is None:
            burst = self._bursts[book] = _Burst(seq)
        return burst

    def _end_bursts(self) -> None:
        bursts, self._bursts = self._bursts, {}
        for number, burst in bursts.items():
            row = self._listing.book(number)
            book = self.books.get(number)
            if row is not None and book is not None:
                self._tell(row, book, burst)

    def _tell(self, row: Listed, book: TwinBook, burst: _Burst) -> None:
        before = book.best(_FIRST)
        changes = [(side, price, size) for (side, price), size in burst.levels.items()]
        audience = self._audience.get(row.book)
        steps = [(*change, *_bests(book)) for change in changes if book.set(*change)]
        if not steps and not burst.deals:
            return
        for price, _ in burst.deals:
            book.traded(price)
        book.settle(self._stamp)
        if self._ledger is not None:
            self._write(row, book, steps, burst)
        if audience:
            if burst.deals:
                self._tell_trades(row, book, burst, audience)
            else:
                self._tell_changes(row, book, steps, audience)
            if book.best(_FIRST) != before:
                _announce(audience, row, lambda outcome: messages.best(book, outcome), custom=True)

    def _tell_changes(self, row: Listed, book: TwinBook, steps: Sequence["_Step"], audience: dict[int, Member]) -> None:
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

    def _tell_trades(self, row: Listed, book: TwinBook, burst: _Burst, audience: dict[int, Member]) -> None:
        _announce(audience, row, lambda outcome: messages.later_book(book, outcome))
        transaction = ids.transaction_hash(self._exchange.seed, burst.seq)
        for (price, side), size in burst.deals.items():
            _announce(audience, row, partial(_trade, book, (price, size, side), transaction))

    def _write(self, row: Listed, book: TwinBook, steps: Sequence["_Step"], burst: _Burst) -> None:
        ledger, now = self._ledger, self._exchange.now
        if ledger is None:
            return
        if not burst.deals:
            ledger.burst(row.condition, book, [step[:3] for step in steps], now)
            return
        ledger.book(row.condition, book, now)
        for (price, side), size in burst.deals.items():
            ledger.deal(row.condition, Deal(self._stamp, price, Size(size), side))

    def _changed(self, event: Lifecycle) -> None:
        if event.kind == "created":
            for row in self._listing.add(event.market):
                self._open(row, self._stamp, empty=True)
                frame = messages.new_market(row, self._stamp)
                for member in self.members.values():
                    if member.custom:
                        member.wire.put(frame)
            return
        for row in self._listing.of(event.market):
            book = self.books.get(row.book)
            if event.kind == "tick_size" and book is not None:
                self._retick(row, book)

    def _retick(self, row: Listed, book: TwinBook) -> None:
        old = book.tick
        book.retick(row.market.tick_size)
        audience = self._audience.get(row.book, {})
        _announce(audience, row, lambda outcome: messages.tick_size(book, outcome, old, self._stamp))

    def _settled(self, rows: Iterable[Listed]) -> None:
        for row in rows:
            self.books.pop(row.book, None)
            audience = self._audience.pop(row.book, {})
            if row.void:
                continue  # the message can only name one winner, and here there is none
            frame = messages.resolved(row, self._stamp)
            for member in audience.values():
                if member.custom:
                    member.wire.put(frame)

    def _open(self, row: Listed, stamp: int, *, empty: bool = False) -> None:
        market = row.market
        facts = (market.min_order_size, market.tick_size, row.neg_risk)
        book = self.books[row.book] = TwinBook(row.condition, row.tokens, stamp, facts)
        if not empty:
            state = self._exchange.book(row.key)
            book.load(state.bids, state.asks)
        if self._ledger is not None:
            self._ledger.open(row.condition, book)

    def _subscribe(self, member: Member, wish: Wish) -> None:
        fresh = [token for token in dict.fromkeys(wish.assets_ids) if token not in member.tokens]
        member.tokens.update(dict.fromkeys(fresh))
        frames: list[bytes] = []
        for token in fresh:
            found = self._listing.token(token)
            if found is None or found[0].book not in self.books:
                continue  # settled or unknown: left out without a word
            row, outcome = found
            self._audience.setdefault(row.book, {})[member.wire.link.number] = member
            if wish.initial_dump and len(member.tokens) <= OPENING_TOKENS_MAX and not self._omits(token):
                frames.append(messages.opening_book(self.books[row.book], outcome))
        if not member.greeted:
            member.greeted = True
            frames = [b"[%s]" % b",".join(frames)]
        for frame in frames:
            member.wire.put(frame)

    def _unhear(self, member: Member, token: str) -> None:
        found = self._listing.token(token)
        if found is not None and member.tokens.keys().isdisjoint(found[0].tokens):
            self._audience.get(found[0].book, {}).pop(member.wire.link.number, None)


_Step = tuple[Side, Price, Size, tuple[bytes, bytes], tuple[bytes, bytes]]
"""A change and the best prices after it, as each token sees them."""


def _bests(book: TwinBook) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    return book.best(_FIRST), book.best(_SECOND)


def _trade(book: TwinBook, deal: tuple[int, int, OrderSide], transaction: str, outcome: Outcome) -> bytes:
    return messages.trade(book, outcome, deal, transaction)


def _announce(
    audience: dict[int, Member], row: Listed, frame: Callable[[Outcome], bytes], *, custom: bool = False
) -> None:
    """Send each token's message to whoever asked for that token; ``custom``: and for extras."""
    for outcome in (_FIRST, _SECOND):
        token = row.tokens[outcome]
        readers = [m for m in audience.values() if token in m.tokens and (m.custom or not custom)]
        if readers:
            made = frame(outcome)
            for member in readers:
                member.wire.put(made)
