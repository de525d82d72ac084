"""What ends, clears or pauses trading without a message about an order: timetables, game starts, pauses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Fill,
    MarketChange,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Trade,
    TradingPhase,
    VenuePhase,
)
from predsurv.core.ids import VenueName
from predsurv.core.market import MarketStatus
from predsurv.core.num import Price
from tests.kit.paper_venue import LATENCY, PaperVenue, cancels, fills, kinds, refusal
from tests.kit.trading_samples import (
    MS,
    NO,
    START,
    S,
    V,
    approved,
    book,
    cancel,
    delta,
    gap,
    market,
    place,
    shares,
    trade,
)

KALSHI, POLYMARKET = VenueName("kalshi"), VenueName("polymarket")
KALSHI_YES, KALSHI_NO = market(venue=KALSHI).keys()
GAME_YES = market(venue=POLYMARKET).key(0)
CLOSE = START + 100 * S
PHASES: tuple[TradingPhase, ...] = ("open", "post_only", "cancel_only", "closed")


def kalshi(*events: Any, **rules: Any) -> PaperVenue:
    return PaperVenue(*events, **{"venue": KALSHI, "close_time": CLOSE, **rules})


def order(name: str = "o1", *args: Any, **changes: Any) -> Any:
    return place(name, *args, **{"key": KALSHI_YES, **changes})


def moved(close_time: int, ts: int, effective: int | None = None) -> MarketChange:
    return MarketChange(
        KALSHI, KALSHI_YES.market_id, None, ts, None, "rules", "{}", close_time=close_time, effective=effective
    )


def change(kind: Any, ts: int, venue: VenueName = KALSHI, **fields: Any) -> MarketChange:
    return MarketChange(venue, KALSHI_YES.market_id, None, ts, None, kind, "{}", **fields)


def phase(value: TradingPhase, ts: int, venue: VenueName = V) -> VenuePhase:
    return VenuePhase(venue, ts, None, value, "{}")


def test_from_the_close_on_orders_are_rejected_whatever_quotes_are_shown() -> None:
    venue = kalshi()
    assert refusal(venue.send(order("a", price=51, tif="ioc"), CLOSE + 10 * S)) == "market_closed"
    assert refusal(venue.send(order("b", price=50), CLOSE + 11 * S)) == "market_closed"
    assert refusal(venue.send(order("c", "sell", 95), CLOSE + 12 * S)) == "market_closed"
    assert venue.market.status == "active", "no message said that trading ended"


def test_the_last_instant_before_the_close_still_trades() -> None:
    venue = kalshi()
    assert fills(venue.send(order("a", tif="ioc"), CLOSE - LATENCY - 1))
    assert refusal(venue.send(order("b", tif="ioc"), CLOSE - LATENCY)) == "market_closed"


def test_an_order_in_transit_when_trading_ends_is_rejected() -> None:
    assert refusal(kalshi().send(order(tif="ioc"), CLOSE - 1)) == "market_closed"


def test_resting_orders_are_cancelled_at_the_close_without_any_event() -> None:
    venue = kalshi()
    venue.send(order("bid", price=50))
    venue.send(order("ask", "sell", 95))
    venue.send(order("no", key=KALSHI_NO, price=40))
    assert list(venue.simulator.due(CLOSE - 1)) == []
    ended = cancels(list(venue.simulator.due(CLOSE + 5 * S)))
    assert sorted(ended) == [(name, "market_closed", CLOSE) for name in ("ask", "bid", "no")]
    assert venue.simulator.resting() == ()


def test_a_cancel_that_arrives_with_the_close_comes_too_late() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    venue.simulator.submit(approved(cancel(key=KALSHI_YES), CLOSE - LATENCY))
    assert cancels(list(venue.simulator.due(CLOSE))) == [("o1", "market_closed", CLOSE)]


def test_quotes_and_trades_after_the_close_fill_nothing() -> None:
    venue = kalshi()
    venue.send(order("ask", "sell", 95))
    after = venue.show(book(bids=((99, 1_000),), asks=(), key=KALSHI_YES, ts=CLOSE + 20 * S))
    assert cancels(after) == [("ask", "market_closed", CLOSE)]
    assert fills(after) == []
    later = [trade(99, 100, "buy", CLOSE + 21 * S, KALSHI_YES), delta("bid", 98, 50, CLOSE + 22 * S, KALSHI_YES)]
    assert venue.show(*later) == []


def test_observing_alone_ends_trading_too() -> None:
    venue = kalshi()
    venue.send(order("ask", "sell", 95))
    event = book(bids=((99, 1_000),), asks=(), key=KALSHI_YES, ts=CLOSE)
    venue.cache.apply(event)
    assert kinds(list(venue.simulator.observe(event))) == ["OrderCancelled"]


def test_a_close_that_is_moved_later_lets_orders_rest_and_fill_until_then() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    assert venue.show(moved(CLOSE + 60 * S, START + S)) == []
    assert list(venue.simulator.due(CLOSE + 59 * S)) == []
    assert fills(venue.show(trade(49, 4, ts=CLOSE + 59 * S, key=KALSHI_YES))) == [(500_000, shares(4))]
    assert cancels(list(venue.simulator.due(CLOSE + 60 * S))) == [("o1", "market_closed", CLOSE + 60 * S)]


def test_a_close_that_is_moved_earlier_ends_trading_then() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    assert venue.show(moved(START + 20 * S, START + S)) == []
    assert cancels(list(venue.simulator.due(START + 30 * S))) == [("o1", "market_closed", START + 20 * S)]
    assert refusal(venue.send(order("b"), START + 31 * S)) == "market_closed"


def test_a_close_that_is_told_late_ends_trading_when_it_is_told() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    told = venue.show(moved(START + 20 * S, START + 40 * S))
    assert cancels(told) == [("o1", "market_closed", START + 40 * S)]


def test_a_move_of_the_close_that_was_announced_ahead_counts_from_its_instant() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    assert venue.show(moved(START + 20 * S, START + S, effective=START + 50 * S)) == []
    assert list(venue.simulator.due(START + 49 * S)) == []
    assert cancels(list(venue.simulator.due(START + 60 * S))) == [("o1", "market_closed", START + 50 * S)]


def test_a_market_whose_close_is_moved_past_it_trades_again_without_the_old_orders() -> None:
    venue = kalshi()
    venue.send(order("old", price=50))
    assert len(cancels(list(venue.simulator.due(CLOSE)))) == 1
    assert venue.show(moved(CLOSE + 60 * S, CLOSE + S)) == []
    assert kinds(venue.send(order("new", price=50), CLOSE + 2 * S)) == ["OrderAccepted"]
    assert [each.command.client_order_id for each in venue.simulator.resting()] == ["new"]
    assert cancels(list(venue.simulator.due(CLOSE + 60 * S))) == [("new", "market_closed", CLOSE + 60 * S)]


def test_a_delayed_order_is_cancelled_at_the_close() -> None:
    venue = kalshi(taker_delay=30 * S)
    assert kinds(venue.send(order(price=51), CLOSE - 10 * S)) == ["OrderAccepted"]
    assert cancels(list(venue.simulator.due(CLOSE + 60 * S))) == [("o1", "market_closed", CLOSE)]


def test_trading_ends_during_a_pause_of_the_venue_too() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    venue.show(phase("closed", CLOSE - S, KALSHI))
    assert cancels(list(venue.simulator.due(CLOSE))) == [("o1", "market_closed", CLOSE)]


def test_a_recording_whose_markets_closed_before_it_began_gives_no_fill() -> None:
    events: list[BookSnapshot | BookDelta | Trade] = [
        book(key=KALSHI_YES, ts=CLOSE + S),
        delta("ask", 45, 100, CLOSE + 3 * S, KALSHI_YES),
        trade(40, 500, ts=CLOSE + 4 * S, key=KALSHI_YES),
    ]
    venue = kalshi(book(key=KALSHI_YES, ts=CLOSE))
    answers: list[AccountEvent] = []
    for number, event in enumerate(events):
        answers += venue.send(order(f"o{number}", price=51), event.ts_recv - LATENCY)
        answers += venue.show(event)
    assert {type(answer) for answer in answers} == {OrderRejected}


def test_venues_without_a_timetable_trade_past_the_close_time() -> None:
    venue = PaperVenue(close_time=START)
    assert fills(venue.send(place(tif="ioc"), START + S))


def test_what_rests_when_a_game_starts_is_cancelled_and_trading_goes_on() -> None:
    venue = PaperVenue(venue=POLYMARKET, game_start=START + 60 * S)
    venue.send(place("before", key=GAME_YES, price=50))
    assert cancels(list(venue.simulator.due(START + 90 * S))) == [("before", "game_start", START + 60 * S)]
    assert kinds(venue.send(place("after", key=GAME_YES, price=50), START + 91 * S)) == ["OrderAccepted"]
    assert fills(venue.show(trade(49, 4, ts=START + 95 * S, key=GAME_YES))) == [(500_000, shares(4))]


def test_orders_placed_after_the_start_of_a_game_stay() -> None:
    venue = PaperVenue(venue=POLYMARKET, game_start=START + 60 * S)
    venue.send(place(key=GAME_YES, price=50), START + 61 * S)
    finer = change("tick_size", START + 70 * S, POLYMARKET, tick_size=Price(1_000))
    assert venue.show(finer) == []
    assert len(venue.simulator.resting()) == 1


def test_a_game_that_starts_later_than_listed_clears_the_book_then() -> None:
    venue = PaperVenue(venue=POLYMARKET, game_start=START + 60 * S)
    venue.send(place(key=GAME_YES, price=50))
    listed = replace(venue.market, game_start=START + 120 * S)
    venue.show(change("listed", START + 10 * S, POLYMARKET, market=listed))
    assert list(venue.simulator.due(START + 119 * S)) == []
    assert cancels(list(venue.simulator.due(START + 120 * S))) == [("o1", "game_start", START + 120 * S)]


@pytest.mark.parametrize("value", ["cancel_only", "closed"])
def test_in_a_pause_of_the_venue_orders_rest_and_nothing_fills_them(value: TradingPhase) -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    assert venue.show(phase(value, START + S)) == []
    shown = [trade(40, 100, ts=START + 2 * S), delta("ask", 45, 100, START + 3 * S), book(ts=START + 4 * S)]
    assert venue.show(*shown) == []
    assert [each.remaining for each in venue.simulator.resting()] == [shares(10)]
    assert refusal(venue.send(place("new"), START + 5 * S)) == "venue_paused"


def test_an_order_that_arrives_in_a_pause_is_rejected_though_it_left_before() -> None:
    venue = PaperVenue()
    venue.simulator.submit(approved(place(), START + 100 * MS))
    venue.show(phase("cancel_only", START + 200 * MS))
    assert refusal(list(venue.simulator.due(START + S))) == "venue_paused"


def test_cancels_pass_where_the_venue_takes_them() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    venue.show(phase("closed", START + S))
    assert refusal(venue.send(cancel(), START + S)) == "venue_paused"
    assert len(venue.simulator.resting()) == 1
    venue.show(phase("cancel_only", START + 2 * S))
    assert cancels(venue.send(cancel(), START + 2 * S)) == [("o1", "requested", START + 2 * S + LATENCY)]


def test_after_a_pause_orders_go_on_from_the_end_of_their_queues() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    assert venue.show(trade(49, 90, ts=START + S), delta("bid", 49, 10, START + S + 1)) == []
    venue.show(phase("cancel_only", START + 2 * S), delta("bid", 49, 40, START + 3 * S))
    venue.show(phase("open", START + 4 * S))
    assert venue.show(trade(49, 40, ts=START + 5 * S)) == [], "forty are ahead of us"
    assert fills(venue.show(trade(49, 4, ts=START + 6 * S))) == [(490_000, shares(4))]


def test_after_a_pause_without_a_book_orders_wait_for_the_next_snapshot() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    venue.show(phase("closed", START + S), gap(START + 2 * S), phase("open", START + 3 * S))
    assert venue.show(trade(49, 500, ts=START + 4 * S)) == []
    assert venue.show(book(bids=((49, 7),), ts=START + 5 * S), trade(49, 7, ts=START + 6 * S)) == []
    assert fills(venue.show(trade(49, 3, ts=START + 7 * S))) == [(490_000, shares(3))]


def test_a_phase_of_another_venue_changes_nothing() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    venue.show(phase("closed", START + S, KALSHI), phase("open", START + 2 * S, KALSHI))
    assert fills(venue.show(trade(48, 4, ts=START + 3 * S))) == [(490_000, shares(4))]


def test_while_only_resting_orders_are_accepted_nothing_takes() -> None:
    venue = PaperVenue()
    venue.show(phase("post_only", START))
    assert refusal(venue.send(place("a", price=51))) == "venue_post_only"
    assert refusal(venue.send(place("b", tif="ioc", price=50))) == "venue_post_only"
    assert kinds(venue.send(place("c", price=50))) == ["OrderAccepted"]
    venue.show(phase("open", START + S))
    assert fills(venue.show(trade(49, 4, ts=START + 2 * S))) == [(500_000, shares(4))]


def test_a_delayed_order_whose_delay_ends_in_a_pause_is_cancelled() -> None:
    venue = PaperVenue(taker_delay=3 * S)
    venue.send(place(price=51))
    venue.show(phase("cancel_only", START + S))
    assert cancels(list(venue.simulator.due(START + 10 * S))) == [("o1", "venue_paused", START + LATENCY + 3 * S)]


def test_a_delayed_order_does_not_take_while_only_resting_orders_are_accepted() -> None:
    venue = PaperVenue(taker_delay=3 * S)
    venue.send(place(price=51))
    venue.show(phase("post_only", START + S))
    assert cancels(list(venue.simulator.due(START + 10 * S))) == [("o1", "venue_post_only", START + LATENCY + 3 * S)]


def test_a_paused_market_fills_nothing_and_goes_on_from_the_end_of_its_queues() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    assert venue.show(trade(49, 95, ts=START + S), change("paused", START + 2 * S, V)) == []
    assert venue.show(trade(40, 500, ts=START + 3 * S), delta("ask", 45, 100, START + 3 * S)) == []
    assert venue.show(delta("ask", 45, 0, START + 4 * S), change("activated", START + 5 * S, V)) == []
    assert venue.show(trade(49, 100, ts=START + 6 * S)) == []
    assert fills(venue.show(trade(49, 4, ts=START + 7 * S))) == [(490_000, shares(4))]


def test_kalshi_cancels_what_rests_when_a_paused_market_trades_again() -> None:
    venue = kalshi()
    venue.send(order(price=50))
    assert venue.show(change("activated", START + S)) == [], "it was not paused"
    assert venue.show(change("paused", START + 2 * S)) == []
    assert len(venue.simulator.resting()) == 1
    assert cancels(venue.show(change("activated", START + 3 * S))) == [("o1", "market_reopened", START + 3 * S)]
    assert kinds(venue.send(order("b", price=50), START + 4 * S)) == ["OrderAccepted"]


@pytest.mark.parametrize("status", ["closed", "resolved", "void"])
def test_a_listing_that_has_a_market_ended_cancels_its_orders(status: MarketStatus) -> None:
    venue = PaperVenue()
    venue.send(place("yes", price=50))
    venue.send(place("no", key=NO, price=45))
    listed = replace(venue.market, status=status)
    ended = cancels(venue.show(change("listed", START + S, V, market=listed)))
    assert sorted(ended) == [("no", "market_closed", START + S), ("yes", "market_closed", START + S)]


happenings = st.one_of(
    st.builds(moved, st.integers(START + S, START + 40 * S), st.just(START)),
    st.builds(
        lambda value: phase(value, START, KALSHI), st.sampled_from(["open", "post_only", "cancel_only", "closed"])
    ),
    st.builds(lambda kind: change(kind, START), st.sampled_from(["paused", "activated"])),
    st.builds(lambda price, size: trade(price, size, key=KALSHI_YES), st.integers(45, 55), st.integers(1, 200)),
    st.builds(lambda price, size: delta("ask", price, size, key=KALSHI_YES), st.integers(45, 55), st.integers(0, 99)),
    st.just(gap(key=KALSHI_YES)),
    st.just(book(key=KALSHI_YES)),
    st.builds(lambda price, tif: ("order", price, tif), st.integers(45, 55), st.sampled_from(["gtc", "ioc"])),
)


@given(st.lists(st.tuples(st.integers(1, 4_000), happenings), max_size=40))
def test_nothing_is_accepted_or_filled_while_the_market_does_not_trade(steps: list[tuple[int, Any]]) -> None:
    """Every answer is compared with the market's record and the venue's phase at its time."""
    venue = kalshi(close_time=START + 20 * S)
    now = START
    for number, (pause, step) in enumerate(steps):
        now += pause * MS
        if isinstance(step, tuple):
            answers = venue.send(order(f"o{number}", price=step[1], tif=step[2]), now)
            now += LATENCY
        else:
            answers = venue.show(replace(step, ts_recv=now))
        known = venue.cache.market(KALSHI, KALSHI_YES.market_id)
        assert known is not None
        for answer in answers:
            if isinstance(answer, Fill | OrderAccepted):
                assert known.open_at(answer.ts_recv)
                assert venue.cache.phase(KALSHI) in {"open", "post_only"}
            if isinstance(answer, Fill):
                assert venue.cache.phase(KALSHI) == "open"
        ended = known.trading_ends is not None and known.trading_ends <= now
        assert not (ended and venue.simulator.resting())
    assert all(isinstance(answer, OrderCancelled) for answer in venue.simulator.due(START + 1_000 * S))
