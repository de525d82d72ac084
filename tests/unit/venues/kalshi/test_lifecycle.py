"""Announcements and rows of markets become facts with a time."""

from typing import Any

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Quote, Trade
from predsurv.core.market import FeeSchedule, Market
from predsurv.state.market_facts import MarketTimeline
from predsurv.venues.kalshi.decoder import KalshiSharedState
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import parse_market
from predsurv.venues.kalshi.rest_wire import EventRow, MarketRow, SeriesRow
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.wire import NULL
from tests.kit.kalshi_frames import NOW, A, CodecConnection, key, life, snapshot, wire

SENT = 1_799_999_999_750
SENT_NS = SENT * 1_000_000
HALF = FeeSchedule("kalshi", 35_000)


def sent(frame: bytes) -> bytes:
    """Return ``frame`` with the time of its sending."""
    return frame[:-1] + b',"sending_ts_ms":%d}' % SENT


def directory() -> EventDirectory:
    """Return one that knows a series with half the usual fee, and one of its events."""
    series = SeriesRow("KXA", category="Sports", tags=["Tennis"], fee_type="quadratic", fee_multiplier=raw(b"0.5"))
    made = EventDirectory({"KXA": series})
    made.add(EventRow("KXA-26", series_ticker="KXA", mutually_exclusive=True))
    return made


def raw(text: bytes) -> Any:
    return type(NULL)(text)


def test_a_message_without_a_clock_has_the_time_of_its_sending() -> None:
    connection = CodecConnection(A, live=False)
    (book,) = connection.receive(sent(snapshot(A, 1, [["0.4000", "10.00"]])))
    assert isinstance(book, BookSnapshot)
    assert book.ts_venue == SENT_NS
    body = {"market_ticker": A, "price_dollars": "0.3000", "delta_fp": "1.00", "side": "yes"}
    (delta,) = connection.receive(sent(wire({"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": body})))
    trade = {"market_ticker": A, "yes_price_dollars": "0.4000", "count_fp": "1.00"}
    (traded,) = connection.receive(sent(wire({"type": "trade", "sid": 2, "seq": 1, "msg": trade})))
    (quote,) = connection.receive(sent(wire({"type": "ticker", "sid": 9, "msg": {"market_ticker": A}})))
    (paused,) = connection.receive(sent(life(1, "deactivated")))
    fee = {"event_ticker": "KXA-26", "fee_type_override": "quadratic"}
    (fees,) = connection.receive(sent(wire({"type": "event_fee_update", "sid": 3, "seq": 2, "msg": fee})))
    for event, kind in ((delta, BookDelta), (traded, Trade), (quote, Quote), (paused, MarketChange)):
        assert isinstance(event, kind)
        assert event.ts_venue == SENT_NS
    assert isinstance(fees, MarketChange)
    assert fees.ts_venue == SENT_NS


def test_a_clock_of_its_own_goes_before_the_time_of_sending() -> None:
    connection = CodecConnection(A)
    body = {"market_ticker": A, "price_dollars": "0.3000", "delta_fp": "1.00", "side": "yes", "ts_ms": SENT - 40}
    frame = wire({"type": "orderbook_delta", "sid": 1, "seq": connection.next(), "msg": body})
    (delta,) = connection.receive(sent(frame))
    assert isinstance(delta, BookDelta)
    assert delta.ts_venue == SENT_NS - 40_000_000
    (settled,) = connection.receive(sent(life(1, "determined", result="yes", determination_ts=1_799_999_000)))
    assert isinstance(settled, MarketChange)
    assert settled.ts_venue == 1_799_999_000_000_000_000


@pytest.mark.parametrize("stamp", [0, -1, 10**18, 1])
def test_an_absurd_time_of_sending_is_none(stamp: int) -> None:
    connection = CodecConnection(A, live=False)
    frame = snapshot(A, 1, [["0.4000", "10.00"]])[:-1] + b',"sending_ts_ms":%d}' % stamp
    (book,) = connection.receive(frame)
    assert isinstance(book, BookSnapshot)
    assert book.ts_venue is None


def test_a_close_time_that_is_moved_is_stated() -> None:
    (moved,) = CodecConnection(A).receive(life(1, "close_date_updated", close_ts=1_800_000_500))
    assert isinstance(moved, MarketChange)
    assert (moved.kind, moved.close_time) == ("rules", 1_800_000_500_000_000_000)


def created(shared: KalshiSharedState | None = None) -> Market:
    times = {"close_ts": 1_800_000_300, "open_ts": 1_800_000_000}
    frame = life(1, "created", market_ticker="KXA-26-X", exchange_index=2, **times)
    (event,) = CodecConnection(A, shared=shared).receive(frame)
    assert isinstance(event, MarketChange)
    assert event.market is not None
    return event.market


