"""What a strategy wants to hear, as plain values; ``engine.call_filter`` decides by them which calls are made.

Separate from the strategies' Protocol, because a compiled replay evaluates the same values: whatever they hold back
need never become a Python object.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct, field

from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price

BookCalls = Literal["change", "best", "never"]
"""Which book events are told: every one, those at a best price, or none."""
EngagedCalls = Literal["change", "best", "price"]
"""Which book events are told of a book in which a strategy is engaged: every one, those at a best price, or those
after which a best price is another."""


class BookFilter(Struct, frozen=True, kw_only=True):
    """Bounds on the book that an event is about, after that event; all inclusive, None for no bound.

    Prices in micros, ``imbalance`` in millionths over the best ``imbalance_levels`` of each side, as
    ``state.features.imbalance`` computes it (rounded down, also below zero). A bound on what the book does not have (a
    spread without both sides, the best bid of a book without bids, the imbalance of an empty book) is not met.

    On a venue that keeps one book for both outcomes, that is the book of the first outcome: a strategy that looks at
    the second states its bounds as 1 − p.
    """

    spread_min: Price | None = None
    spread_max: Price | None = None
    bid_min: Price | None = None
    bid_max: Price | None = None
    ask_min: Price | None = None
    ask_max: Price | None = None
    imbalance_min: int | None = None
    imbalance_max: int | None = None
    imbalance_levels: int = 3


class EventFilter(Struct, frozen=True, kw_only=True):
    """Bounds on the best prices of all known markets of an event together; met when one of those stated is.

    Summed over the book of the first outcome of each market, in micros, inclusive; a book that is not trusted has no
    prices, and a market that is resolved or void is left out, as it takes part in nothing that can be traded (one that
    is closed only may still pay, and counts). An event in which all have settled meets nothing. ``ask_sum_max``: every
    one has an ask and they sum up to no more. ``bid_sum_min``: the best bids sum up to no less, where a missing one
    counts 0. In a market of other than two outcomes it is also met when the books of its own outcomes meet it. A market
    market that is not known meets nothing.

    ``exclusive``: only binary markets that exclude one another, as the venue says, are summed up; and ``ask_sum_max``
    is met only where these are all of the event's, more than one, and the venue says that one of them comes true.
    """

    ask_sum_max: Price | None = None
    bid_sum_min: Price | None = None
    exclusive: bool = False


class MarketChoice(Struct, frozen=True, kw_only=True):
    """Whole markets by what is known of them now: those that meet every part that is stated; an empty part is not.

    ``ids``: of markets, or of any of their instruments. ``globs``: shell patterns over the same ids (``*``, ``?``,
    ``[…]``; upper and lower case differ). ``categories``: as the venue writes them, upper and lower case alike. A
    market that is not known has its ids and its venue only.
    """

    venues: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()


EVERY_MARKET: Final = MarketChoice()


class Interest(Struct, frozen=True, kw_only=True):
    """The events that a strategy is called with. The default is every one but those of ``coverage``.

    A book event of a selected market whose book can be trusted after it is told when each of these holds, in this
    order:

    1. ``books`` is not ``never``.
    2. ``books`` is ``change``, or the event is at a best price: a snapshot, or a change of a level than which its side
       has no better one left after it. With ``best_sizes`` False the best price of a side has to differ from that
       before the event, or the book was not known before it (gap, or none yet); this holds for snapshots too.
    3. The book meets ``where``, if stated.
    4. Its event meets ``where_event``, if stated.
    5. The strategy was told no book event of this book in the ``interval`` (ns of event time) before; 0: no limit.

    The strategy is *engaged* in a book while it has a live order (unknown ones included) or a position in an
    instrument that trades there: then 2 to 5 hold nothing back that ``engaged`` does not, so that exits and stops see
    every change that matters to them, unless ``filter_engaged`` says otherwise. With ``engaged`` ``price`` only what
    leaves a best price other than before is told, or what makes a book known. An event told then counts for 5 as well.

    2 to 4 and ``engaged`` look at the books as the strategy sees them: less what counts as consumed by our own fills.
    A call that is held back is not made up for later.

    ``trades``: public trades. ``ticks``: the passing of time, five times a second, or less often where the strategy
    says from when on (``engine.strategy.TimedStrategy``). ``coverage``: each gap of a
    selected market's books (``Gap``, ``Unwanted``), and the snapshot that ends it whatever 1 to 5 say. Best prices
    that a venue publishes beside its books (``Quote``) are told unless ``books`` is ``never``. Changes and
    settlements of selected markets, phases of their venues, and what happens to the strategy's own orders are always
    told.
    """

    books: BookCalls = "change"
    best_sizes: bool = True
    interval: int = 0
    where: BookFilter | None = None
    where_event: EventFilter | None = None
    filter_engaged: bool = False
    engaged: EngagedCalls = "change"
    trades: bool = True
    ticks: bool = True
    coverage: bool = False
    markets: MarketChoice = EVERY_MARKET


class Attention(Struct, frozen=True, kw_only=True):
    """Which book events a strategy waits for just now, of those that its ``Interest`` lets pass.

    ``books``: by the instrument that has the book, what that has to meet after the event; None: nothing of it is told.
    ``others``: whether events of all other books are told. The snapshot that ends a gap is told all the same to a
    strategy that asks for ``coverage``.
    """

    books: Mapping[InstrumentKey, BookFilter | None] = field(default_factory=dict)
    others: bool = True


EVERYTHING: Final = Interest()
