"""A made-up feed for the recorder's tests: instruments, events, and hypothesis strategies over them."""

from hypothesis import strategies as st

from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    GapReason,
    Level,
    MarketEvent,
    Trade,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, Side, TradeId, VenueName
from predsurv.core.num import MICROS, Price, Size

START = 1_800_000_000_000_000_000  # 2027-01-15T08:00:00Z, on the hour
S = 1_000_000_000
VENUE = VenueName("mock")
KEYS = tuple(InstrumentKey(VENUE, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(3))
A, B, C = KEYS
POLICY = RecordingPolicy(top_levels=2, snapshot_interval=S, heartbeat_interval=10 * S)


def level(price: int, size: int) -> Level:
    return Price(price * 10_000), Size(size * MICROS)


def book(key: InstrumentKey, ts: int, bid: int = 40, ask: int = 60, epoch: int = 1) -> BookSnapshot:
    return BookSnapshot(key, ts, None, epoch, None, (level(bid, 5),), (level(ask, 5),))


def delta(key: InstrumentKey, ts: int, price: int, size: int, side: Side = "bid", epoch: int = 1) -> BookDelta:
    return BookDelta(key, ts, ts - 5_000_000, epoch, None, side, *level(price, size))


def gap(key: InstrumentKey, ts: int, reason: GapReason = "disconnect", epoch: int = 1) -> Gap:
    return Gap(key, ts, reason, epoch)


def trade(key: InstrumentKey, ts: int) -> Trade:
    return Trade(key, ts, None, Price(500_000), Size(MICROS), "buy", TradeId("t"))


def recording(*keys: InstrumentKey, at: int = START) -> Recorder:
    """Return a recorder that wants ``keys`` from ``at`` on."""
    recorder = Recorder(POLICY)
    recorder.advance(at)
    recorder.want(dict.fromkeys(keys, MICROS), dict.fromkeys(keys))
    return recorder


_STEPS = (0, 0, 1, S // 5, S, 7 * S, 1_700 * S)
_REASONS: tuple[GapReason, ...] = ("disconnect", "stall", "seq_gap")

# Plain numbers are drawn and made into events afterwards: drawing events themselves is far slower.
_DRAWN = st.tuples(
    st.sampled_from(_STEPS),
    st.sampled_from("bbaasglt"),
    st.integers(0, 2),
    st.integers(1, 8),
    st.integers(0, 3),
    st.sampled_from([1, 1, 1, 2]),
)
_Drawn = tuple[int, str, int, int, int, int]


def streams(start: int = START) -> st.SearchStrategy[list[list[MarketEvent]]]:
    """Return batches such as a feed sends: time never goes back, a delta may come before its book."""
    return st.lists(st.lists(_DRAWN, max_size=8), max_size=8).map(lambda drawn: _batches(start, drawn))


def _batches(now: int, drawn: list[list[_Drawn]]) -> list[list[MarketEvent]]:
    batches = []
    for row in drawn:
        batch = []
        for each in row:
            now += each[0]
            batch.append(_event(now, each))
        batches.append(batch)
    return batches


def _event(now: int, drawn: _Drawn) -> MarketEvent:
    _, kind, number, price, size, epoch = drawn
    key = KEYS[number]
    match kind:
        case "b":
            return delta(key, now, price, size, "bid", epoch)
        case "a":
            return delta(key, now, price + 8, size, "ask", epoch)
        case "s":
            return book(key, now, price, price + 8, epoch)
        case "g":
            return gap(key, now, _REASONS[size % 3], epoch)
        case "l":
            return gap(key, now - size * 3 * S, "stall", epoch)  # found out late
        case _:
            return trade(key, now)