def test_an_announced_market_of_a_known_series_has_its_terms() -> None:
    market = created(KalshiSharedState(directory()))
    assert (market.fee, market.category, market.tags) == (HALF, "Sports", ("Tennis",))
    assert market.mutually_exclusive
    assert market.shard == 2
    assert not {"fee", "category", "tags", "mutually_exclusive", "close_time"} & {*market.assumed}
    assert {"tick_size", "volume"} <= {*market.assumed}


def test_an_announced_market_of_an_unknown_series_assumes_what_gives_way_to_its_listing() -> None:
    announced = created()
    assert {"fee", "category", "mutually_exclusive"} <= {*announced.assumed}
    listed = parse_market(MarketRow("KXA-26-X", "KXA-26", "active"), directory().terms("KXA-26"), NOW)
    assert listed is not None
    for order in ((listed, announced), (announced, listed)):
        timeline = MarketTimeline()
        for number, market in enumerate(order):
            venue, ticker = market.venue, market.market_id
            timeline.add(MarketChange(venue, ticker, None, NOW + number, None, "listed", "", market=market))
        known = timeline.at(NOW + 9)
        assert known is not None
        assert (known.market.fee, known.market.category) == (HALF, "Sports")


@pytest.mark.parametrize(("scalar", "void"), [(True, False), (False, True)])
def test_a_scalar_market_that_pays_as_designed_is_not_void(scalar: bool, void: bool) -> None:
    shared = KalshiSharedState(directory())
    if scalar:
        shared.lifecycle.directory.add_scalar(A)
    connection = CodecConnection(A, shared=shared)
    connection.receive(life(1, "determined", result="scalar", settlement_value="0.3700"))
    (resolved,) = connection.receive(life(2, "settled", settled_ts=1_800_000_000))
    assert isinstance(resolved, MarketResolved)
    assert resolved.payouts == ((A, 370_000), (f"{A}:no", 630_000))
    assert resolved.void is void
    kind = "scalar" if scalar else "binary"
    row = MarketRow(A, "KXA-26", "finalized", result="scalar", settlement_value_dollars="0.3700", market_type=kind)
    (settled,) = LifecycleReader().settlement(row, NOW)
    assert isinstance(settled, MarketResolved)
    assert settled.void is void
    market = parse_market(row, directory().terms("KXA-26"), NOW)
    assert market is not None
    assert market.status == ("void" if void else "resolved")


def test_a_withdrawn_fee_of_an_event_is_that_of_its_series() -> None:
    connection = CodecConnection("KXA-26-X", shared=KalshiSharedState(directory()))
    own = {"event_ticker": "KXA-26", "fee_type_override": "quadratic", "fee_multiplier_override": 0}
    none = {"event_ticker": "KXA-26", "fee_type_override": None, "fee_multiplier_override": None}
    found: list[MarketEvent] = []
    for seq, body in enumerate((own, none), start=1):
        found += connection.receive(wire({"type": "event_fee_update", "sid": 3, "seq": seq, "msg": body}))
    fees = [event.fee for event in found if isinstance(event, MarketChange)]
    assert fees == [FeeSchedule("kalshi", 0), HALF]


def test_the_mirrored_outcome_of_a_streamed_trade_is_the_other_way_round() -> None:
    connection = CodecConnection(A)
    connection.codec.requests({key(A, no=True)}, frozenset())
    body = {"market_ticker": A, "trade_id": "t", "count_fp": "2.00", "taker_outcome_side": "no"}
    prices = {"yes_price_dollars": "0.3000", "no_price_dollars": "0.7000", "ts_ms": SENT}
    trades = connection.receive(wire({"type": "trade", "sid": 2, "seq": 1, "msg": {**body, **prices}}))
    told = {(each.key, each.price, each.taker_side) for each in trades if isinstance(each, Trade)}
    assert told == {(key(A), 300_000, "sell"), (key(A, no=True), 700_000, "buy")}


def test_nothing_is_news_of_a_market_that_has_settled_and_little_is_kept_of_it() -> None:
    shared = KalshiSharedState()
    connection, late = CodecConnection(A, live=False, shared=shared), CodecConnection(A, live=False, shared=shared)
    told = [life(seq, kind) for seq, kind in enumerate(("created", "activated", "deactivated"), start=1)]
    result = {"result": "yes", "determination_ts": 1}
    ended = [life(4, "determined", **result), life(5, "settled", settled_ts=2)]
    kinds = [type(event).__name__ for frame in (*told, *ended) for event in connection.receive(frame)]
    assert kinds.count("MarketResolved") == 1
    assert [event for frame in (*told, *ended) for event in late.receive(frame)] == []
    (kept,) = shared.lifecycle._told._by_ticker.values()
    assert kept == {}
