"""A backtest from columns leads to the journal of one event by event, and shows strategies the same on the way."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Event,
    MarketChange,
    MarketChangeKind,
    MarketResolved,
    Tick,
    Trade,
)
from predsurv.core.ids import EventId, InstrumentKey, StrategyName, TradeId
from predsurv.core.native import speedups
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelIntent, Intent
from predsurv.core.records import Coverage, Record
from predsurv.engine.interest import EVERYTHING, Attention, BookFilter, EventFilter, Interest, MarketChoice
from predsurv.state.view import View
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from tests.kit.backtests import MIDNIGHT, Backtest, RecordedVenue, covered, hours, listed_on, run_backtest, told
from tests.kit.recordings import record
from tests.kit.trading_samples import MS, S, cents, market, shares

pytestmark = pytest.mark.skipif(speedups is None, reason="there was no C compiler")

BEGIN = hours(2)
SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)
EVENT = EventId("race")
MARKETS = [
    replace(market(name, event_id=EVENT, mutually_exclusive=True, exhaustive=True), fetched_at=hours(1))
    for name in "abc"
]
KEYS = [each.key(0) for each in MARKETS]
SCRIBE = StrategyName("scribe")


class Scribe:
    """Writes down what it hears and sees, and orders something at every so many of its calls."""

    name = SCRIBE
    signals = frozenset({"take", "rest", "sell", "cancel"})

    def __init__(self, interest: Interest, every: int) -> None:
        self.interest, self._every, self._calls = interest, every, 0
        self.heard: list[object] = []

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        self.heard.append((event, view.now, *(self._seen(key, view) for key in KEYS)))
        self._calls += 1
        if self._calls % self._every or not isinstance(event, BookDelta | BookSnapshot | Trade | Tick):
            return ()
        orders = view.open_orders(self.name)
        if len(orders) > 2:
            return (CancelIntent(self.name, orders[0].client_order_id, "cancel"),)
        return self._order(KEYS[self._calls // self._every % len(KEYS)], view)

    def _seen(self, key: InstrumentKey, view: View) -> object:
        book, state = view.book(key), view.state(key)
        shown = None if book is None else (book.top(3), book.ts_recv, book.ts_venue)
        return shown, state and (state.last_price, state.last_size, state.last_trade_ts), view.position(key)

    def _order(self, key: InstrumentKey, view: View) -> Iterable[Intent]:
        book = view.book(key)
        bid, ask = (None, None) if book is None else (book.best_bid(), book.best_ask())
        position, size = view.position(key), Size(10 * MICROS)
        if position is not None and bid is not None and self._calls % 3 == 0:
            return (Intent(self.name, key, "sell", bid[0], position.size, "ioc", "sell"),)
        if ask is not None and self._calls % 2:
            return (Intent(self.name, key, "buy", ask[0], size, "ioc", "take"),)
        if bid is not None:
            return (Intent(self.name, key, "buy", bid[0], size, "gtc", "rest", post_only=True),)
        return ()


class TimedScribe(Scribe):
    """The same, which wants no tick for a while after each call."""

    def __init__(self, interest: Interest, every: int, pause: int) -> None:
        super().__init__(interest, every)
        self.wake_at, self._pause = 0, pause

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        self.wake_at = view.now + self._pause
        return super().on_event(event, view)


class SelectiveScribe(Scribe):
    """The same, which waits for something else after each so many of its calls."""

    def __init__(self, interest: Interest, every: int, attentions: Sequence[Attention], patience: int) -> None:
        super().__init__(interest, every)
        self.attention = Attention()
        self._attentions, self._patience = attentions, patience

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        decided = super().on_event(event, view)
        if self._calls % self._patience == 0:
            self.attention = self._attentions[self._calls // self._patience % len(self._attentions)]
        return decided


prices = st.integers(1, 9).map(lambda tenths: Price(tenths * 100_000))
maybe_price = st.none() | prices
sizes = st.sampled_from([0, 5, 20, 300]).map(lambda shares: Size(shares * MICROS))
keys = st.sampled_from(KEYS)
filters = st.builds(
    BookFilter,
    spread_min=maybe_price,
    spread_max=maybe_price,
    bid_min=maybe_price,
    bid_max=maybe_price,
    ask_min=maybe_price,
    ask_max=maybe_price,
    imbalance_min=st.none() | st.integers(-MICROS, MICROS),
    imbalance_max=st.none() | st.integers(-MICROS, MICROS),
    imbalance_levels=st.integers(1, 4),
)
attentions = st.builds(Attention, books=st.dictionaries(keys, st.none() | filters), others=st.booleans())
interests = st.just(EVERYTHING) | st.builds(
    Interest,
    books=st.sampled_from(["change", "best", "never"]),
    best_sizes=st.booleans(),
    interval=st.sampled_from([0, 0, 3 * S]),
    where=st.none() | filters,
    where_event=st.none()
    | st.builds(
        EventFilter,
        ask_sum_max=st.none() | st.integers(0, 3 * MICROS).map(Price),
        bid_sum_min=st.none() | st.integers(0, 3 * MICROS).map(Price),
        exclusive=st.booleans(),
    ),
    filter_engaged=st.booleans(),
    engaged=st.sampled_from(["change", "best", "price"]),
    trades=st.booleans(),
    ticks=st.booleans(),
    coverage=st.booleans(),
    markets=st.sampled_from([MarketChoice(), MarketChoice(ids=frozenset({"a", "b-yes"}))]),
)


def side(best: int, *, down: bool) -> tuple[tuple[Price, Size], ...]:
    steps = [best - n if down else best + n for n in range(3)]
    return tuple((Price(each * 100_000), Size(20 * MICROS)) for each in steps if 0 < each < 10)


@st.composite
def event_of(draw: st.DrawFn, ts: int) -> Record:
    key, kind = draw(keys), draw(st.sampled_from(["delta"] * 6 + ["trade"] * 2 + ["book", "fact"]))
    venue_time = draw(st.none() | st.just(ts - 5))
    if kind == "delta":
        return BookDelta(key, ts, venue_time, 1, None, draw(st.sampled_from(["bid", "ask"])), draw(prices), draw(sizes))
    if kind == "trade":
        mirror = MARKETS[KEYS.index(key)].key(1)
        taker: Any = draw(st.sampled_from(["buy", "sell", None]))
        number = draw(st.none() | st.integers(0, 5).map(lambda n: TradeId(f"t{n}")))
        told_on = draw(st.sampled_from([key, mirror]))
        return Trade(told_on, ts, venue_time, draw(prices), Size(draw(st.integers(1, 40)) * MICROS), taker, number)
    if kind == "book":
        bid = draw(st.integers(0, 8))
        return BookSnapshot(
            key, ts, venue_time, 2, None, side(bid, down=True), side(draw(st.integers(bid, 10)), down=False)
        )
    if draw(st.integers(0, 4)):
        change: MarketChangeKind = draw(st.sampled_from(["paused", "activated", "tick_size"]))
        tick = Price(100_000) if change == "tick_size" else None
        value = '{"new_tick_size": "0.1"}' if tick else "{}"
        return MarketChange(key.venue, key.market_id, None, ts, venue_time, change, value, tick_size=tick)
    return MarketResolved(key.venue, key.market_id, ts, venue_time, ((key.instrument_id, Price(MICROS)),))


@st.composite
def recordings(draw: st.DrawFn) -> list[list[Record]]:
    """Segments of records; what is covered of each instrument, with gaps, is in the last."""
    ts, segments = BEGIN, []
    opening: list[Record] = [
        BookSnapshot(key, BEGIN, None, 1, None, side(4, down=True), side(6, down=False)) for key in KEYS
    ]
    for number in range(draw(st.integers(1, 3))):
        records: list[Record] = list(opening) if not number else []
        for _ in range(draw(st.integers(1, 40))):
            ts += draw(st.sampled_from([0, 0, 7, 20 * MS, 150 * MS, S, 20 * S]))
            records.append(draw(event_of(ts)))
        segments.append(records)
    end = ts + S
    for key in KEYS:
        at = draw(st.integers(BEGIN + 1, end - 2))
        gap = [Coverage(key, at, at + 1, "gap", "stall", 1)] if draw(st.booleans()) else []
        segments[-1] += [covered(key, BEGIN, at), *gap, covered(key, at + 1, end)]
    return segments


def run(folder: Path, scribe: Scribe, *, mirrored: bool, every_event: bool, **flags: str) -> Backtest:
    venue = RecordedVenue(mirrored=mirrored)
    return run_backtest(folder, SPAN, venue, scribe, every_event=every_event, flags=flags)


pauses = st.sampled_from([0, 250 * MS, 5 * S, NS_DAY])
often = st.integers(1, 6)
scribes = st.one_of(
    st.builds(Scribe, interests, often),
    st.builds(TimedScribe, interests, often, pauses),
    st.builds(SelectiveScribe, interests, often, st.lists(attentions, min_size=1, max_size=4), often),
)
models = st.sampled_from(["proportional", "pessimistic", "optimistic"])


@settings(
    deadline=None, max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking takes minutes
@given(recordings(), scribes, st.booleans(), st.sampled_from(["500", "12", "3"]), models)
def test_both_ways_tell_and_do_the_same(
    segments: Sequence[Sequence[Record]], scribe: Scribe, mirrored: bool, daily_loss: str, model: str
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        listed_on(folder, 0, *MARKETS)
        record(folder, BEGIN, *segments)
        other = deepcopy(scribe)
        flags = {"risk.max_daily_loss": daily_loss, "trading.queue_model": model}
        one = run(folder, scribe, mirrored=mirrored, every_event=True, **flags)
        two = run(folder, other, mirrored=mirrored, every_event=False, **flags)
        assert other.heard == scribe.heard
        assert told(two) == told(one)


@pytest.mark.parametrize("mirrored", [False, True])
def test_neither_way_sums_up_a_market_that_has_settled(mirrored: bool, tmp_path: Path) -> None:
    opening: list[Record] = [BookSnapshot(key, BEGIN, None, 1, None, (), side(6, down=False)) for key in KEYS]
    changes = [BookDelta(KEYS[0], BEGIN + n * S, None, 1, None, "ask", cents(60), shares(n)) for n in range(1, 8, 2)]
    ends = [
        MarketResolved(key.venue, key.market_id, BEGIN + n * S, None, ((key.instrument_id, Price(0)),))
        for n, key in zip((2, 4, 6), (KEYS[2], KEYS[1], KEYS[0]), strict=True)
    ]
    listed_on(tmp_path, 0, *MARKETS)
    record(tmp_path, BEGIN, [*opening, *changes, *ends, *(covered(key, BEGIN, BEGIN + 9 * S) for key in KEYS)])
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(120)), filter_engaged=True, trades=False, ticks=False)
    for every_event in (True, False):
        scribe = Scribe(cheap, 1_000)
        run(tmp_path, scribe, mirrored=mirrored, every_event=every_event)
        heard = [each[0] for each in scribe.heard if isinstance(each, tuple)]
        # Three at 0.6 are above the bound; two, then one, are within it; of none there is no sum.
        assert [each for each in heard if isinstance(each, BookDelta)] == changes[1:3]
