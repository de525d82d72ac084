"""A subscription: snapshot, then every change once, or a gap."""

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Trade
from predsurv.core.num import Price, Size
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.tape import LevelChange, TapeTrade
from predsurv.exchange.world import SECOND
from predsurv.venues.mock.subscriptions import RESYNC_NS, DeliveryBatch, MockSubscriptions


class Bench:
    """Subscriptions to the first market of an exchange that stands still."""

    def __init__(self) -> None:
        self.exchange = Exchange(7, 30, 1)
        self.market = self.exchange.markets()[0]
        self.batch = DeliveryBatch()
        self.batch.ts_recv = ORIGIN + 5
        self.subscriptions = MockSubscriptions(self.exchange, self.batch)
        self.yes, self.no = self.market.key(0), self.market.key(1)
        place = self.exchange.directory.locate(self.yes)
        assert place is not None
        self.book = place[0]
        self.seq = self.exchange.book(self.yes).seq

    def change(self, seq: int) -> None:
        self.subscriptions.change(LevelChange(1, ORIGIN, self.book, seq, "bid", Price(300_000), Size(7)))


def test_snapshot_then_deltas_in_both_frames() -> None:
    bench = Bench()
    bench.subscriptions.watch({bench.yes, bench.no})
    bench.change(bench.seq + 1)
    assert not bench.batch.events
    bench.subscriptions.open_books(10)
    bench.change(bench.seq)
    bench.change(bench.seq + 1)
    bench.subscriptions.trade(TapeTrade(9, ORIGIN, bench.book, Price(300_000), Size(5), "buy"))
    events = bench.batch.events
    assert [type(event) for event in events] == [BookSnapshot] * 2 + [BookDelta] * 2 + [Trade] * 2
    deltas = {event.key: (event.side, event.price) for event in events if isinstance(event, BookDelta)}
    assert deltas == {bench.yes: ("bid", 300_000), bench.no: ("ask", 700_000)}
    trades = {event.key: (event.taker_side, event.price) for event in events if isinstance(event, Trade)}
    assert trades == {bench.yes: ("buy", 300_000), bench.no: ("sell", 700_000)}


def test_missed_change_is_a_gap_until_the_next_snapshot() -> None:
    bench = Bench()
    bench.subscriptions.watch({bench.yes})
    bench.subscriptions.open_books(10)
    bench.change(bench.seq + 3)
    bench.subscriptions.open_books(10)
    assert [type(event) for event in bench.batch.events] == [BookSnapshot, Gap]
    bench.exchange.advance(ORIGIN + RESYNC_NS)
    bench.subscriptions.open_books(10)
    assert isinstance(bench.batch.events[-1], BookSnapshot)


def test_snapshots_come_a_few_at_a_time() -> None:
    bench = Bench()
    keys = {key for market in bench.exchange.markets() for key in market.keys()}  # noqa: SIM118
    bench.subscriptions.watch(keys)
    bench.subscriptions.open_books(10)
    assert len(bench.batch.events) == 10
    bench.subscriptions.open_books(1_000)
    assert {event.key for event in bench.batch.events if isinstance(event, BookSnapshot)} == keys


def test_instruments_no_longer_watched_get_no_events() -> None:
    bench = Bench()
    bench.subscriptions.watch({bench.yes})
    bench.subscriptions.open_books(10)
    bench.subscriptions.watch(set())
    bench.exchange.advance(ORIGIN + SECOND)
    bench.change(bench.seq + 1)
    bench.subscriptions.lose_all("disconnect")
    bench.subscriptions.open_books(10)
    assert len(bench.batch.events) == 1
