"""What is known of a market at an instant depends on what was stated by then, not on the order in which it arrived."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import MarketChange, MarketChangeKind, MarketFact, MarketResolved
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.state.market_cache import MarketCache
from predsurv.state.market_facts import MarketFacts, MarketTimeline

VENUE, ID = VenueName("polymarket"), MarketId("m")
OUTCOMES = (Outcome(InstrumentId("y"), "Yes"), Outcome(InstrumentId("n"), "No"))
FEES = [NO_FEE, FeeSchedule("polymarket", 30_000), FeeSchedule("polymarket", 50_000)]


def market(ts: int = 0, tick: int = 10_000, **values: object) -> Market:
    base = Market(
        venue=VENUE,
        market_id=ID,
        event_id=EventId("e"),
        question="?",
        outcomes=OUTCOMES,
        status="active",
        tick_size=Price(tick),
        min_order_size=Size(1),
        fetched_at=ts,
        tradable=True,
    )
    return replace(base, **values)


def listed(ts: int, record: Market) -> MarketChange:
    return MarketChange(VENUE, ID, None, ts, None, "listed", "", replace(record, fetched_at=ts))


def tick(ts: int, size: int) -> MarketChange:
    return MarketChange(VENUE, ID, None, ts, None, "tick_size", "", tick_size=Price(size))


def fee(ts: int, schedule: FeeSchedule | None, effective: int | None = None) -> MarketChange:
    return MarketChange(VENUE, ID, None, ts, None, "fee", "", fee=schedule, effective=effective)


def changed(ts: int, kind: MarketChangeKind) -> MarketChange:
    return MarketChange(VENUE, ID, None, ts, None, kind, "")


def known_at(ts: int, *facts: MarketFact) -> Market:
    known = MarketFacts(facts).at(ID, ts)
    assert known is not None
    return known.market


def test_each_time_has_the_statement_that_held_then() -> None:
    facts = listed(10, market(fee=FEES[1])), listed(20, market(fee=FEES[2])), tick(15, 1_000)
    assert [known_at(ts, *facts).fee for ts in (10, 19, 20, 99)] == [FEES[1], FEES[1], FEES[2], FEES[2]]
    assert [known_at(ts, *facts).tick_size for ts in (10, 14, 15, 99)] == [10_000, 10_000, 1_000, 1_000]


def test_a_list_that_repeats_itself_does_not_undo_what_the_stream_said() -> None:
    facts = [listed(10, market(tick=10_000)), tick(15, 1_000), listed(20, market(tick=10_000))]
    assert known_at(30, *facts).tick_size == 1_000
    assert known_at(30, *facts, listed(25, market(tick=5_000))).tick_size == 5_000


def test_a_list_that_dates_a_fee_anew_repeats_itself_all_the_same() -> None:
    dated = [replace(FEES[1], since=ts) for ts in (10, 20)]
    facts = listed(10, market(fee=dated[0])), fee(15, FEES[2]), listed(20, market(fee=dated[1]))
    assert known_at(30, *facts).fee == FEES[2]


def test_a_change_announced_ahead_holds_from_its_time_on() -> None:
    facts = listed(10, market(fee=FEES[1])), fee(12, FEES[2], effective=40)
    assert [known_at(ts, *facts).fee for ts in (12, 39, 40)] == [FEES[1], FEES[1], FEES[2]]


def test_the_cache_lets_an_announced_change_take_effect_with_the_first_event_of_its_time() -> None:
    cache = MarketCache()
    cache.add(market(fee=FEES[1]))
    cache.apply(fee(12, FEES[2], effective=40))
    seen = []
    for ts in (20, 39, 40):
        cache.advance(ts)
        found = cache.market(VENUE, ID)
        assert found is not None
        seen.append(found.fee)
    assert seen == [FEES[1], FEES[1], FEES[2]]


def test_a_withdrawn_fee_gives_back_that_of_the_list() -> None:
    facts = listed(10, market(fee=FEES[1])), fee(12, FEES[2]), fee(14, None)
    assert [known_at(ts, *facts).fee for ts in (12, 14)] == [FEES[2], FEES[1]]


def test_before_the_first_whole_record_only_what_never_changes_is_known() -> None:
    before = known_at(5, listed(10, market(question="Rain?", fee=FEES[1])))
    assert (before.question, before.outcomes) == ("Rain?", OUTCOMES)
    assert {"fee", "tick_size", "status", "close_time"} <= set(before.assumed)
    assert "tick_size" not in known_at(6, listed(10, market()), tick(6, 1_000)).assumed


def test_what_an_announcement_only_assumes_gives_way_to_what_is_known() -> None:
    partial = market(fee=NO_FEE, assumed=("fee",))
    assert known_at(30, listed(10, market(fee=FEES[2])), listed(20, partial)).fee == FEES[2]
    assert "fee" not in known_at(30, listed(10, market(fee=FEES[2])), listed(20, partial)).assumed
    assert known_at(30, listed(10, partial)).assumed == ("fee",)
    assert known_at(30, listed(10, partial), fee(11, FEES[1])).assumed == ()


def test_no_list_reopens_a_settled_market() -> None:
    settled = MarketResolved(VENUE, ID, 20, None, ((OUTCOMES[0].instrument_id, Price(1_000_000)),))
    found = known_at(50, listed(10, market()), settled, listed(30, market()), changed(40, "activated"))
    assert (found.status, found.tradable) == ("resolved", False)


def test_status_follows_list_and_stream() -> None:
    facts = [listed(10, market()), changed(12, "paused"), changed(14, "activated"), changed(16, "closed")]
    assert [known_at(ts, *facts).status for ts in (10, 12, 14, 16)] == ["active", "paused", "active", "closed"]
    assert [known_at(ts, *facts).tradable for ts in (10, 12, 14, 16)] == [True, False, True, False]


def test_nothing_is_known_of_a_market_without_a_whole_record() -> None:
    timeline = MarketTimeline()
    timeline.add(tick(1, 1_000))
    assert timeline.at(5) is None
    assert list(timeline.pieces()) == []


_TIMES = st.integers(0, 30)
_RECORDS = st.builds(
    lambda schedule, size, assumed, status: market(fee=schedule, tick=size, assumed=assumed, status=status),
    st.sampled_from(FEES),
    st.sampled_from([1_000, 10_000]),
    st.sampled_from([(), ("fee",), ("fee", "tick_size")]),
    st.sampled_from(["active", "paused", "created"]),
)
_FACTS = st.one_of(
    st.builds(listed, _TIMES, _RECORDS),
    st.builds(tick, _TIMES, st.sampled_from([1_000, 2_500, 10_000])),
    st.builds(fee, _TIMES, st.sampled_from([None, *FEES]), st.none() | _TIMES),
    st.builds(changed, _TIMES, st.sampled_from(["activated", "paused", "closed"])),
    st.builds(
        lambda ts, paid: MarketResolved(VENUE, ID, ts, None, ((OUTCOMES[0].instrument_id, Price(paid)),)),
        _TIMES,
        st.sampled_from([0, 1_000_000]),
    ),
)


@given(st.lists(_FACTS, max_size=12).flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts))))
def test_the_order_of_arrival_does_not_matter(orders: tuple[Sequence[MarketFact], Sequence[MarketFact]]) -> None:
    one, other = MarketFacts(orders[0]), MarketFacts([*orders[1], *orders[1]])
    for ts in range(-1, 32):
        assert one.at(ID, ts) == other.at(ID, ts)


@given(st.lists(_FACTS, max_size=12))
def test_pieces_say_what_is_known_at_every_time(facts: Sequence[MarketFact]) -> None:
    timeline = MarketTimeline()
    for fact in facts:
        timeline.add(fact)
    pieces = list(timeline.pieces())
    for ts in range(32):
        current = [piece.known for piece in pieces if piece.since <= ts]
        if current:
            assert current[-1] == timeline.at(ts)


@given(_RECORDS, st.lists(_FACTS, max_size=12))
def test_the_cache_knows_what_the_timeline_knows(record: Market, facts: Sequence[MarketFact]) -> None:
    begun = replace(record, assumed=())
    ordered = list(MarketFacts([listed(-1, begun), *facts]).timeline(ID).facts())  # type: ignore[union-attr]
    cache = MarketCache()
    for fact in sorted(ordered, key=lambda each: each.ts_recv):
        cache.apply(fact)
    last = max(each.ts_recv for each in ordered)
    plain = [each for each in ordered if not (isinstance(each, MarketChange) and each.effective is not None)]
    if plain == ordered and len({each.ts_recv for each in ordered}) == len(ordered):
        known = MarketFacts(ordered).at(ID, last)
        assert known is not None
        assert cache.market(VENUE, ID) == known.market


def test_a_change_of_status_is_news_although_its_record_says_what_the_list_said() -> None:
    opened = replace(listed(30, market()), kind="activated")
    facts = listed(10, market()), changed(20, "paused"), listed(25, market())
    assert known_at(29, *facts).status == "paused"
    assert known_at(30, *facts, opened).status == "active"
    over = MarketResolved(VENUE, ID, 28, None, ())
    assert known_at(30, *facts, over, opened).status == "resolved"
