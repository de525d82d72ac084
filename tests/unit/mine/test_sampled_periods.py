"""Periods are found again in the coverage, and of each what was chosen for it, for as long as it should be covered."""

import polars as pl
import pytest

from predsurv.mine.sampled_periods import NO_PLANS, sampled_periods

S = 1_000_000_000
P = 300

Row = tuple[str, int, int, str, str, float]


Plan = tuple[int, str, str, float]


def plans(*rows: Plan) -> pl.DataFrame:
    """Begin in seconds, instrument, reason, inclusion."""
    told = [("c0", name, begin * S, reason, chance, 10, 0.5) for begin, name, reason, chance in rows]
    return pl.DataFrame(told, schema=NO_PLANS.schema, orient="row")


def sampled(*rows: Row, told: pl.DataFrame = NO_PLANS) -> list[tuple[int, str, float, float, float, float]]:
    """Period, instrument, from, to, inclusion, planned seconds."""
    frame = pl.DataFrame(
        [("c0", name, start * S, end * S, *told, "live") for name, start, end, *told in rows],
        schema=["collector", "instrument_id", "start", "end", "state", "reason", "inclusion", "trades"],
        orient="row",
    )  # fmt: skip
    found = sampled_periods(frame.lazy(), told).sort("period", "instrument_id", "start")
    columns = ("period", "instrument_id", "start", "end", "inclusion", "planned_s")
    return [
        (period, name, start / S, end / S, chance, planned)
        for period, name, start, end, chance, planned in found.select(columns).iter_rows()
    ]


def live(name: str, start: int, end: int, chance: float = 1.0) -> Row:
    return name, start, end, "covered", "live", chance


def gap(name: str, start: int, end: int, reason: str, chance: float = 1.0) -> Row:
    return name, start, end, "gap", reason, chance


def test_who_leaves_counts_no_more_when_the_next_plan_is_made() -> None:
    found = sampled(
        live("certain", 0, 600),
        live("old", 0, 300, 0.1), live("old", 300, 308, 0.0), gap("old", 308, 600, "rotated_out", 0.0),
        gap("new", 301, 305, "subscribing", 0.2), live("new", 305, 600, 0.2),
    )  # fmt: skip
    assert found == [
        (0, "certain", 0, 300, 1.0, P), (0, "old", 0, 300, 0.1, P),
        (1, "certain", 300, 600, 1.0, P), (1, "new", 305, 600, 0.2, P),
    ]  # fmt: skip


def test_a_market_that_opens_or_closes_in_a_period_is_planned_for_its_life() -> None:
    found = sampled(live("all", 0, 300), live("born", 200, 300), live("over", 0, 100))
    assert [(name, planned) for _, name, _, _, _, planned in found] == [("all", 300), ("born", 100), ("over", 100)]


def test_a_gap_is_planned_and_not_covered() -> None:
    found = sampled(live("a", 0, 100), gap("a", 100, 150, "disconnect"), live("a", 150, 300), gap("b", 0, 300, "stall"))
    assert found == [(0, "a", 0, 100, 1.0, P), (0, "a", 150, 300, 1.0, P), (0, "b", 0, 0, 1.0, P)]


@pytest.mark.parametrize("reason", ["shutdown", "crash"])
def test_a_run_ends_its_last_period_and_the_next_begins_with_its_first_book(reason: str) -> None:
    found = sampled(
        live("a", 0, 100, 0.5), gap("a", 100, 400, reason), live("a", 400, 700, 0.5),
        live("b", 0, 100), gap("b", 100, 405, reason), live("b", 405, 700),
    )  # fmt: skip
    assert [(period, name, planned) for period, name, *_, planned in found] == [
        (0, "a", 100), (0, "b", 100), (1, "a", 300), (1, "b", 300),
    ]  # fmt: skip


