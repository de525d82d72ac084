"""State that the connections of one feed share; it outlives each of them."""

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Final, Protocol
from weakref import WeakSet

from predsurv.core.events import MarketChange, MarketResolved, Trade
from predsurv.core.ids import InstrumentKey, MarketId, OrderSide
from predsurv.core.num import MICROS, Price, Size, complement, parse_micros
from predsurv.ports import NO_MIRRORS, Mirrors
from predsurv.venues.parsing import PRICES_MAX, ParseCache, parse_open_price
from predsurv.venues.polymarket.hash_budget import HashBudget, HashCheckCounts
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts
from predsurv.venues.polymarket.open_questions import LookupCounts, OpenQuestions
from predsurv.venues.polymarket.stated_ticks import StatedTicks

SIZES_MAX: Final = 1 << 17
"""Every level of some 1,600 books of forty levels a side; 20 MB when full."""
PARTS_MAX: Final = 1 << 15
SEEN_MAX: Final = 1 << 13
"""Ids of trades and of announcements remembered to recognise repeated messages."""


class SizeCache(dict[str, Size]):
    """Size texts already parsed: most levels of a repeated snapshot have not changed.

    A new text mostly consists of a whole part and a fraction that were parsed before; adding those up
    costs half of parsing it.
    """

    def __init__(self) -> None:
        self._wholes: dict[str, int] = {}
        self._fractions: dict[str, int] = {}

    def __missing__(self, text: str) -> Size:
        whole, _, fraction = text.partition(".")
        try:
            # Size() would be a call, here where every second size is parsed.
            size: Size = self._wholes[whole] + self._fractions[fraction]  # type: ignore[assignment]
        except KeyError:
            size = self._parse(text, whole, fraction)
        if len(self) >= SIZES_MAX:
            self.clear()
        self[text] = size
        return size

    def _parse(self, text: str, whole: str, fraction: str) -> Size:
        size = Size(parse_micros(text))
        # ".5" is a number, but its whole part is none.
        if whole:
            if len(self._wholes) + len(self._fractions) >= PARTS_MAX:
                self._wholes.clear()
                self._fractions.clear()
            self._wholes[whole] = size // MICROS * MICROS
            self._fractions[fraction] = size % MICROS
        return size


class SeenIds:
    """The last ``SEEN_MAX`` ids."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def add(self, name: str) -> bool:
        """Add ``name``; return whether it is new."""
        if name in self._known:
            return False
        if len(self._order) >= SEEN_MAX:
            self._known.discard(self._order.popleft())
        self._known.add(name)
        self._order.append(name)
        return True


_OPPOSITE: Final[dict[OrderSide | None, OrderSide | None]] = {"buy": "sell", "sell": "buy", None: None}


BOTH: Final = "both"
"""Stands for both tokens of a market where one is named."""

_Telling = tuple[MarketId, int | None, str, Size, Price, OrderSide | None]
"""What two messages about one trade on the two tokens of a market have in common, once one of them is mirrored:
market, venue's time, transaction, size, price and taker's side. Not a class, which takes longer to make."""


class ToldTrades:
    """The last ``SEEN_MAX`` trades, to recognise one that is told again.

    The venue tells a trade once, on the taker's token; messages are repeated now and then, and by other accounts a
    trade is told on both tokens. Told again means: all fields are the same; or on the other token of the market
    transaction, time and size are the same, the price is the complement and the side the opposite. That holds
    without a transaction, too, as archives lack it: then two trades of exactly opposite terms in one millisecond
    would count as one, where otherwise every trade of such an archive might count twice. Without a transaction
    and a time nothing is recognised on the other token.
    """

    def __init__(self) -> None:
        self._ids = SeenIds()
        self._mirrored: dict[_Telling, str] = {}  # the token on which it was told, or BOTH

    def add(self, trade: Trade, transaction: str) -> bool:
        """Add a trade with an id of all its fields, and its transaction ("" for none); return whether it is new."""
        if not self._ids.add(trade.trade_id or ""):
            return False
        if trade.ts_venue is None and not transaction:
            return True
        key, price, side = trade.key, trade.price, trade.taker_side
        market_id, token, known = key.market_id, key.instrument_id, self._mirrored
        elsewhere = known.get((market_id, trade.ts_venue, transaction, trade.size, price, side), token)
        if elsewhere != token:
            return False
        mirrored = (market_id, trade.ts_venue, transaction, trade.size, complement(price), _OPPOSITE[side])
        told_on = known.pop(mirrored, token)
        if len(known) >= SEEN_MAX:
            del known[next(iter(known))]
        known[mirrored] = token if told_on == token else BOTH
        return True


def announcement_id(event: MarketChange | MarketResolved) -> str:
    """Return the id of an announcement; a market is created, closes and settles once."""
    return f"{'resolved' if isinstance(event, MarketResolved) else event.kind} {event.market_id}"


class VerifiedConnection(Protocol):
    """A connection as ``rest_audit`` sees it: its subscribed instruments by token, and the verifier of its books."""

    subscribed: dict[str, InstrumentKey]
    verifier: HashVerifier

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments without a valid book."""
        ...


class PolymarketSharedState:
    """Parsed texts, ids of published events, stated ticks, questions that announcements leave open, what verification
    spends, counts and learned, and the open connections.

    Two connections carry the same instruments while one takes over from the other, so an event counts
    as published for both. ``mirrors``: of wanted tokens the other one of their market.
    ``packed``: connections that are opened from now on put level changes together.
    """

    def __init__(self, counts: HashCheckCounts | None = None, lookups: LookupCounts | None = None) -> None:
        self.prices = ParseCache(parse_open_price, PRICES_MAX)
        self.sizes = SizeCache()
        self.told_trades = ToldTrades()
        self.announcement_ids = SeenIds()
        self.mirrors: Mirrors = NO_MIRRORS
        self.ticks = StatedTicks()
        self.questions = OpenQuestions(lookups)
        self.budget = HashBudget()
        self.counts = counts or HashCheckCounts()
        self.last_trade_texts = LastTradeTexts()
        self.packed = False
        self.codecs: WeakSet[VerifiedConnection] = WeakSet()

    def set_mirrors(self, mirrors: Mirrors) -> None:
        """Set ``mirrors``; connections subscribe those of the tokens that they are asked for from now on."""
        self.mirrors = mirrors

    def pack(self) -> None:
        """Let connections that are opened from now on put level changes together."""
        self.packed = True

    def forget_settled(self, market_id: MarketId) -> None:
        """Forget a market that has settled: nothing is open about it any more."""
        self.questions.close(market_id)
        self.ticks.forget(market_id)

    def for_announcements(self) -> "PolymarketSharedState":
        """Return the state for the announcement connection: it shares what is known of markets, and no trades."""
        other = PolymarketSharedState()
        other.announcement_ids, other.ticks, other.questions = self.announcement_ids, self.ticks, self.questions
        return other
