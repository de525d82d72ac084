"""A trade is told on one outcome, or on both, and counts once in the one book that both share."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentId, TradeId
from predsurv.core.market import Outcome
from predsurv.engine.fills import primary_trades as module
from predsurv.engine.fills.primary_trades import ECHO_AFTER_MAX, PrimaryTrades
from predsurv.state.market_cache import MarketCache
from tests.kit.paper_venue import PaperVenue, fills
from tests.kit.trading_samples import NO, START, YES, S, V, World, book, cents, market, place, shares, trade


def told() -> PrimaryTrades:
    return PrimaryTrades(World().cache)


def test_a_trade_told_on_the_second_outcome_is_one_of_the_first_at_the_complement() -> None:
    (converted,) = [told().once(trade(55, 30, "buy", START, NO))]
    assert converted == trade(45, 30, "sell", START, YES)
    assert told().once(trade(55, 30, "sell", START, NO)) == trade(45, 30, "buy", START, YES)
    assert told().once(trade(55, 30, None, START, NO)) == trade(45, 30, None, START, YES)
    assert told().once(trade(45, 30, "sell", START, YES)) == trade(45, 30, "sell", START, YES)


def test_a_trade_told_on_both_outcomes_counts_once() -> None:
    trades = told()
    assert trades.once(trade(45, 30, "sell", START, YES)) is not None
    assert trades.once(trade(55, 30, "buy", START + 1, NO)) is None
    assert trades.once(trade(55, 30, "buy", START + 2, NO)) is not None, "the next trade is another one"
    assert trades.once(trade(45, 30, "sell", START + 3, YES)) is None


def test_equal_trades_on_one_outcome_all_count_and_have_an_echo_each() -> None:
    trades = told()
    once = [trades.once(trade(45, 30, "sell", START, YES)) for _ in range(3)]
    echoes = [trades.once(trade(55, 30, "buy", START, NO)) for _ in range(3)]
    assert None not in once
    assert echoes == [None] * 3
    assert trades.once(trade(55, 30, "buy", START, NO)) is not None


def test_a_trade_that_two_recorders_received_counts_once() -> None:
    trades, heard = told(), replace(trade(45, 30, "sell", START, YES), trade_id=TradeId("a"))
    assert trades.once(heard) is not None
    assert trades.once(replace(heard, ts_recv=START + 90 * S)) is None
    assert trades.once(replace(heard, ts_venue=START + 1)) is not None, "ids may begin anew"
    assert trades.once(replace(heard, trade_id=None)) is not None, "without an id it may be another one"


@pytest.mark.parametrize(
    "other",
    [
        trade(56, 30, "buy", START, NO),
        trade(55, 31, "buy", START, NO),
        trade(55, 30, "sell", START, NO),
        replace(trade(55, 30, "buy", START, NO), ts_venue=START - 1),
        trade(55, 30, "buy", START + ECHO_AFTER_MAX + 1, NO),
    ],
)
def test_what_differs_is_another_trade(other: Trade) -> None:
    trades = told()
    assert trades.once(trade(45, 30, "sell", START, YES)) is not None
    assert trades.once(other) is not None


def test_ids_that_differ_by_outcome_do_not_hide_an_echo() -> None:
    trades = told()
    assert trades.once(replace(trade(45, 30), trade_id=TradeId("a"))) is not None
    assert trades.once(replace(trade(55, 30, "buy", START, NO), trade_id=TradeId("b"))) is None


def test_outcomes_with_books_of_their_own_are_not_mirrored() -> None:
    three = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"))
    unmirrored = MarketCache()
    unmirrored.add(market())
    for cache, key in ((World((three,)).cache, three.key(1)), (unmirrored, NO)):
        trades = PrimaryTrades(cache)
        for _ in range(2):
            assert trades.once(trade(55, 30, "buy", START, key)) == trade(55, 30, "buy", START, key)


def test_the_memory_of_trades_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLD_KEPT_MAX", 1)
    trades = told()
    trades.once(trade(45, 30))
    trades.once(trade(46, 30))
    assert trades.once(trade(55, 30, "buy", START, NO)) is not None


def resting_bid() -> PaperVenue:
    venue = PaperVenue(book(bids=(), asks=((55, 100),)))
    venue.send(place(price=45, size=50))
    return venue


@pytest.mark.parametrize(
    "event",
    [
        trade(45, 30, "sell", START + S, YES),
        trade(55, 30, "buy", START + S, NO),
        trade(57, 30, "buy", START + S, NO),
        trade(43, 30, "sell", START + S, YES),
    ],
)
def test_a_bid_fills_by_trades_told_on_either_outcome(event: Trade) -> None:
    assert fills(resting_bid().show(event)) == [(cents(45), shares(30))]


@pytest.mark.parametrize("tellings", [(YES, NO), (NO, YES)])
def test_a_trade_told_twice_fills_once(tellings: Any) -> None:
    venue = resting_bid()
    by_key = {YES: trade(45, 30, "sell", START + S, YES), NO: trade(55, 30, "buy", START + S, NO)}
    assert fills(venue.show(*(by_key[key] for key in tellings))) == [(cents(45), shares(30))]


def test_a_trade_on_the_second_outcome_waits_its_turn_in_the_first_ones_queue() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))  # behind a hundred
    venue.send(place("no", key=NO, price=49))  # behind a hundred offered at 51
    assert venue.show(trade(51, 100, "buy", START + S, NO)) == []
    assert fills(venue.show(trade(51, 4, "buy", START + 2 * S, NO))) == [(cents(49), shares(4))]
    (fill,) = venue.show(trade(48, 3, "sell", START + 3 * S, NO))
    assert (fill.key, V) == (NO, NO.venue)
    assert fills([fill]) == [(cents(49), shares(3))]


def test_a_trade_told_while_the_shared_book_is_untrusted_fills_nothing() -> None:
    venue = PaperVenue(book(bids=((60, 1),), asks=((50, 1),)))
    venue.send(place(price=45, size=50))
    assert venue.show(trade(57, 30, "buy", START + S, NO)) == []


def test_ids_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDS_KEPT_MAX", 2)
    trades = told()
    first, *others = (replace(trade(45, 30, "sell", START, YES), trade_id=TradeId(name)) for name in "abcd")
    assert all(trades.once(each) is not None for each in (first, *others[:2]))
    assert trades.once(first) is None, "the last two are known, and at most as many before them"
    assert trades.once(others[2]) is not None
    assert all(trades.once(each) is None for each in others[1:])
    assert trades.once(first) is not None, "forgotten"