def test_each_collector_has_its_own_periods() -> None:
    frame = pl.DataFrame(
        [
            ("c0", "a", 0, 300 * S, "covered", "live", 0.5, "live"),
            ("c0", "a", 300 * S, 310 * S, "covered", "live", 0.0, "live"),
            ("c1", "b", 0, 600 * S, "covered", "live", 1.0, None),
        ],
        schema=["collector", "instrument_id", "start", "end", "state", "reason", "inclusion", "trades"],
        orient="row",
    )
    found = sampled_periods(frame.lazy()).sort("collector")
    assert found.select("collector", "period", "heard").rows() == [("c0", 0, True), ("c1", 0, False)]


def test_nothing_wanted_is_no_sample() -> None:
    assert sampled(gap("a", 0, 300, "rotated_out")) == []


def test_a_plan_that_lets_nobody_go_begins_a_period_too() -> None:
    """Who is drawn again, with another probability, counts by that; the coverage alone would have one period."""
    rows = (live("a", 0, 600), live("b", 0, 300, 0.5), live("b", 300, 600, 0.25))
    told = plans((0, "a", "swept", 1), (0, "b", "drawn", 0.5), (300, "a", "swept", 1), (300, "b", "drawn", 0.25))
    assert [(period, name, chance) for period, name, _, _, chance, _ in sampled(*rows, told=told)] == [
        (0, "a", 1.0), (0, "b", 0.5), (1, "a", 1.0), (1, "b", 0.25),
    ]  # fmt: skip


def test_who_gives_its_place_away_ends_no_period() -> None:
    rows = (
        live("a", 0, 300, 0.5),
        live("b", 0, 100), live("b", 100, 105, 0.0), gap("b", 105, 300, "rotated_out", 0.0),
        live("c", 102, 300),
    )  # fmt: skip
    told = plans((0, "a", "drawn", 0.5), (0, "b", "swept", 1), (100, "b", "displaced", 0), (100, "c", "opened", 1))
    found = sampled(*rows, told=told)
    assert [(period, name, planned) for period, name, *_, planned in found] == [
        (0, "a", 300), (0, "b", 100), (0, "c", 198),
    ]  # fmt: skip


def test_who_was_drawn_and_never_subscribed_to_was_planned_all_the_same() -> None:
    told = plans((0, "a", "swept", 1), (0, "b", "drawn", 0.5), (0, "c", "drawn", 0.25), (0, "d", "turn_over", 0))
    found = sampled(live("a", 0, 300), live("b", 0, 300, 0.5), told=told)
    assert found == [(0, "a", 0, 300, 1.0, P), (0, "b", 0, 300, 0.5, P), (0, "c", 0, 0, 0.25, P)]


def test_each_piece_has_the_reason_that_was_told_last() -> None:
    frame = pl.DataFrame(
        [
            ("c0", "a", 0, 600 * S, "covered", "live", 1.0, "live"),
            ("c1", "b", 0, 300 * S, "covered", "live", 1.0, None),
        ],
        schema=["collector", "instrument_id", "start", "end", "state", "reason", "inclusion", "trades"],
        orient="row",
    )
    told = plans((0, "a", "swept", 1), (300, "a", "exploited", 1))
    found = sampled_periods(frame.lazy(), told).sort("collector", "start")
    assert found["reason"].to_list() == ["swept", "exploited", None]


def test_a_recorder_that_lags_behind_its_plan_counts_as_planned() -> None:
    rows = (
        live("stays", 0, 302, 1.0), live("stays", 302, 600, 0.25),
        live("leaves", 0, 303, 0.5), live("leaves", 303, 310, 0.0),
    )  # fmt: skip
    told = plans((300, "stays", "drawn", 0.25), (300, "leaves", "turn_over", 0))
    assert [(period, name, start, chance) for period, name, start, _, chance, _ in sampled(*rows, told=told)] == [
        (0, "leaves", 0, 0.5), (0, "stays", 0, 1.0), (1, "stays", 300, 0.25), (1, "stays", 302, 0.25),
    ]  # fmt: skip
