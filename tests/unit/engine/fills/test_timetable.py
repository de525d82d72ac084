"""The instants of the markets in which orders work, in order and once each."""

from predsurv.core.ids import MarketId, VenueName
from predsurv.engine.fills.timetable import MarketKey, Timetable
from tests.kit.trading_samples import START, S, V, market

KALSHI = VenueName("kalshi")


def test_instants_come_in_the_order_of_their_times() -> None:
    timetable = Timetable()
    never = timetable.next_at
    timetable.enter(market("late", venue=KALSHI, close_time=START + 2 * S), START)
    timetable.enter(market("early", venue=VenueName("polymarket"), game_start=START + S), START)
    timetable.enter_at(START + 3 * S, MarketKey(V, MarketId("announced")))
    popped = []
    while timetable.next_at < never:
        popped.append((timetable.next_at, timetable.pop().market_id))
    assert popped == [(START + S, "early"), (START + 2 * S, "late"), (START + 3 * S, "announced")]


def test_an_instant_is_entered_once_and_again_after_it_has_passed() -> None:
    timetable, closing = Timetable(), market(venue=KALSHI, close_time=START + S)
    never = timetable.next_at
    timetable.enter(closing, START)
    timetable.enter(closing, START)
    timetable.pop()
    assert timetable.next_at == never
    timetable.enter(closing, START + S)
    assert timetable.next_at == never, "what has passed is not entered"
    timetable.enter(closing, START)
    assert timetable.next_at == START + S


def test_markets_without_a_timetable_have_no_instants() -> None:
    timetable = Timetable()
    never = timetable.next_at
    timetable.enter(market(close_time=START + S, game_start=START + S), START)
    timetable.enter(market(venue=KALSHI), START)
    assert timetable.next_at == never
