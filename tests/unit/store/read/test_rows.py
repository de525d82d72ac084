"""Rows of files are, taken one by one, the events of the replay in its order."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, Layout
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import read_events
from predsurv.store.read.replay_cache import REPLAY_CACHE, ReplayCache
from predsurv.store.read.rows import RowFiles
from predsurv.store.schema import EXACT_MAX
from predsurv.store.seal.compact import compact_closed
from tests.kit.recordings import record

pytestmark = pytest.mark.skipif(speedups is None, reason="there was no C compiler")

NOON = 1_800_014_400_000_000_000
MOCK = VenueName("mock")
KEYS = [InstrumentKey(MOCK, MarketId(f"m{n // 2}"), InstrumentId(f"i{n}")) for n in range(4)]

times = st.integers(-3, 3).map(lambda step: NOON + step * 7) | st.integers(NOON - NS_HOUR, NOON + NS_HOUR)
keys = st.sampled_from(KEYS)
prices = st.integers(0, 10**6).map(Price)
sizes = st.integers(0, EXACT_MAX).map(Size)
maybe = st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
levels = st.lists(st.tuples(prices, sizes), max_size=3).map(tuple)
epochs = st.integers(0, 9) | st.just(2**40)  # beyond what C takes: the whole file goes the patient way
sides = st.sampled_from(["bid", "ask"])
takers = st.sampled_from(["buy", "sell", None])
ids = st.none() | st.text("ab1", min_size=1).map(TradeId)
events: st.SearchStrategy[Record] = st.one_of(
    st.builds(BookDelta, keys, times, maybe, epochs, maybe, sides, prices, sizes),
    st.builds(BookSnapshot, keys, times, maybe, st.integers(0, 9), maybe, levels, levels),
    st.builds(Trade, keys, times, maybe, prices, sizes, takers, ids),
    st.builds(
        MarketChange,
        st.just(MOCK),
        st.just(KEYS[0].market_id),
        st.none(),
        times,
        maybe,
        st.just("paused"),
        st.just("{}"),
    ),
    st.builds(lambda key, ts: Coverage(key, ts, ts + 1, "gap", "stall", 1), keys, st.integers(NOON - 50, NOON + 50)),
)
queries = st.builds(
    ReplayQuery,
    st.just(MOCK),
    st.sampled_from([NOON - 2 * NS_HOUR, NOON]),
    st.sampled_from([NOON + 1, NOON + 2 * NS_HOUR]),
    st.none() | st.sets(keys, min_size=1).map(frozenset),
)


def taken(layout: Layout, query: ReplayQuery, cache: ReplayCache | None = None) -> list[MarketEvent]:
    """Return every event of the rows of a query."""
    assert speedups is not None
    replay: Any = speedups.NativeReplay({}, {}, (), (), False)
    numbers: dict[tuple[str, str], int] = {}

    def number_of(market_id: str, instrument_id: str) -> int:
        if (market_id, instrument_id) not in numbers:
            key = InstrumentKey(MOCK, MarketId(market_id), InstrumentId(instrument_id))
            numbers[market_id, instrument_id] = replay.add_instrument(key)
        return numbers[market_id, instrument_id]

    files = RowFiles(layout, [query], number_of, cache)
    for rows in files.open_until(query.end):
        replay.add_cursor(rows)
    assert files.next_at is None
    events = []
    while True:
        try:
            events.append(replay.take())
        except IndexError:
            return events


@settings(deadline=None)
@given(st.lists(st.lists(events, min_size=1, max_size=12), min_size=1, max_size=3), queries)
def test_rows_are_the_events_of_the_replay_in_its_order(
    segments: Sequence[Sequence[Record]], query: ReplayQuery
) -> None:
    with TemporaryDirectory() as name:
        record(Path(name), NOON, *segments)
        layout = Layout(Path(name))
        expected = list(read_events(layout, query))
        cache = ReplayCache(layout.state / REPLAY_CACHE, 1)
        assert taken(layout, query) == expected
        assert taken(layout, query, cache) == expected
        assert not list((layout.state / REPLAY_CACHE).glob("*"))  # one byte is not enough for any
        cache = ReplayCache(layout.state / REPLAY_CACHE, 10**6)
        assert taken(layout, query, cache) == expected
        kept = {path: path.read_bytes() for path in (layout.state / REPLAY_CACHE).glob("*")}
        assert taken(layout, query, cache) == expected
        assert {path: path.read_bytes() for path in (layout.state / REPLAY_CACHE).glob("*")} == kept


def test_many_rows_are_in_order_however_their_times_are_spread(tmp_path: Path) -> None:
    rng = Random(3)
    near = [NOON + rng.randrange(500) for _ in range(6_000)]
    spread = [NOON + rng.randrange(NS_HOUR) for _ in range(6_000)]
    segments = [
        [BookDelta(rng.choice(KEYS), ts, None, 1, n, "bid", Price(1), Size(n)) for n, ts in enumerate(sorted(times))]
        for times in (near, spread, [NOON, *(NOON + NS_HOUR - 1 for _ in range(3_000))])
    ]
    record(tmp_path, NOON + 2 * NS_HOUR, *segments)
    compact_closed(Layout(tmp_path), "c0", ManualClock(NOON + 2 * NS_HOUR))
    query = ReplayQuery(MOCK, NOON, NOON + NS_HOUR)
    (file,) = RowFiles(Layout(tmp_path), [query], lambda *_: 0).open_until(NOON)
    assert len(file) == 15_001
    assert taken(Layout(tmp_path), query) == list(read_events(Layout(tmp_path), query))


def test_rows_are_sorted_in_little_memory_beside_their_own(tmp_path: Path) -> None:
    rng = Random(3)
    times = sorted(NOON + rng.randrange(NS_HOUR) for _ in range(30_000))
    record(tmp_path, NOON, [BookDelta(rng.choice(KEYS), ts, None, 1, None, "bid", Price(1), Size(1)) for ts in times])
    files = RowFiles(Layout(tmp_path), [ReplayQuery(MOCK, NOON, NOON + NS_HOUR)], lambda *_: 0)
    tracemalloc.start()
    try:
        (rows,) = files.open_until(NOON + NS_HOUR)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows) == len(times)
    assert peak < 75 * len(times)  # 56 a row, 4 for its place in the order, what Python needs


def test_columns_and_numbers_that_do_not_fit_are_refused() -> None:
    assert speedups is not None
    rows: Any = speedups.NativeRows()
    with pytest.raises(ValueError, match="columns of rows"):
        rows.add(1, (), ([], [], [], []), lambda *_: 0, 0, 1, None)
    columns = tuple((None, bytes(4), 0) for _ in range(12))
    with pytest.raises(ValueError, match="shorter than its rows"):
        rows.add(1, columns, ([], [], [], []), lambda *_: 0, 0, 1, None)
    with pytest.raises(ValueError, match="beyond its dictionary"):
        rows.add(1, tuple((None, bytes(8), 0) for _ in range(12)), ([], [], [], []), lambda *_: 0, 0, 1, None)
    replay: Any = speedups.NativeReplay({}, {}, (), (), False)
    with pytest.raises(TypeError, match="sorted rows"):
        replay.add_cursor(rows)
    with pytest.raises(TypeError, match="of each broker"):
        speedups.NativeReplay({}, {}, (), (([], [], 1, 1, 1),), False)
    for wrong in (lambda: replay.relate(0, 0, -1, 0, -1, -1, -1), lambda: replay.group(1, [], False), replay.take):
        with pytest.raises(IndexError):
            wrong()
