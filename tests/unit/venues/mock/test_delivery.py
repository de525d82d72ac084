"""Each fault of the simulated connection is declared, and the books are right again after it."""

from collections import Counter

import pytest

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Dropped,
    Gap,
    Malformed,
    MarketEvent,
    MarketResolved,
    Unknown,
)
from predsurv.core.ids import InstrumentKey
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.world import SECOND
from predsurv.state.book import Book
from predsurv.venues.mock.delivery import FaultyDelivery
from predsurv.venues.mock.faults import parse_faults

TURN = SECOND // 50


def run(*faults: str, seconds: int = 8) -> tuple[list[MarketEvent], Exchange, set[InstrumentKey]]:
    """Watch every market for some seconds, checking that books and exchange agree at the end."""
    exchange = Exchange(7, 60, 400)
    delivery = FaultyDelivery(exchange, parse_faults(faults))
    keys = {market.key(0) for market in exchange.markets()}
    delivery.watch(keys)
    events: list[MarketEvent] = []
    for turn in range(seconds * 50):
        now = ORIGIN + turn * TURN
        events += delivery.deliver(now, exchange.advance(now), 0, 1_000)
    books = {key: Book(key) for key in keys}
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta | Gap):
            books[event.key].apply(event)
    for key, book in books.items():
        truth = exchange.book(key)
        assert book.trusted
        assert (book.bids.levels(), book.asks.levels()) == (truth.bids, truth.asks)
    return events, exchange, keys


def kinds(events: list[MarketEvent]) -> Counter[type]:
    return Counter(type(event) for event in events)


def gaps(events: list[MarketEvent]) -> Counter[str]:
    return Counter(event.reason for event in events if isinstance(event, Gap))


def test_connection_without_faults_loses_nothing() -> None:
    events, _, keys = run()
    assert not gaps(events)
    assert kinds(events)[BookSnapshot] == len(keys)
    assert kinds(events)[Connected] == 1


@pytest.mark.parametrize(
    ("fault", "reason", "sign"),
    [
        ("drop@2s", "disconnect", Disconnected),
        ("freeze@2s:3s", "stall", Disconnected),
        ("overflow@2s", "overflow", Dropped),
    ],
)
def test_loss_on_every_instrument_is_declared_for_every_instrument(fault: str, reason: str, sign: type) -> None:
    events, _, keys = run(fault)
    assert gaps(events) == {reason: len(keys)}
    assert kinds(events)[sign] == 1
    assert kinds(events)[BookSnapshot] == 2 * len(keys)
    first = next(index for index, event in enumerate(events) if isinstance(event, Gap))
    assert any(isinstance(event, sign) for event in events[:first])


@pytest.mark.parametrize(("fault", "reason"), [("gap@2s", "seq_gap"), ("malformed@2s", "decode_error")])
def test_loss_on_one_instrument_is_declared_for_one(fault: str, reason: str) -> None:
    events, _, _ = run(fault)
    assert gaps(events) == {reason: 1}
    assert kinds(events)[Malformed] == (reason == "decode_error")


def test_epochs_count_connections() -> None:
    events, _, _ = run("drop@1s", "drop@3s:1s", "freeze@5s:2s")
    assert [event.epoch for event in events if isinstance(event, Connected)] == [1, 2, 3, 4]
    epochs = [event.epoch for event in events if isinstance(event, BookSnapshot | BookDelta)]
    assert epochs == sorted(epochs)


def test_short_freeze_only_delays() -> None:
    events, _, _ = run("freeze@2s:400ms")
    assert not gaps(events)
    assert max(event.ts_recv - (event.ts_venue or 0) for event in events if isinstance(event, BookDelta)) >= SECOND // 3


def test_unknown_message_is_counted() -> None:
    events, _, _ = run("unknown@2s")
    assert kinds(events)[Unknown] == 1
    assert not gaps(events)


def test_settlements_survive_a_drop() -> None:
    calm, _, _ = run(seconds=20)
    rough, _, _ = run("drop@5s:14s", seconds=20)
    paid = [[event.market_id for event in run if isinstance(event, MarketResolved)] for run in (calm, rough)]
    assert paid[0] == paid[1] != []


def test_tape_events_lost_before_the_batch_are_declared() -> None:
    exchange = Exchange(7, 30, 400)
    delivery, keys = FaultyDelivery(exchange, ()), {exchange.markets()[0].key(0)}
    delivery.watch(keys)
    delivery.deliver(ORIGIN, [], 0, 10)
    events = delivery.deliver(ORIGIN + 1, [], 123, 10)
    assert [event.count for event in events if isinstance(event, Dropped)] == [123]
    assert gaps(events) == {"overflow": 1}
