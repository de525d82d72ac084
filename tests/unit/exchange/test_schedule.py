"""Scheduled events: markets close and settle, news breaks, new markets are listed, records follow."""

from predsurv.core.num import MICROS
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.tape import TapeLifecycle, TapeSettlement
from predsurv.exchange.world import SECOND


def run(seconds: int) -> tuple[Exchange, list[TapeLifecycle], list[TapeSettlement]]:
    exchange = Exchange(7, 300, 100)
    events = exchange.advance(ORIGIN + seconds * SECOND)
    changes = [event for event in events if isinstance(event, TapeLifecycle)]
    return exchange, changes, [event for event in events if isinstance(event, TapeSettlement)]


def test_every_market_closes_once_then_settles() -> None:
    exchange, changes, settled = run(60)
    closed = [event.market.market_id for event in changes if event.kind == "closed"]
    paid = [event.market.market_id for event in settled]
    assert len(closed) == len(set(closed))
    assert paid == closed[: len(paid)]
    for event in settled:
        market = exchange.directory.market(event.market.market_id)
        assert market.status == ("void" if event.void else "resolved")
        assert not market.tradable
        assert not exchange.book(market.key(0)).bids


def test_a_void_market_pays_half_for_each_outcome() -> None:
    _, _, settled = run(30)
    (void,) = [event for event in settled if event.void]
    assert [price for _, price in void.payouts] == [MICROS // 2] * 2


def test_new_markets_are_announced_and_trade() -> None:
    exchange, changes, _ = run(60)
    created = [event.market for event in changes if event.kind == "created"]
    assert len(created) >= 4
    listed = {market.market_id for market in exchange.markets()}
    assert {market.market_id for market in created} <= listed
    assert len({market.market_id for market in created}) == len(created)


def test_lifecycle_events_carry_the_new_record() -> None:
    _, changes, _ = run(240)
    ticks = [event for event in changes if event.kind == "tick_size"]
    fees = [event for event in changes if event.kind == "fee"]
    assert all(event.market.tick_size == 1_000 for event in ticks)
    assert all(event.market.fee.since == event.ts for event in fees)
    assert fees


def test_mispricings_recur() -> None:
    exchange, _, _ = run(240)
    assert sum(found.start - ORIGIN > 30 * SECOND for found in exchange.mispricings) >= 5
    assert all(found.edge > 0 and found.size > 0 for found in exchange.mispricings)
    assert {found.side for found in exchange.mispricings} == {"ask", "bid"}
