"""What ``mine`` prints: cents for people, dollars for programs, and the id where nothing knows the words."""

from pathlib import Path
from typing import Any

import polars as pl

from predsurv.cli.output.columns import machine, people
from predsurv.cli.output.mine_tables import every_statistic, made_of, ranking
from predsurv.cli.output.render import Table
from predsurv.core.ids import VenueName
from predsurv.mine import scores
from predsurv.mine.job import MiningResult
from predsurv.mine.listed import InstrumentLabels
from predsurv.mine.recorded_days import MiningDay

DAY = MiningDay(Path("data"), VenueName("mock"), "2026-11-20")
EVEN = scores.weights({})
ROW: dict[str, Any] = {
    "instrument_id": "m1-yes",
    "score": 0.5,
    "rank": 1,
    "previous_rank": None,
    "evidence": 0.5,
    "mid_usd": 0.5,
    "spread_usd": 0.02,
    "spread_ticks": 2.0,
    "volatility_usd_per_sqrt_hour": 0.001,
    "updates_per_s": 1.0,
    "bid_depth_5c_shares": 100.0,
    "ask_depth_5c_shares": 50.0,
    "cost_1000_usd": 12.0,
    "trades": 3,
    "notional_usd": 12.0,
    "taker_buy_share": 0.25,
    "effective_spread_usd": 0.01,
    "depth_5c_cut_share": 0.0,
    "stale_share": 0.1,
    "observed_s": 60.0,
    "gap_s": 0.0,
    "trades_observed_s": 60.0,
    "trades_missing": None,
    "unknown_scores": None,
}
LABELS = {"m1-yes": InstrumentLabels("Who?", "Yes", "Politics")}


def result(*rows: dict[str, Any], labels: dict[str, InstrumentLabels] = LABELS) -> MiningResult:
    return MiningResult([DAY], pl.DataFrame(rows), Path("x"), {}, labels)


def shown(table: Table) -> dict[str, str]:
    return {column.key: people(column, value) for column, value in zip(table.columns, table.rows[0], strict=True)}


def test_people_see_cents_and_depth_of_both_sides() -> None:
    cells = shown(ranking(result(ROW), [ROW], {}, EVEN))
    assert (cells["mid_usd"], cells["spread_usd"], cells["depth_5c_shares"]) == ("50.0", "2.00", "150")
    assert (cells["rank"], cells["question"], cells["observed_s"], cells["evidence"]) == ("1", "Who?", "60.0 s", "50 %")


def test_programs_see_every_column_as_the_file_has_it() -> None:
    table = every_statistic(result(ROW), [ROW], {"m1-yes": [0.5, None]})
    row = {column.key: machine(column, value) for column, value in zip(table.columns, table.rows[0], strict=True)}
    assert {name: row[name] for name in ROW} == ROW
    assert (row["question"], row["category"], row["listed"], row["mid_path"]) == ("Who?", "Politics", True, [0.5, None])


def test_the_table_says_what_the_score_is_made_of_and_how_stable_it_is() -> None:
    rows = [ROW | {"instrument_id": name, "rank": rank, "previous_rank": rank} for rank, name in enumerate("abc", 1)]
    note = ranking(result(*rows), rows[:2], {}, EVEN).note
    assert "score: 20 % activity, 20 % trading" in note
    assert "rank correlation 1.00 over 3 instruments, 2 of the first 2 were there already" in note
    assert made_of(scores.weights({}, "maker")).startswith("30 % earning, 25 % filling")


def test_who_was_never_observed_is_not_counted_and_cut_depths_are_named() -> None:
    never = ROW | {"instrument_id": "m2-yes", "score": None, "observed_s": 0.0, "trades_observed_s": 0.0}
    table = ranking(result(ROW, never), [ROW | {"depth_5c_cut_share": 0.25}], {}, EVEN)
    assert "1 of 1 observed instruments" in table.note
    assert "depth of 1 is at least what it says" in table.note


def test_the_id_stands_where_nothing_names_an_instrument() -> None:
    cells = shown(ranking(result(ROW, labels={}), [ROW], {}, EVEN))
    assert (cells["question"], cells["outcome"]) == ("m1-yes", "")


def test_trades_that_were_not_recorded_are_a_dash_and_a_note() -> None:
    silent = ROW | {"trades": None, "notional_usd": None, "trades_observed_s": 0.0, "trades_missing": "not_offered"}
    table = ranking(result(silent), [silent], {}, EVEN)
    assert [shown(table)[name] for name in ("trades", "notional_usd")] == ["–", "–"]
    assert "trades were not recorded: not_offered" in table.note
