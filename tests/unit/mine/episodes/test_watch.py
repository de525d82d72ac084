"""When an episode begins and ends, and what is known of it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import Gap, MarketChange, MarketEvent
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.market import NO_FEE, Market, Outcome
from predsurv.core.num import MICROS
from predsurv.mine.episodes.episode import Episode
from predsurv.mine.episodes.watch import EpisodeWatch
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.claims import ClaimGroups
from tests.kit.trading_samples import MS, START, S, V, book, delta, gap, market

EVENT = EventId("race")


def racer(name: str, **changes: object) -> Market:
    facts = {"event_id": EVENT, "mutually_exclusive": True, "exhaustive": True, "neg_risk": True, "fee": NO_FEE}
    return market(name, **{**facts, **changes})


def yes(name: str) -> InstrumentKey:
    return market(name).key(0)


def watch(*events: MarketEvent, markets: tuple[Market, ...] = (), until: int = START + 60 * S) -> list[Episode]:
    """The episodes of an exclusive and exhaustive race of a, b and c on a venue with one book a market."""
    cache = MarketCache({V})
    for each in markets or (racer("a"), racer("b"), racer("c")):
        cache.add(each)
    watched = EpisodeWatch(cache, ClaimGroups())
    for event in events:
        watched.apply(event)
    watched.finish(until)
    return watched.ended


def quiet(ts: int = START, ask: int = 40) -> list[MarketEvent]:
    """Books of a, b and c that sum up to more than a dollar to buy and to less to sell."""
    return [book(((5, 100),), ((ask, 100),), yes(name), ts) for name in "abc"]


def test_a_basket_of_yes_that_costs_less_than_a_dollar_is_an_episode_until_it_does_no_more() -> None:
    cheap = delta("ask", 15, 50, START + S, yes("a"))  # 15 + 40 + 40 = 95 for 50 sets
    dear = delta("ask", 15, 0, START + 3 * S, yes("a"))
    (episode,) = watch(*quiet(), cheap, dear)
    assert (episode.name, episode.opened.signal, episode.venue) == ("race", "yes_basket", V)
    assert (episode.start, episode.end, episode.ended, episode.whole) == (START + S, START + 3 * S, "closed", True)
    assert episode.opened.profit == 50 * 50_000
    assert episode.opened.cost == 50 * 950_000
    assert episode.opened.sets == 50 * MICROS
    assert episode.integral == 50 * 50_000 * 2 * S


def test_the_peak_is_the_most_and_what_is_left_is_looked_up_after_each_delay() -> None:
    events = [
        *quiet(),
        delta("ask", 15, 50, START + S, yes("a")),  # 2.50
        delta("ask", 10, 50, START + S + 100 * MS, yes("a")),  # 5.00 and 2.50 behind it
        delta("ask", 10, 0, START + S + 300 * MS, yes("a")),  # 2.50 again
        delta("ask", 15, 0, START + 3 * S, yes("a")),
    ]
    (episode,) = watch(*events)
    assert episode.peak.profit == 50 * 100_000 + 50 * 50_000
    assert episode.left == [2_500_000, 7_500_000, 2_500_000, 0]


def test_what_one_moment_changes_in_several_books_is_no_episode_between_them() -> None:
    moved = [delta("ask", 15, 50, START + S, yes("a")), delta("ask", 40, 0, START + S, yes("b"))]
    assert watch(*quiet(), *moved) == []


def test_a_gap_of_a_leg_ends_it_and_leaves_what_came_after_unknown() -> None:
    lost = gap(START + S + 80 * MS, yes("b"))
    (episode,) = watch(*quiet(), delta("ask", 15, 50, START + S, yes("a")), lost)
    assert (episode.ended, episode.end, episode.whole) == ("gap", START + S + 80 * MS, False)
    assert episode.left == [2_500_000, None, None, None]


def test_one_that_is_there_when_a_leg_is_first_seen_may_have_begun_before() -> None:
    _, b, c = quiet()
    late = book(((5, 100),), ((15, 50),), yes("a"), START + S)
    (episode,) = watch(b, c, late)
    assert not episode.seen_from_start


def test_a_book_that_is_seen_again_after_a_gap_says_nothing_of_when_it_began() -> None:
    again = book(((5, 100),), ((15, 50),), yes("a"), START + 2 * S)
    (episode,) = watch(*quiet(), Gap(yes("a"), START + S, "disconnect", 1), again)
    assert (episode.start, episode.seen_from_start) == (START + 2 * S, False)


def test_without_exhaustiveness_yes_of_everything_is_no_basket() -> None:
    markets = tuple(racer(name, exhaustive=False) for name in "abc")
    assert watch(*quiet(), delta("ask", 15, 50, START + S, yes("a")), markets=markets) == []


def test_no_of_everything_pays_where_bids_add_up_to_more_than_a_dollar() -> None:
    markets = tuple(racer(name, exhaustive=False) for name in "abc")
    richer = [book(((36, 100),), ((60, 100),), yes(name), START) for name in "ab"]
    last = book(((36, 30),), ((60, 100),), yes("c"), START + S)
    (episode,) = watch(*richer, last, markets=markets)
    assert (episode.peak.signal, episode.peak.sets) == ("no_basket", 30 * MICROS)
    assert episode.peak.profit == 30 * 80_000  # three NO cost 1.92 and two of them pay


def test_a_market_that_stops_trading_ends_it() -> None:
    paused = MarketChange(V, MarketId("a"), None, START + 2 * S, None, "paused", "")
    (episode,) = watch(*quiet(), delta("ask", 15, 50, START + S, yes("a")), paused)
    assert (episode.ended, episode.end) == ("market", START + 2 * S)


def test_the_end_of_the_recording_ends_it_as_not_known() -> None:
    (episode,) = watch(*quiet(), delta("ask", 15, 50, START + S, yes("a")), until=START + 2 * S)
    assert (episode.ended, episode.end, episode.left[-1]) == ("end", START + 2 * S, None)


def test_fees_are_paid_before_anything_is_an_episode() -> None:
    free, dear = (tuple(racer(name, **fee) for name in "abc") for fee in ({}, {"fee": market().fee}))
    events = [*quiet(), delta("ask", 18, 50, START + S, yes("a"))]  # 2 cents a set before fees
    assert len(watch(*events, markets=free)) == 1
    assert watch(*events, markets=dear) == []


def test_markets_of_two_venues_that_are_one_contract_pay_across() -> None:
    other = VenueName("other")
    ids = tuple(Outcome(InstrumentId(f"o-{each}"), each) for each in ("Yes", "No"))
    mine = market("m", fee=NO_FEE)
    theirs = replace(mine, venue=other, market_id=MarketId("o"), event_id=EventId("o"), outcomes=ids)
    cache = MarketCache({V, other})
    for each in (mine, theirs):
        cache.add(each)
    sides = [
        MappedMarket(each.venue, each.market_id, (each.key(0).instrument_id, each.key(1).instrument_id))
        for each in (mine, theirs)
    ]
    watched = EpisodeWatch(cache, ClaimGroups([ApprovedMapping(sides[0], sides[1], "me", START)]))
    watched.apply(book(((40, 100),), ((42, 100),), mine.key(0), START))
    watched.apply(book(((45, 20),), ((60, 100),), theirs.key(0), START + S))  # buy at 42 here, sell at 45 there
    watched.apply(book(((30, 20),), ((60, 100),), theirs.key(0), START + 2 * S))
    watched.finish(START + 3 * S)
    (episode,) = watched.ended
    assert (episode.venue, episode.opened.signal, episode.opened.profit) == ("cross", "cross", 20 * 30_000)
    assert {key.venue for key in episode.opened.legs} == {V, other}


_MOVES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(20, 45), st.integers(5, 40), st.integers(1, 400)), max_size=25
)


@given(_MOVES)
def test_episodes_are_where_one_level_books_leave_a_profit(moves: list[tuple[str, int, int, int]]) -> None:
    """Beside a plain count over books of one level a side: buy all, or sell all, at the smallest size on offer."""
    asks, ts = dict.fromkeys("abc", (40, 100)), START
    events, expected, paid = [*quiet()], 0, False
    for name, price, size, step in moves:
        if _profit(asks):
            expected += _profit(asks) * step * MS
        ts += step * MS
        asks[name] = (price, size)
        events.append(book(((5, 100),), ((price, size),), yes(name), ts))
        paid = paid or _profit(asks) > 0
    found = watch(*events, until=ts)
    assert sum(each.integral for each in found) == expected
    assert (len(found) > 0) is paid
    assert all(one.end <= two.start for one, two in pairwise(found))


def _profit(asks: dict[str, tuple[int, int]]) -> int:
    edge = 100 - sum(price for price, _ in asks.values())
    return max(edge, 0) * 10_000 * min(size for _, size in asks.values())
