"""Figures of a recording beside published ones, and the trades of markets that have settled."""

from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.core.ids import VenueName
from predsurv.mine.episodes.table import SCHEMA
from predsurv.mine.published import episodes_beside, outcomes_beside, read_episodes, spreads_beside, trade_outcomes
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.layout import date_of
from tests.kit.backtests import MIDNIGHT, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import S, V, market, resolved, trade

KEY, OTHER = market().key(0), market().key(1)
DATE = date_of(MIDNIGHT)


@pytest.mark.parametrize(
    ("durations", "ended", "median"),
    [
        ((2.0, 4.0, 100.0), ("closed", "closed", "closed"), 4.0),
        ((2.0, 4.0, 100.0), ("closed", "closed", "gap"), 4.0),  # which lasted longer than the median anyway
        ((2.0, 1.0, 100.0), ("closed", "gap", "closed"), 2.0),  # of the two that reached 2 s one ended there
        ((2.0, 4.0, 100.0), ("closed", "gap", "end"), None),  # two of three lasted longer than 2 s
    ],
)
def test_episodes_that_were_cut_off_lasted_longer(
    durations: tuple[float, ...], ended: tuple[str, ...], median: float | None
) -> None:
    episodes = pl.DataFrame(
        {
            "kind": ["outcomes", "outcomes", "outcomes", "outcomes", "yes_basket"],
            "duration_s": [*durations, 0.5, 7.0],
            "seen_from_start": [True, True, True, False, False],
            "ended": [*ended, "closed", "closed"],
            "peak_edge_bps": [50.0, 60.0, 70.0, 80.0, 120.0],
        },
        schema_overrides={name: SCHEMA[name] for name in ("kind", "duration_s", "seen_from_start")},
    )
    assert [each.here for each in episodes_beside(episodes)] == [4, median, 1, 120.0]


def test_days_in_which_nobody_looked_have_no_count(tmp_path: Path) -> None:
    assert read_episodes([MiningDay(tmp_path, V, DATE)]) is None
    assert [each.here for each in episodes_beside(None)] == [None] * 4


def test_what_is_not_there_is_none() -> None:
    nothing = pl.DataFrame(schema={"price_cents": pl.String, "win_rate": pl.Float64, "taker_return": pl.Float64})
    assert [each.here for each in outcomes_beside(nothing)] == [None, None]
    assert [each.here for each in spreads_beside(nothing.with_columns(half_spread_bps=1.0))] == [None]


def test_longshots_are_told_in_percent() -> None:
    found = pl.DataFrame({"price_cents": ["5–10", "all"], "win_rate": [0.04, 0.5], "taker_return": [-0.3, -0.01]})
    assert [each.here for each in outcomes_beside(found)] == [pytest.approx(4.0), pytest.approx(-1.0)]


@pytest.mark.parametrize("collectors", [("c0",), ("c0", "c1")])
def test_trades_count_once_their_market_has_settled_and_once_only(tmp_path: Path, collectors: tuple[str, ...]) -> None:
    begin = hours(1)
    listed_on(tmp_path, 0, replace(market(), fetched_at=hours(0)))
    for collector in collectors:
        rows = [*books(KEY, begin), trade(40, 5, "buy", begin + 1), trade(30, 7, "sell", begin + 2, OTHER)]
        record(tmp_path, hours(2), [*rows, covered(KEY, begin, begin + 60 * S)], collector=collector)
    day = MiningDay(tmp_path, VenueName(V), DATE)
    assert trade_outcomes([day]).is_empty()
    settled = [*books(KEY, hours(1, 2)), resolved(KEY, hours(2, 2)), covered(KEY, hours(1, 2), hours(2, 2))]
    record(tmp_path, hours(3, 2), settled)
    found = {row["price_cents"]: row for row in trade_outcomes([day]).to_dicts()}
    assert (found["40–50"]["shares"], found["40–50"]["win_rate"]) == (5.0, 1.0)
    sold = found["70–80"]  # a sale of the other outcome at 30 is a purchase of this one at 70
    assert (sold["shares"], sold["win_rate"], found["all"]["trades"]) == (7.0, 1.0, 2)
