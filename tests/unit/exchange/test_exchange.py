"""The exchange: the same seed gives the same tape, however time is divided and whatever is traded in other groups."""

from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.ids import ClientOrderId, StrategyName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.mispricing import basket_edge
from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle, TapeSettlement, TapeTrade
from predsurv.exchange.world import SECOND, market_records


def digest(events: list[TapeEvent]) -> str:
    return blake2b(msgspec.msgpack.encode(events), digest_size=16).hexdigest()


def test_same_seed_same_tape_and_other_seed_other_tape() -> None:
    runs = [digest(Exchange(seed, 60, 300).advance(ORIGIN + 20 * SECOND)) for seed in (7, 7, 8)]
    assert runs[0] == runs[1] != runs[2]


def test_tape_is_the_one_it_always_was() -> None:
    """The generated markets may change, but never by accident: documentation and demos rely on seed 7."""
    events = Exchange(7, 300, 400).advance(ORIGIN + 10 * SECOND)
    assert digest(events) == EXPECTED


EXPECTED = "af2d9b65660689fb3db94eef0e675342"
WHOLE = digest(Exchange(3, 40, 500).advance(ORIGIN + 8 * SECOND))


@settings(max_examples=15)
@given(st.lists(st.integers(1, 3 * SECOND), max_size=30), st.integers(0, 400))
def test_the_tape_does_not_depend_on_how_time_is_divided(steps: list[int], events_max: int) -> None:
    exchange, events, now = Exchange(3, 40, 500), [], ORIGIN
    for step in (*steps, 8 * SECOND):
        now = min(now + step, ORIGIN + 8 * SECOND)
        while exchange.now < now:
            events += exchange.advance(now, events_max)
    assert digest(events) == WHOLE


def test_sequence_and_time_never_go_back() -> None:
    exchange = Exchange(7, 80, 500)
    events = exchange.advance(ORIGIN + 10 * SECOND)
    assert [event.seq for event in events] == list(range(events[0].seq, events[0].seq + len(events)))
    assert [event.ts for event in events] == sorted(event.ts for event in events)
    with pytest.raises(ValueError, match="back"):
        exchange.advance(ORIGIN)


def test_tape_rebuilds_every_book() -> None:
    exchange = Exchange(7, 80, 1_000)
    keys = {key: exchange.directory.locate(key) for market in exchange.markets() for key in market.keys()}  # noqa: SIM118
    first = {at.book: exchange.book(key) for key, at in keys.items() if at is not None and not at.mirrored}
    books = {n: {**{("bid", p): s for p, s in b.bids}, **{("ask", p): s for p, s in b.asks}} for n, b in first.items()}
    seqs = {number: book.seq for number, book in first.items()}
    for event in exchange.advance(ORIGIN + 20 * SECOND):
        if isinstance(event, LevelChange) and event.book in books:
            books[event.book][event.side, event.price] = event.size
            seqs[event.book] += 1
            assert event.book_seq == seqs[event.book]
    for number, levels in books.items():
        now = exchange.book(first[number].key)
        expected = {**{("bid", p): s for p, s in now.bids}, **{("ask", p): s for p, s in now.asks}}
        assert {key: size for key, size in levels.items() if size} == expected


def test_the_exchange_has_about_the_asked_rate() -> None:
    events = Exchange(7, 300, 1_000).advance(ORIGIN + 10 * SECOND)
    assert 7_000 < sum(isinstance(event, LevelChange) for event in events) < 12_000


def test_an_order_changes_its_own_market_group_only() -> None:
    quiet, busy = Exchange(7, 60, 500), Exchange(7, 60, 500)
    market = busy.markets()[0]
    account = busy.open_account(1_000 * MICROS)
    order = PlaceOrder(
        client_order_id=ClientOrderId("1"),
        strategy=StrategyName("s"),
        key=market.key(0),
        side="buy",
        price=Price(MICROS - market.tick_size),
        size=Size(50 * MICROS),
        tif="ioc",
    )
    busy.submit_at(ORIGIN + SECOND, account, order)
    touched = {book.index for book in busy.groups[0].books}

    def elsewhere(exchange: Exchange) -> list[tuple[object, ...]]:
        events = exchange.advance(ORIGIN + 8 * SECOND)
        rest = [event for event in events if isinstance(event, LevelChange) and event.book not in touched]
        return [(event.ts, event.book, event.side, event.price, event.size) for event in rest]

    assert elsewhere(quiet) == elsewhere(busy)
    assert account.holdings


def test_the_first_minute_has_every_kind_of_event() -> None:
    exchange = Exchange(7, 300, 400)
    events = exchange.advance(ORIGIN + 60 * SECOND)
    kinds = {event.kind for event in events if isinstance(event, TapeLifecycle)}
    assert {"created", "activated", "closed", "tick_size"} <= kinds
    settled = [event for event in events if isinstance(event, TapeSettlement)]
    assert sum(event.void for event in settled) == 1
    assert all(sum(price for _, price in event.payouts) == MICROS for event in settled)
    first = min(event.ts for event in settled)
    assert first - ORIGIN < 9 * SECOND
    by_event: dict[str, list[int]] = {}
    for event in settled:
        if event.market.exhaustive:
            by_event.setdefault(event.market.event_id, []).append(event.payouts[0][1])
    assert by_event
    assert all(sum(wins) == MICROS for wins in by_event.values())
    assert any(isinstance(event, TapeTrade) for event in events)


@pytest.mark.parametrize("rate", [50, 5_000])
@pytest.mark.parametrize("seed", [7, 8])
def test_planned_mispricings_pay_as_long_as_they_last(seed: int, rate: int) -> None:
    exchange = Exchange(seed, 300, rate)
    specs = [group.spec for group in exchange.groups if group.spec.mispricing is not None]
    fees = {spec.index: market_records(spec, ORIGIN)[0].fee for spec in specs}
    for tenth in range(1, 180, 3):
        exchange.advance(ORIGIN + tenth * SECOND // 10)
        for spec in specs:
            planned = spec.mispricing
            if planned is None or not planned.at <= tenth * SECOND // 10 < planned.at + planned.duration:
                continue
            found = basket_edge(exchange.groups[spec.index], fees[spec.index], planned.side)
            assert found is not None
            assert found.edge >= 10_000
            assert found.size >= 20 * MICROS
    assert len(exchange.mispricings) >= 6
