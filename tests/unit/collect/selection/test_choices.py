"""What rotation decided is told once, when it takes effect: of every place who has it and why, and who lost it."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.selection.choices import ChoiceLog
from predsurv.collect.selection.planner import Candidate, Plan, RotationHistory, SelectionRequest, plan
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.records import RotationChoice

SEED, TS = 7, 10**18


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number:02d}"), InstrumentId(f"i{number:02d}"))


def interest(count: int) -> dict[InstrumentKey, int]:
    return {key(number): number * 10_000 for number in range(count)}


def planned(count: int, capacity: int, history: RotationHistory, pinned: tuple[InstrumentKey, ...] = ()) -> Plan:
    candidates = [Candidate(key(number), True) for number in range(count)]
    request = SelectionRequest(
        candidates=candidates, capacity=capacity, explore_share=500_000, pinned=pinned, scores=interest(count)
    )
    return plan(request, history)


def told(log: ChoiceLog, made: Plan, count: int, ts: int = TS) -> dict[InstrumentKey, RotationChoice]:
    log.decide(made, interest(count))
    rows = log.take(ts, made.want, lambda _: True)
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: row for row in rows}


def test_a_plan_tells_all_that_it_chose_with_what_is_needed_to_estimate_totals() -> None:
    log, made = ChoiceLog(SEED), planned(40, 12, RotationHistory(seed=SEED), (key(3),))
    rows = told(log, made, 40)
    assert {each: row.inclusion for each, row in rows.items()} == dict(made.want)
    assert {each: row.reason for each, row in rows.items()} == dict(made.reasons)
    assert {(row.ts_recv, row.period, row.seed) for row in rows.values()} == {(TS, 1, SEED)}
    drawn = [row for row in rows.values() if row.reason == "drawn"]
    assert {(row.drawn, row.pool) for row in rows.values()} == {(len(drawn), made.pool - made.count("swept", "new"))}
    assert rows[key(39)].interest == 390_000
    assert log.take(TS + 1, made.want, lambda _: True) == [], "once"


def test_who_loses_its_place_is_told_and_why() -> None:
    log, history = ChoiceLog(SEED), RotationHistory(seed=SEED)
    first = planned(40, 12, history)
    told(log, first, 40)
    best = next(each for each, why in first.reasons.items() if why == "exploited")
    second = planned(40, 6, first.history)
    lost = {each for each in first.want if each not in second.want}
    rows = told(log, second, 40, TS + 1)
    assert {each for each, row in rows.items() if row.inclusion == 0} == lost
    for each in lost:
        was = first.reasons[each]
        assert rows[each].reason == ("outranked" if was == "exploited" else "turn_over")
    third = planned(40, 6, second.history)
    log.decide(third, {each: value for each, value in interest(40).items() if each != best})
    gone = {row.key: row for row in log.take(TS + 2, third.want, lambda _: True)}
    if best in second.want and best not in third.want:
        assert (gone[best].reason, gone[best].interest) == ("untradable", None)


def test_where_there_is_a_place_for_everything_only_what_is_new_is_told() -> None:
    log, first = ChoiceLog(SEED), planned(5, 10, RotationHistory())
    assert {row.reason for row in told(log, first, 5).values()} == {"everything"}
    assert told(log, planned(5, 10, first.history), 5) == {}
    assert [*told(log, planned(6, 10, first.history), 6)] == [key(5)]


def test_places_change_hands_between_plans() -> None:
    log, made = ChoiceLog(SEED), planned(40, 12, RotationHistory(seed=SEED))
    told(log, made, 40)
    swept = [each for each, why in made.reasons.items() if why == "swept"]
    target = {each: MICROS for each in made.want if each not in swept[:2]} | {key(50): MICROS}
    rows = log.take(TS + 5, target, lambda each: each == swept[0])
    assert [(row.key, row.reason, row.inclusion) for row in rows] == [
        (swept[0], "displaced", 0),
        (swept[1], "untradable", 0),
        (key(50), "opened", MICROS),
    ]
    assert log.take(TS + 6, target, lambda _: True) == []
    back = log.take(TS + 7, {**target, swept[0]: MICROS}, lambda _: True)
    assert [(row.key, row.reason) for row in back] == [(swept[0], "opened")]


def test_what_an_earlier_run_recorded_loses_its_place_like_any_other() -> None:
    log, made = ChoiceLog(SEED), planned(40, 4, RotationHistory(seed=SEED))
    others = [each for each in interest(40) if each not in made.want]
    log.resume([*made.want, others[0], others[1], key(77)], [others[0]])
    rows = told(log, made, 40)
    assert [rows[each].reason for each in (others[0], others[1], key(77))] == ["outranked", "turn_over", "untradable"]
    assert rows.keys() == {*made.want, others[0], others[1], key(77)}


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=8))
def test_the_rows_tell_who_has_a_place_at_any_time(steps: list[tuple[int, int]]) -> None:
    log, history, holding = ChoiceLog(SEED), RotationHistory(seed=SEED), dict[InstrumentKey, int]()
    for number, (count, capacity) in enumerate(steps):
        made = planned(count, capacity, history)
        history = made.history
        for row in told(log, made, count, TS + number).values():
            if row.inclusion:
                holding[row.key] = row.inclusion
            else:
                del holding[row.key]
        assert holding == made.want
