"""Events are watched whole or not at all, exclusive ones first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import MarketChange, MarketChangeKind, MarketResolved
from predsurv.core.ids import EventId, InstrumentId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import ONE, Money
from predsurv.trade import watchlist as module
from predsurv.trade.watchlist import Watchlist, keys_to_watch, select_markets
from tests.kit.trading_samples import START, YES, S, V, gap, market, resolved


def event(name: str, count: int, volume: int = 0, **changes: Any) -> list[Market]:
    return [
        market(f"{name}{number}", event_id=EventId(name), volume_24h=Money(volume), **changes)
        for number in range(count)
    ]


def test_exclusive_events_come_first_then_volume() -> None:
    race, single, big = event("race", 3, 1, mutually_exclusive=True), event("a", 1, 5), event("b", 1, 9)
    selection = select_markets([*single, *big, *race], 4, mirrored=True)
    assert {key.market_id for key in selection.keys} == {"race0", "race1", "race2", "b0"}
    assert selection.markets[:3] == tuple(race)


def test_an_event_that_does_not_fit_leaves_room_for_smaller_ones() -> None:
    selection = select_markets([*event("race", 3, mutually_exclusive=True), *event("a", 1)], 2, mirrored=True)
    assert {key.market_id for key in selection.keys} == {"a0"}


def test_closed_siblings_are_known_and_not_watched() -> None:
    race = event("race", 2, mutually_exclusive=True)
    closed = market("race9", event_id=EventId("race"), mutually_exclusive=True, status="closed")
    selection = select_markets([*race, closed], 10, mirrored=True)
    assert closed in selection.markets
    assert len(selection.keys) == 2


def test_the_instruments_to_watch_of_a_market() -> None:
    three = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"))
    assert keys_to_watch(market(), mirrored=True) == (YES,)
    assert keys_to_watch(market(), mirrored=False) == market().keys()
    assert keys_to_watch(three, mirrored=True) == three.keys()
    assert keys_to_watch(market(tradable=False), mirrored=True) == ()
    assert keys_to_watch(market(status="paused"), mirrored=True) == ()


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9), st.booleans()), max_size=12), st.integers(0, 20))
def test_capacity_holds_and_no_event_is_split(sizes: list[tuple[int, int, bool]], capacity: int) -> None:
    markets = [
        each
        for number, (count, volume, exclusive) in enumerate(sizes)
        for each in event(f"e{number}-", count, volume, mutually_exclusive=exclusive)
    ]
    selection = select_markets(markets, capacity, mirrored=True)
    assert len(selection.keys) <= capacity
    watched = {key.market_id for key in selection.keys}
    for number, (count, *_) in enumerate(sizes):
        assert len([name for name in watched if name.startswith(f"e{number}-")]) in (0, count)


def test_held_instruments_are_watched_first() -> None:
    race, single = event("race", 2, mutually_exclusive=True), event("a", 1)
    gone = market("gone", event_id=EventId("e9"), status="closed")
    sibling = market("sibling", event_id=EventId("e9"), status="closed")
    unknown = market("unknown").key(1)
    held = frozenset({gone.key(1), unknown})
    selection = select_markets([*race, *single, gone, sibling], 3, mirrored=True, held=held)
    assert selection.keys == {gone.key(0), unknown, single[0].key(0)}
    assert set(selection.markets) == {gone, sibling, *single}
    assert select_markets([*race, *single, gone], 3, mirrored=False, held=held).keys == held
    assert select_markets([*race, gone], 1, mirrored=True, held=held).keys == {gone.key(0), unknown}, "whatever fits"
    own = frozenset({race[0].key(0)})
    assert len(select_markets(race, 2, mirrored=True, held=own).keys) == 2, "no place is taken twice"


def test_the_trades_of_the_other_outcome_are_heard_with_every_watched_one() -> None:
    race = event("race", 2, mutually_exclusive=True)
    selection = select_markets(race, 2, mirrored=True)
    assert selection.mirrors == {each.key(0): each.key(1) for each in race}
    assert select_markets(race, 4, mirrored=False).mirrors == {}
    held = select_markets([race[0]], 1, mirrored=True, held=frozenset({race[0].key(1)}))
    assert held.mirrors == {race[0].key(0): race[0].key(1)}
    watchlist = Watchlist(selection.keys, 3, mirrored=True, mirrors=selection.mirrors)
    new = market("n")
    watchlist.update([MarketChange(V, new.market_id, None, START, None, "created", "{}", new)])
    assert watchlist.mirrors_of(watchlist.keys) == {**selection.mirrors, new.key(0): new.key(1)}
    assert watchlist.mirrors_of(frozenset({new.key(0)})) == {new.key(0): new.key(1)}
    ended = MarketResolved(V, new.market_id, START, None, tuple((each.instrument_id, ONE) for each in new.keys()))  # noqa: SIM118
    watchlist.update([ended])
    assert watchlist.mirrors_of(watchlist.keys) == selection.mirrors


def test_new_listings_join_and_resolved_markets_leave() -> None:
    watchlist = Watchlist({YES}, 2, mirrored=True)

    def listed(name: str) -> MarketChange:
        return MarketChange(V, market(name).market_id, None, START, None, "created", "{}", market(name))

    assert watchlist.update([listed("n")])
    assert watchlist.keys == {YES, market("n").key(0)}
    assert not watchlist.update([listed("too many")])
    assert watchlist.update([listed("n")]), "it may not have been known when it was asked for"
    assert watchlist.update([resolved()])
    assert watchlist.keys == {market("n").key(0)}
    assert not watchlist.update([resolved()])


def test_markets_that_are_not_binary_are_known_and_not_watched() -> None:
    race = event("race", 3, mutually_exclusive=True)
    scalar = market("race9", event_id=EventId("race"), mutually_exclusive=True, market_type="scalar")
    selection = select_markets([*event("big", 1, 9), *race, scalar], 3, mirrored=True)
    assert {key.market_id for key in selection.keys} == {"race0", "race1", "race2"}
    assert scalar in selection.markets
    assert keys_to_watch(scalar, mirrored=True) == ()
    lone = [
        event("lone", 1, mutually_exclusive=True)[0],
        market("lone9", event_id=EventId("lone"), mutually_exclusive=True, market_type="scalar"),
    ]
    assert {key.market_id for key in select_markets([*lone, *event("big", 1, 9)], 1, mirrored=True).keys} == {"big0"}


def told(kind: MarketChangeKind, name: str, new: Market | None = None, ts: int = START) -> MarketChange:
    return MarketChange(V, market(name).market_id, None, ts, None, kind, "{}", new)


def test_a_market_that_was_only_announced_is_watched_once_it_is_activated() -> None:
    watchlist = Watchlist(frozenset(), 2, mirrored=True)
    assert not watchlist.update([told("created", "n", market("n", status="created", tradable=False))])
    assert watchlist.update([told("activated", "n")])
    assert watchlist.keys == {market("n").key(0)}
    assert not watchlist.update([told("paused", "n"), told("activated", "n")]), "it was never given up"


def test_an_announcement_on_assumptions_is_watched_with_the_whole_record() -> None:
    watchlist = Watchlist(frozenset(), 2, mirrored=True)
    partial = market("n", status="created", tradable=False, assumed=("tick_size",))
    assert not watchlist.update([told("created", "n", partial)])
    assert watchlist.update([told("activated", "n", market("n"))])


def test_a_market_listed_before_the_run_is_watched_once_it_opens() -> None:
    ahead = market("n", event_id=EventId("later"), status="created", tradable=False)
    selection = select_markets([*event("a", 1), ahead], 2, mirrored=True)
    assert ahead in selection.markets
    watchlist = Watchlist(selection.keys, 2, mirrored=True, known=selection.markets)
    assert watchlist.update([told("activated", "n")])
    assert ahead.key(0) in watchlist.keys
    assert not Watchlist(frozenset(), 2, mirrored=True).update([told("activated", "n")]), "nothing is known of it"


def test_capacity_holds_for_markets_that_open() -> None:
    watchlist = Watchlist({YES}, 1, mirrored=True, known=[market("n", status="created", tradable=False)])
    assert not watchlist.update([told("activated", "n")])
    assert watchlist.keys == {YES}


def test_a_market_past_its_close_time_is_not_watched_where_trading_ends_by_it() -> None:
    kalshi = VenueName("kalshi")
    ended = market("n", venue=kalshi, close_time=START - 1)
    watchlist = Watchlist(frozenset(), 2, mirrored=True)
    change = MarketChange(kalshi, ended.market_id, None, START, None, "created", "{}", ended)
    assert not watchlist.update([change])
    moved = MarketChange(kalshi, ended.market_id, None, START, None, "rules", "{}", close_time=START + 9)
    assert watchlist.update([moved]), "its close time was moved"


def test_what_is_announced_for_later_does_not_open_a_market_now() -> None:
    watchlist = Watchlist(frozenset(), 2, mirrored=True, known=[market("n", status="created", tradable=False)])
    ahead = MarketChange(V, market("n").market_id, None, START, None, "activated", "{}", effective=START + 9)
    assert not watchlist.update([ahead])


def kalshi(name: str, **changes: Any) -> Market:
    return market(name, venue=VenueName("kalshi"), **changes)


def test_markets_that_are_over_make_room_unless_something_is_still_to_be_heard_of_them() -> None:
    """A paper run of weeks: nobody announces the end of a Kalshi market's trading, and few resolutions arrive."""
    ends = kalshi("a", close_time=START + S)
    owned = kalshi("b", close_time=START + S)
    gone, stays = kalshi("c", last_seen=START), kalshi("d")
    everything = (ends, owned, gone, stays)
    keys = frozenset(each.key(0) for each in everything)
    watchlist = Watchlist(keys, 4, mirrored=False, known=everything, needed=lambda _, name: name == "b")
    assert watchlist.update([gap(START, stays.key(0))])
    assert watchlist.keys == keys - {gone.key(0)}
    assert not watchlist.update([gap(START + 3_600 * S, stays.key(0))])  # an end may still be moved
    assert not watchlist.update([gap(START + 3_601 * S, stays.key(0))])  # looked for once a minute
    assert watchlist.update([gap(START + 3_660 * S, stays.key(0))])
    assert watchlist.keys == {owned.key(0), stays.key(0)}


def test_a_closed_market_is_watched_no_longer_and_a_new_one_takes_its_place() -> None:
    one, two = market("a"), market("b")
    watchlist = Watchlist({one.key(0)}, 1, mirrored=True, known=(one,))
    assert not watchlist.update([told("created", "b", two)])
    assert not watchlist.update([told("closed", "a")])
    assert watchlist.update([told("activated", "b", ts=START + 61 * S)])
    assert watchlist.keys == {two.key(0)}


def test_markets_known_and_not_watched_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 3)
    watchlist = Watchlist(frozenset(), 0, mirrored=True)
    for number in range(9):
        watchlist.update([told("created", f"m{number}", market(f"m{number}"))])
        watchlist.update([gap(START + number * 61 * S)])
    assert len(watchlist._known) == 3
